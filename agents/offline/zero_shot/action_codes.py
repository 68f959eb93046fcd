"""Actions as networks read and write them.

`ActionCodes`  map of raw actions to [-1, 1] or one-hot rows, and its inverse
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.data.normalize import action_index

__all__ = ["ActionCodes"]


class ActionCodes(nn.Module):
    """Map of the actions of a bounded Box to [-1, 1], or of a Discrete to one-hot rows.

    Raises:
        ValueError: the space is neither a bounded Box with one axis nor a Discrete.

    Example:
        >>> codes = ActionCodes(gym.spaces.Discrete(3, start=5))
        >>> codes(torch.tensor([[7.0]])), codes.decode(torch.tensor([[0.0, 0.0, 1.0]]))
        (tensor([[0., 0., 1.]]), array([7]))
    """

    low: Tensor
    high: Tensor

    def __init__(self, space: gym.Space[Any]) -> None:
        super().__init__()
        bounds = np.zeros((2, 0), np.float32)
        if isinstance(space, gym.spaces.Box) and len(space.shape) == 1 and space.is_bounded():
            bounds = np.stack([space.low, space.high]).astype(np.float32)
        elif not isinstance(space, gym.spaces.Discrete):
            raise ValueError(
                f"`action_space` must be a bounded Box with one axis or a Discrete. Received {space}; wrap "
                "the environment in gymnasium.wrappers.RescaleAction or TransformAction."
            )
        self.space = space
        self.register_buffer("low", torch.from_numpy(bounds[0].copy()), persistent=False)
        self.register_buffer("high", torch.from_numpy(bounds[1].copy()), persistent=False)

    @property
    def discrete(self) -> bool:
        """True for a Discrete space."""
        return isinstance(self.space, gym.spaces.Discrete)

    @property
    def dim(self) -> int:
        """Number of entries of a code."""
        return int(self.space.n) if isinstance(self.space, gym.spaces.Discrete) else len(self.low)

    def forward(self, act: Float[Tensor, "batch act"]) -> Float[Tensor, "batch code"]:
        """Map raw actions to codes."""
        if isinstance(self.space, gym.spaces.Discrete):
            index = action_index(act, self.dim, int(self.space.start))
            return nn.functional.one_hot(index, self.dim).float()
        return 2 * (act - self.low) / (self.high - self.low) - 1

    def decode(self, code: Float[Tensor, "batch code"]) -> np.ndarray:
        """Map codes to raw actions: numbers of Discrete actions, rows of a Box."""
        if isinstance(self.space, gym.spaces.Discrete):
            return np.asarray((code.argmax(1) + int(self.space.start)).cpu().numpy())
        raw = (self.low + (self.high - self.low) * (code + 1) / 2).cpu().numpy()
        space: Any = self.space
        return np.asarray(np.clip(raw.astype(space.dtype), space.low, space.high))
