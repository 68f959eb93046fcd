"""Single files of a Hugging Face model: on the hub, or in a local folder of the same layout.

`reach_hub`     context manager of downloads from the hub
`hub_file`      local path of a file, downloaded once
`hub_json`      content of a JSON file
`hub_license`   license that the model card states
`hub_encoder`   local folder of an encoder that this library saved
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlpriors.encoders.backbones.weights import explain_download
from rlpriors.extras import missing_extra
from rlpriors.sharing.download import model_folder
from rlpriors.sharing.reach import without_retries
from rlpriors.sharing.repository import is_repository
from rlpriors.storage.module_files import CONFIG

__all__ = ["hub_encoder", "hub_file", "hub_json", "hub_license", "reach_hub"]


@contextmanager
def reach_hub(name: str, place: str) -> Iterator[None]:
    """Turn the errors of a failed download into one clear error, without retries if the hub is unreachable.

    Args:
        name: name of the encoder.
        place: place of the weights, for the error message.

    Raises:
        FileNotFoundError: the download in the body failed.
        PermissionError: the weights are gated, and the user has not accepted the publisher's terms.
    """
    with without_retries() as reason, explain_download(name, place, reason):
        yield


def hub_file(repo: str, file: str, name: str, revision: str | None = None) -> Path | None:
    """Return the local path of `file` of the model or folder `repo`; None if it has no such file.

    `name` is the encoder's name for error messages.

    Raises:
        FileNotFoundError: the hub cannot be reached, or the model does not exist.
    """
    if Path(repo).is_dir():
        path = Path(repo, file)
        return path if path.is_file() else None
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    except ImportError as error:
        raise ImportError(missing_extra("This encoder needs huggingface_hub", "vision")) from error
    with reach_hub(name, f"huggingface.co/{repo}"):
        try:
            return Path(hf_hub_download(repo, file, revision=revision))
        except LocalEntryNotFoundError:
            raise  # not in the cache, and offline: the hub may have the file
        except EntryNotFoundError:
            return None


def hub_json(repo: str, file: str, name: str, revision: str | None = None) -> dict[str, Any] | None:
    """Return the content of a JSON file; None if it does not exist.

    Raises:
        FileNotFoundError: as `hub_file`.
        ValueError: the file is damaged.
    """
    path = hub_file(repo, file, name, revision)
    if path is None:
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} is not JSON ({error}). Save or fetch the model of {name!r} again."
        ) from error
    return dict(content)


def hub_license(repo: str, name: str, revision: str | None = None) -> str:
    """Return the license in the header of the model's README.md; "unknown" if it states none."""
    try:
        path = hub_file(repo, "README.md", name, revision)
    except FileNotFoundError:  # offline, and only the weights are cached
        path = None
    if path is None:
        return "unknown"
    head = path.read_text(errors="replace").removeprefix("---").partition("\n---")[0]
    entries = dict(re.findall(r"^(license|license_name):\s*['\"]?([\w.\- ]+)", head, re.MULTILINE))
    license = str(entries.get("license", "unknown")).strip()
    return str(entries.get("license_name", license)).strip() if license == "other" else license


def hub_encoder(model_id: str) -> Path | None:
    """Return the local folder of an encoder that `ImageEncoder.save` wrote; None for other models.

    `model_id` is `<id>`, `<id>@<revision>` or a local folder.  The files of the encoder are downloaded once.

    Raises:
        FileNotFoundError: the hub cannot be reached, or the model does not exist.
        CheckpointError: a file was damaged during the download.
    """
    repo, _, revision = model_id.partition("@") if not Path(model_id).is_dir() else (model_id, "", "")
    if not Path(repo).is_dir() and not is_repository(repo):
        return None
    config = hub_json(repo, CONFIG, f"hf:{model_id}", revision or None) or {}
    is_saved = config.get("class") == "ImageEncoder" and "fingerprint" in config
    return model_folder(f"hf:{model_id}") if is_saved else None
