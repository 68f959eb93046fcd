"""Base of the wrappers of `gymnasium.vector` environments, for all supported versions of Gymnasium.

`GenericVectorWrapper`  VectorWrapper that accepts type parameters
"""

from typing import TYPE_CHECKING, Any, TypeVar

from gymnasium.vector import VectorWrapper

__all__ = ["GenericVectorWrapper"]

InnerObs = TypeVar("InnerObs")
InnerAct = TypeVar("InnerAct")
Obs = TypeVar("Obs")
Act = TypeVar("Act")
Array = TypeVar("Array")

if TYPE_CHECKING:
    Subscriptable = VectorWrapper
else:

    class Subscriptable(VectorWrapper):
        """VectorWrapper whose parameters have no effect at run time."""

        def __class_getitem__(cls, parameters: Any) -> type:
            return cls


class GenericVectorWrapper(Subscriptable[Obs, Act, InnerObs, InnerAct, Array]):
    """VectorWrapper that accepts type parameters; Gymnasium's own does from version 1.4 on.

    Example:
        >>> import numpy as np
        >>> class Identity(GenericVectorWrapper[np.ndarray, int, np.ndarray, int, np.ndarray]):
        ...     pass
        >>> issubclass(Identity, VectorWrapper)
        True
    """

    def close(self, **kwargs: Any) -> None:
        """Close the environments."""
        # Before 1.3, `__del__` closes an object whose constructor has raised an error.
        if "env" in vars(self):
            super().close(**kwargs)
