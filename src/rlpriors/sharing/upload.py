"""Upload of a saved model to the Hugging Face hub.

`upload_model`  upload of the three files of a saved model in one commit
"""

import json
import warnings
from pathlib import Path
from typing import Any

from rlpriors.sharing.card import CARD
from rlpriors.sharing.hub_errors import explain_hub_errors, import_hub
from rlpriors.sharing.repository import parse_repository
from rlpriors.storage.module_files import CONFIG, MODEL, read_module_files

__all__ = ["upload_model"]


def upload_model(
    folder: str | Path,
    repository: str,
    *,
    card: str,
    private: bool = False,
    message: str | None = None,
    token: str | None = None,
) -> str:
    """Upload `config.json`, `model.safetensors` and the card to a repository, and return its address.

    Other files of the folder stay where they are.  The repository is created if it does not exist.

    Args:
        folder: folder of the saved model.
        repository: `<owner>/<name>`.
        card: text of README.md.
        private: only the owner may read the repository.
        message: message of the commit.
        token: token of the hub; by default that of `hf auth login` or HF_TOKEN.

    Raises:
        CheckpointError: a file is missing or damaged; nothing is uploaded.
        ValueError: the name is not `<owner>/<name>`, or `private` is True and the repository is public.
        FileNotFoundError, PermissionError, ConnectionError: see `explain_hub_errors`.
        ImportError: `huggingface_hub` is not installed.
    """
    name, revision = parse_repository(repository, "repository")
    if revision is not None:
        raise ValueError(f"`repository` must be '<owner>/<name>'. Received {repository!r}; leave out '@...'.")
    config, weights = read_module_files(Path(folder))
    contents = {CONFIG: f"{json.dumps(config, indent=2)}\n".encode(), MODEL: weights, CARD: card.encode()}
    hub = import_hub()
    api: Any = hub.HfApi(token=token)
    with explain_hub_errors(name, write=True):
        api.create_repo(name, private=private, exist_ok=True)
        if private and not api.model_info(name).private:
            raise ValueError(
                f"`private` must be False for {name!r}, which is public already. Received True; make it "
                "private on its page, or choose another name."
            )
        with warnings.catch_warnings():  # the client passes large files by an argument that was renamed
            warnings.simplefilter("ignore", DeprecationWarning)
            api.create_commit(
                name,
                [hub.CommitOperationAdd(file, content) for file, content in contents.items()],
                commit_message=message or f"Upload a {config['class']} of rlpriors {config['version']}",
            )
    return f"{api.endpoint}/{name}"
