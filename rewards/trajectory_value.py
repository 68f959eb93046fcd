"""Value of whole windows, for comparison with work that learns a value instead of a reward.

`TrajectoryValue`          a multi-layer perceptron over the flattened window
`TrajectoryValueSettings`  settings of `TrajectoryValue`
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
from rlpriors.arguments import check_arguments
from rlpriors.networks.base import check_at_least
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import lists_to_tuples
from rlpriors.settings import check_fields

__all__ = ["TrajectoryValue", "TrajectoryValueSettings"]


@dataclass(frozen=True)
class TrajectoryValueSettings:
    """Window and layer sizes of a `TrajectoryValue`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    horizon: int
    """Number of timesteps in a window, at least 1."""

    dim: int
    """Number of entries per timestep (normalized observation and action), at least 1."""

    hidden: tuple[int, ...] = (384, 128, 64)
    """Widths of the hidden layers; () makes the value linear.  The default comes from work with 128
    timesteps of 6 entries, which used (1024, 512, 128) for 384 timesteps of 6 entries."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, horizon=self.horizon, dim=self.dim)
        check_at_least(1, **{f"hidden[{i}]": size for i, size in enumerate(self.hidden)})


class TrajectoryValue(nn.Module):
    """Value V(x) of a whole normalized window, by a ReLU perceptron.

    Diffuser guides its diffusion model by such a value (arXiv 2205.09991, section 3.3); the perceptron
    over the flattened window is that of the first work on inverse reinforcement learning with Diffuser.

    The value is no reward.  It does not score single steps, so it cannot replace an environment's
    reward, relabel a buffer or shape a reward.  It fits windows of one horizon and one normalizer only.
    Trained on noisy windows, it is unreliable on clean ones.  Train a `RewardModel` for these uses.

    Example:
        >>> import torch
        >>> value = TrajectoryValue(TrajectoryValueSettings(horizon=8, dim=3, hidden=(16,)))
        >>> value(torch.zeros(5, 8, 3)).shape
        torch.Size([5])
    """

    @check_arguments
    def __init__(self, settings: TrajectoryValueSettings) -> None:
        super().__init__()
        self.settings = settings
        self.net = build_mlp(settings.horizon * settings.dim, settings.hidden, 1, nn.ReLU)

    def forward(self, x: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, " batch"]:
        """Return the value of each normalized window.

        Raises:
            ValueError: the windows have another size.
        """
        horizon, dim = self.settings.horizon, self.settings.dim
        if tuple(x.shape[1:]) != (horizon, dim):
            raise ValueError(
                f"`x` must be [batch, {horizon}, {dim}], the window size of this value. Received shape "
                f"{tuple(x.shape)}; cut windows of this horizon, or train a value for the other size."
            )
        values: Tensor = self.net(rearrange(x, "b h d -> b (h d)"))
        return values.squeeze(-1)

    def save(self, folder: str | Path) -> Path:
        """Write the value to `folder` for `TrajectoryValue.load`."""
        return checkpoint.save(self, self.settings, folder)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "TrajectoryValue":
        """Build an untrained value from settings as read from JSON."""
        return cls(TrajectoryValueSettings(**lists_to_tuples(settings)))

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "auto") -> "TrajectoryValue":
        """Load a saved value, in evaluation mode.

        Raises:
            CheckpointError: the folder or a file is missing or damaged, or holds another kind of model.
        """
        value = checkpoint.load(folder, {"TrajectoryValue": cls.from_settings}, device)
        assert isinstance(value, cls)  # the only class that the line above accepts
        return value.eval()
