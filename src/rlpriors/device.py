"""Device of tensors.

`resolve_device`  the device for a `device` argument, by default "auto"
"""

import torch

__all__ = ["resolve_device"]


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the available device for `"auto"`, a name such as `"cuda:1"`, or a device.

    `"auto"` is CUDA if the machine has a CUDA device, else the CPU.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')

    Raises:
        ValueError: torch has no device of this name, or this machine has no such device.
    """
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
