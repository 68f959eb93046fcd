"""Single files of a Hugging Face model: on the hub, or in a local folder of the same layout.

`hub_file`      the path of a file, fetched once
`hub_json`      what a JSON file holds
`hub_license`   what the model's card says about its license
"""

import json
import re
from pathlib import Path
from typing import Any

from rlpriors.encoders.backbones.weights import explain_download

__all__ = ["hub_file", "hub_json", "hub_license"]


def hub_file(place: str, file: str, name: str, revision: str | None = None) -> Path | None:
    """The local path of `file` of the model or folder `place`; None if it has no such file.

    `name` is the encoder's, for the error.

    Raises:
        FileNotFoundError: the hub cannot be reached, or there is no such model.
    """
    if Path(place).is_dir():
        path = Path(place, file)
        return path if path.is_file() else None
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    except ImportError as error:
        raise ImportError(
            f"This encoder needs huggingface_hub ({error}). Install rlpriors[vision]."
        ) from error
    with explain_download(name, f"huggingface.co/{place}"):
        try:
            return Path(hf_hub_download(place, file, revision=revision))
        except LocalEntryNotFoundError:
            raise  # not in the cache, and the hub was not asked: it may have the file
        except EntryNotFoundError:
            return None


def hub_json(place: str, file: str, name: str, revision: str | None = None) -> dict[str, Any] | None:
    """What the JSON file holds; None if there is none.

    Raises:
        FileNotFoundError: as `hub_file`.
        ValueError: it is damaged.
    """
    path = hub_file(place, file, name, revision)
    if path is None:
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} is not JSON ({error}). Save or fetch the model of {name!r} again."
        ) from error
    return dict(content)


def hub_license(place: str, name: str, revision: str | None = None) -> str:
    """The license that the head of the model's README.md states; "unknown" if it states none."""
    try:
        path = hub_file(place, "README.md", name, revision)
    except FileNotFoundError:  # offline, and only the weights were fetched before
        path = None
    if path is None:
        return "unknown"
    head = path.read_text(errors="replace").removeprefix("---").partition("\n---")[0]
    entries = dict(re.findall(r"^(license|license_name):\s*['\"]?([\w.\- ]+)", head, re.MULTILINE))
    license = str(entries.get("license", "unknown")).strip()
    return str(entries.get("license_name", license)).strip() if license == "other" else license
