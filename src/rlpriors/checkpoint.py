"""Files that can be trusted: published modules and resumable runs.

`save` / `load`                a module as `model.safetensors` + `config.json`, to publish and share
`save_resume` / `load_resume`  the whole state of a run as one file, to go on after a kill
`write_atomically`             how every file of this library comes into being

Nothing is ever unpickled: safetensors holds tensors only, and resume files are read with
`weights_only=True`.  Files are written under a temporary name and then renamed, so a reader sees
the old file or the new one, never half of one.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from pickle import PickleError
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

import rlpriors
from rlpriors.device import resolve_device

__all__ = ["CheckpointError", "load", "load_resume", "save", "save_resume", "write_atomically"]

MODEL, CONFIG = "model.safetensors", "config.json"


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or belongs to something else."""


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a temporary path beside `path`, then rename it into place.

    A failure in `write` leaves whatever stood at `path` untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save(module: nn.Module, settings: Any, folder: str | Path, *, half: bool = False) -> Path:
    """Publish `module` in `folder`; `settings` is the dataclass that its class is built from.

    The configuration names the class, the settings, the library's version and a fingerprint of
    the weights.  It is written last: a folder without it is not a checkpoint.  `half` writes parameters of
    32 bits with 16, and `load` makes 32 of them again; buffers, such as statistics, stay as they are.

    Raises:
        ValueError: with `half`, a parameter is too large for 16 bits; nothing is written then.
        TypeError: `settings` is no dataclass, or holds more than JSON can; nothing is written then.
    """
    folder = Path(folder)
    state = module.state_dict()
    # Clones, because safetensors refuses tensors that share memory (tied weights).
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    if half:
        weights |= {name: _halved(name, weights[name]) for name in _parameters(module) if name in weights}
    data = safetensors.torch.save(weights)
    config = {
        "class": type(module).__name__,
        "settings": asdict(settings),
        "version": rlpriors.__version__,
        "fingerprint": sha256(data).hexdigest(),
    }
    text = json.dumps(config, indent=2) + "\n"
    write_atomically(folder / MODEL, lambda path: _write_bytes(path, data))
    write_atomically(folder / CONFIG, lambda path: _write_bytes(path, text.encode()))
    return folder


def load(
    folder: str | Path,
    classes: Mapping[str, Callable[[dict[str, Any]], nn.Module]],
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Rebuild a module that `save` published.

    `classes` maps each class name that may stand in the configuration to a function that builds
    an untrained module from the saved settings (in which tuples have become lists).  Only these
    are ever called, so a foreign file cannot choose what runs.

    Raises:
        CheckpointError: a file is missing or damaged, the class is not in `classes`, the weights
            are not those the configuration was written with, or they do not fit the module.
    """
    folder, device = Path(folder), resolve_device(device)
    config = _read_config(folder)
    name = config["class"]
    if name not in classes:
        raise CheckpointError(
            f"{folder / CONFIG} holds a {name!r}, but one of {sorted(classes)} is wanted here. "
            "Give the folder of such a checkpoint, or register the class."
        )
    try:
        data = (folder / MODEL).read_bytes()
        weights = safetensors.torch.load(data)
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} has no {MODEL}. Save the module again.") from error
    except SafetensorError as error:
        raise CheckpointError(f"{folder / MODEL} is damaged ({error}). Save the module again.") from error
    if sha256(data).hexdigest() != config["fingerprint"]:
        raise CheckpointError(
            f"{folder / MODEL} is not the file that {CONFIG} was written with (their fingerprints "
            "differ). Copy both files of the checkpoint together."
        )
    try:
        module = classes[name](config["settings"])
        module.load_state_dict(weights)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder} does not fit {name} of rlpriors {rlpriors.__version__} (it was saved by "
            f"{config['version']}): {type(error).__name__}: {error}"
        ) from error
    return module.to(device)


def save_resume(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them, to be read by `load_resume`.

    Raises:
        TypeError: the state holds something that `load_resume` would refuse, such as a numpy
            array; what stood at `path` stays.
    """

    def write(temporary: Path) -> None:
        try:
            torch.save(dict(state), temporary)
            # Looks at the structure only: mapped tensors are not read, and none goes to a device.
            torch.load(temporary, weights_only=True, mmap=True, map_location="cpu")
        except (PickleError, TypeError, AttributeError) as error:
            raise TypeError(
                "`state` must hold tensors, numbers, strings, and dictionaries, lists and tuples of them, "
                f"or it could not be read again. Received something else: {error}"
            ) from error

    write_atomically(path, write)


def load_resume(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read what `save_resume` wrote.

    Raises:
        CheckpointError: there is no such file, or it is damaged or holds more than plain data.
    """
    path, device = Path(path), resolve_device(device)
    if not path.is_file():
        raise CheckpointError(f"There is no {path} to resume from. Start without resuming.")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError, KeyError...
        raise CheckpointError(
            f"{path} is damaged or is not a resume file ({type(error).__name__}). Delete it and start again."
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not the state of a run.")
    return state


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointError(
            f"{folder} is not a checkpoint: it has no {CONFIG}. Give a folder that holds "
            f"{CONFIG} and {MODEL}."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{folder / CONFIG} is not JSON ({error}). Save the module again.") from error
    entries = set(config) if isinstance(config, dict) else set()
    missing = {"class", "settings", "version", "fingerprint"} - entries
    if missing:
        raise CheckpointError(f"{folder / CONFIG} is not a checkpoint's: it lacks {sorted(missing)}.")
    if not isinstance(config["class"], str) or not isinstance(config["settings"], dict):
        raise CheckpointError(f"{folder / CONFIG} is not a checkpoint's: no name and settings of a class.")
    return dict(config)


def _parameters(module: nn.Module) -> list[str]:
    named = module.named_parameters(remove_duplicate=False)
    return [name for name, parameter in named if parameter.dtype == torch.float32]


def _halved(name: str, tensor: torch.Tensor) -> torch.Tensor:
    halved = tensor.half()
    if not halved.isfinite().all():
        largest = float(tensor.abs().max())
        raise ValueError(
            f"`half` must be False: {name} holds numbers up to {largest:g}, and 16 bits end at 65504."
        )
    return halved


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
