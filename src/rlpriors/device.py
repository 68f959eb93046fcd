"""Device of tensors, and threads of forked processes.

`resolve_device`          the device for a `device` argument, by default "auto"
`limit_forked_threads`    one thread for torch in a forked process
"""

import os

import torch

__all__ = ["limit_forked_threads", "resolve_device"]

_checked_process = os.getpid()


def limit_forked_threads() -> None:
    """Limit torch to one thread if this process was forked from one that had imported this module.

    A forked process has the parent's number of threads, but none of its threads, and waits for them forever
    in the first parallel operation.  Environment workers, such as those of `AsyncVectorEnv`, are forked by
    default on Linux.  Only the first call in a process has an effect.
    """
    global _checked_process
    if os.getpid() != _checked_process:
        _checked_process = os.getpid()
        torch.set_num_threads(1)


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the available device for `"auto"`, a name such as `"cuda:1"`, or a device.

    `"auto"` is CUDA if the machine has a CUDA device, else the CPU.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')

    Raises:
        ValueError: torch has no device of this name, this machine has no such device, or CUDA was
            initialized before this process was forked.
    """
    limit_forked_threads()
    resolved = _named_device(device)
    if resolved.type == "cuda" and torch.cuda._is_in_bad_fork():
        raise ValueError(
            f"`device` must not be CUDA in a process that was forked after CUDA was initialized. Received "
            f'{str(device)!r}; start the workers with context="spawn", or pass device="cpu".'
        )
    return resolved


def _named_device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f'`device` must be "auto", "cpu", "cuda" or "cuda:<index>". Received {device!r}.'
        ) from error
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"`device` must exist. Received {str(device)!r}, but this machine has "
            f'{torch.cuda.device_count()} CUDA devices. Use device="auto" for CUDA if available.'
        )
    if resolved.type not in ("cpu", "cuda", "meta"):  # a trial would initialize CUDA
        try:
            torch.empty(0, device=resolved)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(
                f"`device` must be usable. Received {str(device)!r}, which this torch cannot use on this "
                'machine. Use device="auto".'
            ) from error
    return resolved
