"""Checkpoints: published modules and states of runs.

`save`              write a module as `model.safetensors` and `config.json`, to publish and share
`load`              load a module that `save` wrote
`load_entry`        load a further entry of its configuration
`check_finite`      check that the weights of a module are finite
`save_resume`       write the state of a run to one file, to resume it after an interruption
`load_resume`       load the state that `save_resume` wrote
`CheckpointError`   error of a missing, damaged or unsuitable checkpoint

No pickle is loaded: safetensors files contain tensors only, and resume files are read with
`weights_only=True`.  Files are written under a temporary name and then renamed, so a reader finds the old
module or the new one, and never a part or a mixture.  Checksums find damaged files.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from pickle import PickleError
from typing import Any

import safetensors.torch
import torch
from torch import nn

from rlpriors.build_budget import BuildBudget
from rlpriors.device import resolve_device
from rlpriors.storage.atomic import write_atomically
from rlpriors.storage.checksum import append_checksum, has_valid_checksum
from rlpriors.storage.module_files import (
    CONFIG,
    CheckpointError,
    read_config,
    read_module_files,
    write_module_files,
)

__all__ = [
    "CheckpointError",
    "check_finite",
    "load",
    "load_entry",
    "load_resume",
    "save",
    "save_resume",
]


def save(
    module: nn.Module,
    settings: Any,
    folder: str | Path,
    *,
    half: bool = False,
    entries: Mapping[str, Any] | None = None,
) -> Path:
    """Write `module` to `folder` and return the folder; `settings` is the dataclass of its constructor.

    The configuration contains the class, the settings, the version of the library and a fingerprint of the
    weights.  It is written last, so a folder without it is not a checkpoint.  A kill while an earlier module
    is replaced leaves the old module or the new one.  `half` stores 32-bit parameters with 16 bits; `load`
    converts them to 32 bits.  Buffers, such as statistics, are stored unchanged.

    Raises:
        ValueError: a weight is NaN or infinite, a statistic is NaN, or with `half` a parameter is too large
            for 16 bits; nothing is written.
        TypeError: `settings` is not a dataclass, or JSON cannot represent it; nothing is written.
        OSError: the disk is full or read-only; the earlier module stays.
    """
    folder = Path(folder)
    check_finite(module)
    state = module.state_dict()
    # Clones, because safetensors refuses tensors that share memory (tied weights).
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    if half:
        weights |= {name: _to_half(name, weights[name]) for name in _parameters(module) if name in weights}
    data = safetensors.torch.save(weights)
    config = {
        **(entries or {}),
        "class": type(module).__name__,
        "settings": asdict(settings),
        "version": version("rlpriors"),
    }
    write_module_files(folder, data, config)
    return folder


def check_finite(module: nn.Module) -> None:
    """Check that the weights of a module are finite, and that its buffers are not NaN.

    Raises:
        ValueError: a parameter is NaN or infinite, or a buffer is NaN.
    """
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    for name, tensor in module.state_dict().items():
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            continue
        if not (tensor.isfinite() if name in parameters else ~tensor.isnan()).all():
            raise ValueError(
                f"The weights of {type(module).__name__} must be finite. Received NaN or infinity in "
                f"{name!r}; the training diverged: use an earlier checkpoint, or train with a smaller "
                "learning rate."
            )


def load(
    folder: str | Path,
    classes: Mapping[str, Callable[[dict[str, Any]], nn.Module]],
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Return the module that `save` wrote to `folder`.

    `classes` maps class names of the configuration to functions that build an untrained module from the saved
    settings (in which tuples are lists).  Only these functions are called, so a file cannot select other
    code, and `BuildBudget` limits their memory.  torch's global random state is unchanged.

    Raises:
        CheckpointError: a file is missing or damaged, the class is not in `classes`, the weights are not
            those of the configuration, they do not fit the module, or the settings ask for far more memory
            than the weights fill, or a weight is NaN or infinite.
    """
    folder, device = Path(folder), resolve_device(device)
    config, data = read_module_files(folder)
    name = config["class"]
    if name not in classes:
        raise CheckpointError(
            f"{folder / CONFIG} must be of one of {sorted(classes)}. Received {name!r}; give the folder of "
            "such a checkpoint, or register the class."
        )
    weights = safetensors.torch.load(data)
    try:
        # A build initializes weights that are replaced afterwards, without a trace in the random state.
        with torch.random.fork_rng(devices=[]), BuildBudget(weights):
            module = classes[name](config["settings"])
        module.load_state_dict(weights)
        check_finite(module)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder} does not fit {name} of rlpriors {version('rlpriors')} (saved by rlpriors "
            f"{config['version']}): {type(error).__name__}: {error}"
        ) from error
    return module.to(device)


def load_entry(folder: str | Path, name: str) -> Any:
    """Return an entry of the configuration that `save` wrote to `folder`; None if there is none.

    Raises:
        CheckpointError: the configuration is missing or damaged.
    """
    return read_config(Path(folder)).get(name)


def save_resume(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them to one file, for `load_resume`.

    Raises:
        TypeError: the state contains something that `load_resume` cannot load, such as a numpy array; an
            existing file at `path` stays unchanged.
        OSError: the disk is full or read-only; an existing file stays unchanged.
    """

    def write(temporary: Path) -> None:
        try:
            with open(temporary, "wb") as file:
                torch.save(dict(state), file)
            # Reads the structure only: mapped tensors are not read, and no tensor goes to a device.
            torch.load(temporary, weights_only=True, mmap=True, map_location="cpu")
        except (PickleError, TypeError, AttributeError) as error:
            raise TypeError(
                "`state` must contain tensors, numbers, strings, and dictionaries, lists and tuples of them. "
                f"Received something that cannot be loaded again: {error}"
            ) from error
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # of a full disk, which torch replaces
                raise error.__context__ from None
            raise
        append_checksum(temporary)

    write_atomically(path, write)


def load_resume(path: str | Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Return the state that `save_resume` wrote.

    Raises:
        CheckpointError: there is no such file, or it is damaged or contains more than plain data.
    """
    path, device = Path(path), resolve_device(device)
    if not path.is_file():
        raise CheckpointError(f"There is no {path} to resume from. Start without resuming.")
    try:
        if not has_valid_checksum(path):
            raise ValueError("its checksum differs")
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError, KeyError...
        raise CheckpointError(
            f"{path} is damaged or is not a resume file ({type(error).__name__}). Delete it and start again."
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path} must hold the state of a run. Received a {type(state).__name__}.")
    return state


def _parameters(module: nn.Module) -> list[str]:
    named = module.named_parameters(remove_duplicate=False)
    return [name for name, parameter in named if parameter.dtype == torch.float32]


def _to_half(name: str, tensor: torch.Tensor) -> torch.Tensor:
    half = tensor.half()
    if not half.isfinite().all():
        largest = float(tensor.abs().max())
        raise ValueError(
            f"`half` must be False for {name}, which has numbers up to {largest:g}; the maximum of 16 bits "
            "is 65504."
        )
    return half
