"""A value of whole windows, for comparison with work that learns one instead of a reward.

`TrajectoryValue`          a perceptron over the flattened window
`TrajectoryValueSettings`  its sizes
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors import checkpoint
from rlpriors.networks.base import at_least
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import with_tuples

__all__ = ["TrajectoryValue", "TrajectoryValueSettings"]


@dataclass(frozen=True)
class TrajectoryValueSettings:
    """Sizes of a `TrajectoryValue`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    horizon: int
    """Frames in a window, at least 1."""

    dim: int
    """Numbers in a frame (normalized observation and action side by side), at least 1."""

    hidden: tuple[int, ...] = (384, 128, 64)
    """Width of each hidden layer; empty makes the value linear.  The default was made for 128
    frames of 6 numbers; for 384 frames of 6 the same work took (1024, 512, 128)."""

    def __post_init__(self) -> None:
        at_least(1, horizon=self.horizon, dim=self.dim)
        at_least(1, **{f"hidden[{i}]": size for i, size in enumerate(self.hidden)})


class TrajectoryValue(nn.Module):
    """V(x): one number for a whole window of normalized frames, by a ReLU perceptron.

    What diffusion models are guided by in Diffuser (arXiv 2205.09991, section 3.3), with the
    network flattened as in the first work on inverse reinforcement learning through it.

    It is no reward: it cannot say what a single step is worth, so it can neither stand in for an
    environment's reward nor relabel a buffer nor shape one; it fits windows of one horizon and one
    normalizer only; and where it is trained on noisy windows it says nothing reliable about clean
    ones.  Learn a `RewardModel` for any of these.

    Example:
        >>> import torch
        >>> value = TrajectoryValue(TrajectoryValueSettings(horizon=8, dim=3, hidden=(16,)))
        >>> value(torch.zeros(5, 8, 3)).shape
        torch.Size([5])
    """

    def __init__(self, settings: TrajectoryValueSettings) -> None:
        super().__init__()
        self.settings = settings
        self.net = build_mlp(settings.horizon * settings.dim, settings.hidden, 1, nn.ReLU)

    def forward(self, x: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, " batch"]:
        """Judge each normalized window.

        Raises:
            ValueError: the windows are of another size.
        """
        horizon, dim = self.settings.horizon, self.settings.dim
        if tuple(x.shape[1:]) != (horizon, dim):
            raise ValueError(
                f"`x` must be [batch, {horizon}, {dim}], the windows this value was made for. Received shape "
                f"{tuple(x.shape)}; a value of whole windows fits no other horizon."
            )
        values: Tensor = self.net(rearrange(x, "b h d -> b (h d)"))
        return values.squeeze(-1)

    def save(self, folder: str | Path) -> Path:
        """Publish the value in `folder`, to be read by `TrajectoryValue.load`."""
        return checkpoint.save(self, self.settings, folder)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "TrajectoryValue":
        """Build an untrained value from settings as read from JSON."""
        return cls(TrajectoryValueSettings(**with_tuples(settings)))

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "auto") -> "TrajectoryValue":
        """Read a saved value, in evaluation mode.

        Raises:
            CheckpointError: the folder or a file is missing or damaged, or holds something else.
        """
        value = checkpoint.load(folder, {"TrajectoryValue": cls.from_settings}, device)
        assert isinstance(value, cls)  # the only class that the line above lets in
        return value.eval()
