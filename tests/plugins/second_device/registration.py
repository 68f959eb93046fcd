"""Registration of the second device with PyTorch.

`register`    make the device known to PyTorch, once in a process
"""

from functools import partial

import torch
from torch.utils import backend_registration

from second_device.autocast import register_autocast
from second_device.creation import Generator, load
from second_device.tensor import NAME, run

__all__ = ["register"]


class DeviceModule:
    """Functions of the device that PyTorch calls, as `torch.cuda` has them."""

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Do nothing: the operations draw from the generator of the CPU, which has the seed."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


DIRECT = [
    *(
        "copy_",
        "arange",
        "arange.start",
        "arange.start_step",
        "eye",
        "eye.m",
        "randperm",
        "randperm.generator",
    ),
    *("linspace", "logspace", "range", "range.step", "tril_indices", "triu_indices"),
]
"""Operations with an entry of their own.

PyTorch calls `copy_` where it creates tensors from Python numbers, and a fallback fails there.  The others
would be composed of an empty tensor and an operation that gives it a shape.
"""

_libraries: list[torch.library.Library] = []


def register() -> None:
    """Make the device known to PyTorch; only the first call in a process has an effect.

    Raises:
        RuntimeError: this PyTorch cannot host a device written in Python.
    """
    if _libraries:
        return
    setup = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
    if setup is None:
        raise RuntimeError(
            f"torch must host devices written in Python. Received torch {torch.__version__}; unset "
            "RLPRIORS_SECOND_DEVICE, or install the version of constraints.txt."
        )
    setup(NAME, backend_module=DeviceModule())
    fallback = torch.library.Library("_", "IMPL")
    fallback.fallback(run, "PrivateUse1")
    fallback.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    aten = torch.library.Library("aten", "IMPL")
    for operation in DIRECT:
        packet, _, overload = operation.partition(".")
        func = getattr(getattr(torch.ops.aten, packet), overload or "default")
        aten.impl(operation, partial(run, func), "PrivateUse1")
    register_autocast(aten, NAME)
    _libraries.extend([fallback, aten])
    torch.Generator = Generator  # type: ignore[misc]
    torch.load = load  # type: ignore[assignment]
