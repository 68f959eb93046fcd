"""Saved models of the Hugging Face hub, downloaded once and checked.

`model_folder`    local folder of a saved model, which may be on the hub
`download_model`  download of the three files of a saved model

A repository may contain anything.  Only `config.json`, `model.safetensors` and `README.md` are requested, and
nothing is unpickled or run.
"""

import os
from contextlib import suppress
from hashlib import file_digest, sha1
from pathlib import Path

from rlpriors.sharing.card import CARD
from rlpriors.sharing.hub_errors import explain_hub_errors, import_hub
from rlpriors.sharing.repository import HUB_PREFIX, is_repository, parse_repository
from rlpriors.storage.module_files import CONFIG, MODEL, CheckpointError

__all__ = ["download_model", "model_folder"]


def model_folder(source: str | os.PathLike[str]) -> Path:
    """Return the local folder of a saved model.

    Args:
        source: a folder; or "hf:<owner>/<name>" or "hf:<owner>/<name>@<revision>", a repository of the
            Hugging Face hub, which is downloaded once into its cache.  A local folder `<owner>/<name>` has
            precedence.

    Raises:
        CheckpointError: there is no such folder, a file is damaged, or the repository holds no saved model.
        FileNotFoundError, PermissionError, ConnectionError: the hub cannot be read; the message has the fix.
        ImportError: `huggingface_hub` is not installed.

    Example:
        >>> model_folder("runs/reward")
        Traceback (most recent call last):
        ...
        rlpriors.storage.module_files.CheckpointError: runs/reward is not a checkpoint: ...
    """
    text = source.as_posix() if isinstance(source, Path) else os.fspath(source)
    if Path(text).exists() or not text.startswith(HUB_PREFIX):
        if is_repository(text) and not Path(text).exists():
            raise CheckpointError(
                f"{text} is not a checkpoint: there is no such folder. Give a folder with {CONFIG} and "
                f'{MODEL}, or "{HUB_PREFIX}{text}" for the repository of this name on the Hugging Face hub.'
            )
        return Path(text)
    name = text.removeprefix(HUB_PREFIX)
    return Path(name) if Path(name).is_dir() else download_model(*parse_repository(name))


def download_model(repository: str, revision: str | None = None) -> Path:
    """Download the files of a saved model, unless they are in the cache, and return their folder.

    With HF_HUB_OFFLINE=1 the cache alone is used.  Each file is compared with its hash on the hub.

    Raises:
        CheckpointError: a file is damaged, or the repository holds no saved model.
        FileNotFoundError, PermissionError, ConnectionError: see `explain_hub_errors`.
        ImportError: `huggingface_hub` is not installed.
    """
    hub = import_hub()
    from huggingface_hub.errors import EntryNotFoundError

    with explain_hub_errors(repository):
        config = Path(hub.hf_hub_download(repository, CONFIG, revision=revision))
        commit = config.parent.name  # all files of one commit, also while another one is published
        files = [config, Path(hub.hf_hub_download(repository, MODEL, revision=commit))]
        with suppress(EntryNotFoundError):  # no model needs its card
            files.append(Path(hub.hf_hub_download(repository, CARD, revision=commit)))
    for file in files:
        _check_hash(file, repository)
    return config.parent


def _check_hash(file: Path, repository: str) -> None:
    """Compare a file with the hash that the cache names it by: SHA-256 of large files, else git's SHA-1."""
    if not file.is_symlink():  # Windows; the weights are compared with the configuration when loaded
        return
    expected = Path(os.readlink(file)).name
    content = file.resolve()
    if len(expected) == 64:
        with open(content, "rb") as stream:
            actual = file_digest(stream, "sha256").hexdigest()
    elif len(expected) == 40:
        data = content.read_bytes()
        actual = sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    else:
        return
    if actual == expected:
        return
    for path in (content, file.parent / os.readlink(file), file):  # otherwise the cache would keep it
        path.unlink(missing_ok=True)
    raise CheckpointError(
        f"{file.name} of the repository {repository!r} was damaged during the download: its hash differs. It "
        "was removed from the cache; load the model again to download it again."
    )
