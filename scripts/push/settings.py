"""Settings of `rlpriors push`.

`PushSettings`  settings of the command
`HELP`          help of the command
"""

from dataclasses import dataclass
from typing import Annotated

import tyro

from rlpriors.settings import check_fields

__all__ = ["HELP", "PushSettings"]

HELP = """
The Hugging Face hub (huggingface.co) stores models.  Log in once by `hf auth login`, with a token that may
write:

    rlpriors push runs/reward-Reacher-v5-seed0/reward alice/reacher-reward
    rlpriors push --private runs/pretrain-atc-nature-cnn-ale-pong-v5-seed0/encoder alice/pong-encoder

Others use it by its name: --reward hf:alice/reacher-reward, --encoder hf:alice/pong-encoder, or
rlpriors.from_pretrained("alice/reacher-reward") in Python.  `rlpriors card <folder>` shows the page before.

It writes one commit with model.safetensors, config.json and README.md to the repository, which is created if
it does not exist.  No other file of the folder is uploaded.
"""


@dataclass(frozen=True)
class PushSettings:
    """Settings of `rlpriors push`."""

    folder: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Folder of a saved reward, prior or encoder."""

    repository: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OWNER/NAME")]
    """Repository <owner>/<name> on the hub."""

    private: bool = False
    """Create a repository that only its owner can read."""

    message: str | None = None
    """Message of the commit; class and version of the model by default."""

    def __post_init__(self) -> None:
        check_fields(self)
