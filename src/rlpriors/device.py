"""Where tensors live: every class takes `device="auto"` and resolves it here."""

import torch

__all__ = ["resolve_device"]


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Turn `"auto"`, a name such as `"cuda:1"`, or a device into a device that exists.

    `"auto"` is CUDA when there is one, else the CPU.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')

    Raises:
        ValueError: the name is unknown to torch, or this machine has no such device.
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
            f"`device` is {str(device)!r}, but this machine shows {torch.cuda.device_count()} CUDA "
            'devices. Use device="auto" to take CUDA only when there is one.'
        )
    if resolved.type not in ("cpu", "cuda", "meta"):  # CUDA is only counted above: a try would start it
        try:
            torch.empty(0, device=resolved)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(
                f'`device` is {str(device)!r}, which this torch cannot use here. Use device="auto".'
            ) from error
    return resolved
