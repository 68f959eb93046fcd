"""The two files of a saved module, replaced as one.

`write_module_files`  write `model.safetensors` and `config.json`
`read_module_files`   read both
`read_config`         read the configuration alone
`add_entries`         add entries to the configuration
`config_path`         path of the configuration that belongs to the weights
`CheckpointError`     error of a missing, damaged or unsuitable checkpoint

Two files cannot be renamed at once.  The configuration names the fingerprint of its weights, and a write
has three steps: the new configuration under a name of its own, the new weights, the final name of the
configuration.  The second step replaces the module.  Before it, readers find the old pair, and after it
the new pair, also if the process is killed in between.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, deserialize

from rlpriors.storage.atomic import write_atomically, write_text_atomically

__all__ = [
    "CONFIG",
    "MODEL",
    "CheckpointError",
    "add_entries",
    "config_path",
    "read_config",
    "read_module_files",
    "write_module_files",
]

MODEL = "model.safetensors"
CONFIG = "config.json"
NEXT_CONFIG = ".config.json.next"
ENTRIES = {"class", "settings", "version", "fingerprint"}


class CheckpointError(ValueError):
    """Error of a checkpoint that is missing, damaged, or of another class."""


def write_module_files(folder: Path, weights: bytes, config: Mapping[str, Any]) -> None:
    """Write the weights and the configuration to `folder`; "fingerprint" is added to the configuration.

    Raises:
        TypeError: JSON cannot represent `config`; nothing is written.
        OSError: the disk is full or read-only; the earlier pair remains.
    """

    def write(temporary: Path) -> None:
        temporary.write_bytes(weights)

    text = json.dumps({**config, "fingerprint": sha256(weights).hexdigest()}, indent=2) + "\n"
    write_text_atomically(folder / NEXT_CONFIG, text)
    write_atomically(folder / MODEL, write)
    os.replace(folder / NEXT_CONFIG, folder / CONFIG)


def read_module_files(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return the configuration in `folder` and its weights, the content of a safetensors file.

    Raises:
        CheckpointError: a file is missing or damaged, or the weights are not those of the configuration.
    """
    for _ in range(3):  # a process may replace both files in between
        config = read_config(folder)
        try:
            weights = (folder / MODEL).read_bytes()
        except FileNotFoundError as error:
            raise CheckpointError(f"{folder} has no {MODEL}. Save the module again.") from error
        if sha256(weights).hexdigest() == config["fingerprint"]:
            return config, weights
    try:
        deserialize(weights)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise CheckpointError(f"{folder / MODEL} is damaged ({error}). Save the module again.") from error
    raise CheckpointError(
        f"{folder / MODEL} does not belong to {CONFIG} (their fingerprints differ). Copy both files of "
        "the checkpoint together, or save the module again."
    )


def config_path(folder: str | Path) -> Path:
    """Return the path of the configuration that belongs to the weights in `folder`."""
    path, upcoming = Path(folder, CONFIG), Path(folder, NEXT_CONFIG)
    if path.is_file() and upcoming.is_file():  # a write is in progress, or was killed
        try:
            fingerprint = sha256(Path(folder, MODEL).read_bytes()).hexdigest()
            if json.loads(upcoming.read_text())["fingerprint"] == fingerprint:
                return upcoming
        except (OSError, ValueError, KeyError, TypeError):  # the write has ended, or the file is damaged
            pass
    return path


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration in `folder`.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        config = json.loads(config_path(folder).read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        inside = sorted(path.parent.as_posix() for path in folder.glob(f"*/{CONFIG}"))
        raise CheckpointError(
            f"{folder} is not a checkpoint: it has no {CONFIG}. Give a folder with {CONFIG} and {MODEL}"
            f"{', such as ' * bool(inside)}{' or '.join(inside)}."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointError(f"{folder / CONFIG} is not JSON ({error}). Save the module again.") from error
    missing = ENTRIES - (set(config) if isinstance(config, dict) else set())
    if missing:
        raise CheckpointError(f"{folder / CONFIG} is not of a checkpoint: it lacks {sorted(missing)}.")
    if not isinstance(config["class"], str) or not isinstance(config["settings"], dict):
        raise CheckpointError(f"{folder / CONFIG} is not of a checkpoint: it has no class and settings.")
    return dict(config)


def add_entries(folder: Path, entries: Mapping[str, Any]) -> None:
    """Add entries to the configuration in `folder`, or replace them; the weights stay as they are.

    Raises:
        CheckpointError: the configuration is missing or damaged.
        ValueError: an entry is one of those that describe the weights.
        TypeError: JSON cannot represent the entries; nothing is written.
        OSError: the disk is full or read-only; the earlier configuration remains.
    """
    if not ENTRIES.isdisjoint(entries):
        raise ValueError(f"`entries` must not be of {sorted(ENTRIES)}. Received {sorted(entries)}.")
    config = {**read_config(folder), **entries}
    write_text_atomically(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    (folder / NEXT_CONFIG).unlink(missing_ok=True)  # of a killed write, whose entries `read_config` returned
