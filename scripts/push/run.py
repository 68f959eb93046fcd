"""Command `rlpriors push`: upload of a saved model to the Hugging Face hub.

`push`  the command
"""

from rlpriors.pretrained import push_to_hub
from rlpriors.scripts.push.settings import PushSettings

__all__ = ["push"]


def push(settings: PushSettings) -> str:
    """Upload a saved reward, prior or encoder, print its address, and return it.

    Args:
        settings: settings of the command.

    Raises:
        CheckpointError: the folder holds no complete model; nothing is uploaded.
        ValueError: the repository has another name than `<owner>/<name>`, or is public with `private`.
        FileNotFoundError, PermissionError, ConnectionError: the hub cannot be reached or refuses the upload.
    """
    address = push_to_hub(
        settings.folder, settings.repository, private=settings.private, message=settings.message
    )
    print(address)
    print(
        f'To use it: rlpriors.from_pretrained("{settings.repository}"), or the name hf:{settings.repository}'
    )
    return address
