"""Command `rlpriors card`: the model card of a saved reward, prior or encoder.

`card`  the command
"""

from rlpriors.pretrained import read_card, refresh_card
from rlpriors.scripts.card.settings import CardSettings
from rlpriors.sharing.repository import HUB_PREFIX

__all__ = ["card"]


def card(settings: CardSettings) -> str:
    """Print the card of a saved model, and return it.

    Args:
        settings: settings of the command.

    Raises:
        CheckpointError: the folder holds no reward, prior or encoder.
        ValueError: `write` is set, and README.md was edited or is on the hub.
    """
    if settings.write:
        if settings.folder.startswith(HUB_PREFIX):
            raise ValueError(
                f"`folder` must be a local folder for --write. Received {settings.folder!r}; drop --write."
            )
        refresh_card(settings.folder)
    text = read_card(settings.folder)
    # A card of the hub may hold anything: characters that control a terminal are left out.
    print("".join(letter for letter in text if letter.isprintable() or letter in "\n\t"))
    return text
