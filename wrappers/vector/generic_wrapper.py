"""Base of the wrappers of `gymnasium.vector` environments, for all supported versions of Gymnasium.

`GenericVectorWrapper`  VectorWrapper that accepts type parameters and shows its autoreset mode
"""

from typing import TYPE_CHECKING, Any, TypeVar

from gymnasium.vector import AutoresetMode, VectorWrapper

from rlpriors.wrappers.vector.autoreset import read_autoreset_mode

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
        >>> import gymnasium as gym
        >>> Identity(gym.make_vec("CartPole-v1", num_envs=2)).autoreset_mode.name
        'NEXT_STEP'
    """

    @property
    def autoreset_mode(self) -> AutoresetMode:
        """Autoreset mode of the environments, which TorchRL reads from the outermost wrapper."""
        return read_autoreset_mode(self.env)

    def close(self, **kwargs: Any) -> None:
        """Close the environments."""
        # Before 1.3, `__del__` closes an object whose constructor has raised an error.
        if "env" in vars(self):
            super().close(**kwargs)
