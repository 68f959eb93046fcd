"""Count of the changes of a module's weights, by which earlier encodings are known to be out of date.

`StateVersion`  base class of modules that count them
"""

from typing import Any

from torch import nn

from rlpriors.encoders.fingerprint import tensor_versions

__all__ = ["StateVersion"]


class StateVersion(nn.Module):
    """Module that counts the changes of its weights.

    Moving the module to another device or converting its numbers is no change.

    Example:
        >>> import torch
        >>> class Scale(StateVersion):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_buffer("factor", torch.ones(1))
        ...         self._record_tensors()
        >>> scale = Scale()
        >>> before = scale.state_version
        >>> _ = scale.factor.mul_(2)
        >>> scale.state_version - before
        1
    """

    def __init__(self) -> None:
        super().__init__()
        self._state_version = 0
        self._tensor_versions: tuple[tuple[int, int], ...] = ()

    @property
    def state_version(self) -> int:
        """Number of changes of readout or weights; each change outdates earlier encodings.

        Edits of weights in place count too, except those through `tensor.data`: add 1 after them.
        """
        versions = tensor_versions(self)
        if versions != self._tensor_versions:
            self._tensor_versions = versions
            self._state_version += 1
        return self._state_version

    @state_version.setter
    def state_version(self, version: int) -> None:
        self._state_version = version

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load weights as `nn.Module` does; earlier encodings are then out of date."""
        self.state_version += 1
        return super().load_state_dict(*args, **kwargs)

    def _record_tensors(self) -> None:
        """Take the present tensors as unchanged."""
        self._tensor_versions = tensor_versions(self)

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        """Move or convert the tensors as `nn.Module` does, which is no change of the encodings."""
        _ = self.state_version
        moved = super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._record_tensors()
        return moved

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._record_tensors()  # a copy has other tensors
