"""Settings of `rlpriors card`.

`CardSettings`  settings of the command
`HELP`          help of the command
"""

from dataclasses import dataclass
from typing import Annotated

import tyro

from rlpriors.settings import check_fields

__all__ = ["HELP", "CardSettings"]

HELP = """
A model card is the README.md of a saved model: class, inputs, units, environment, data, results, the command
that made it, and Python that uses it.  Each saved model has one, next to its weights.  The command prints it:

    rlpriors card runs/reward-Reacher-v5-seed0/reward
    rlpriors card hf:alice/reacher-reward
    rlpriors card --write runs/old/encoder

The last one is for a model that an earlier version saved, without a card.

It writes nothing, or README.md with --write.
"""


@dataclass(frozen=True)
class CardSettings:
    """Settings of `rlpriors card`."""

    folder: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Folder of a saved reward, prior or encoder, or hf:<owner>/<name> on the Hugging Face hub."""

    write: bool = False
    """Write the card again to README.md; an edited card is kept, and reported."""

    def __post_init__(self) -> None:
        check_fields(self)
