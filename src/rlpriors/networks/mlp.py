"""Multi-layer perceptrons, the fastest networks on a CPU.

`build_mlp`            plain multi-layer perceptron, for rewards and other small functions
`ResidualMLP`          denoiser of residual blocks over the flattened window
`ResidualMLPSettings`  settings of `ResidualMLP`
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.build_budget import MachineBudget
from rlpriors.networks.base import DenoiserNetwork, DenoiserSettings, check_at_least, zero_init
from rlpriors.networks.embeddings import TimeEmbedding, check_time_features

__all__ = ["ResidualMLP", "ResidualMLPSettings", "build_mlp"]


def build_mlp(
    in_dim: int, hidden: Sequence[int], out_dim: int, activation: Callable[[], nn.Module] = nn.SiLU
) -> nn.Sequential:
    """Build linear layers with activations between them and none at the end.

    `hidden` holds the width of each hidden layer; () builds a single linear layer.

    Example:
        >>> from rlpriors.networks.mlp import build_mlp
        >>> reward = build_mlp(2, (64, 64), 1)
        >>> sum(p.numel() for p in reward.parameters())  # 2*64+64 + 64*64+64 + 64+1
        4417

    Raises:
        ValueError: a size is below 1, or the layers need more than the machine's memory.
    """
    check_at_least(
        1, in_dim=in_dim, out_dim=out_dim, **{f"hidden[{i}]": size for i, size in enumerate(hidden)}
    )
    sizes = [in_dim, *hidden]
    layers: list[nn.Module] = []
    with MachineBudget(in_dim=in_dim, hidden=tuple(hidden), out_dim=out_dim):
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), activation()]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], out_dim))


@dataclass(frozen=True)
class ResidualMLPSettings(DenoiserSettings):
    """Layer sizes of a `ResidualMLP`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    width: int = 256
    """Width of each hidden layer, at least 1."""
    blocks: int = 4
    """Number of residual blocks, each of two layers, at least 1."""
    time_features: int = 32
    """Number of sines and cosines that encode the diffusion timestep; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, width=self.width, blocks=self.blocks)
        check_time_features(self.time_features)


class ResidualMLP(DenoiserNetwork):
    """Denoiser that reads the whole window as one vector.

    Its cost does not grow with timesteps times width, so that it is the cheapest denoiser for short
    windows.  Its number of parameters grows with the horizon, and it has no built-in structure over
    time.

    Example:
        >>> import torch
        >>> from rlpriors.networks.mlp import ResidualMLP, ResidualMLPSettings
        >>> network = ResidualMLP(ResidualMLPSettings(horizon=32, dim=6))
        >>> network(torch.randn(5, 32, 6), torch.zeros(5, dtype=torch.long)).shape
        torch.Size([5, 32, 6])
        >>> sum(p.numel() for p in network.parameters())
        662496
    """

    settings_type = ResidualMLPSettings
    settings: ResidualMLPSettings

    def __init__(self, settings: ResidualMLPSettings) -> None:
        """Build an untrained network."""
        super().__init__(settings)
        flat, width, features = settings.horizon * settings.dim, settings.width, settings.time_features
        self.time = TimeEmbedding(features, features)
        self.enter = nn.Linear(flat, width)
        self.blocks = nn.ModuleList(_Block(width, features) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = zero_init(nn.Linear(width, flat))

    def forward(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict from windows `x` at diffusion timesteps `t`, one per row."""
        self.check_input(x, t)
        time = self.time(t)
        h = self.enter(rearrange(x, "b h d -> b (h d)"))
        for block in self.blocks:
            h = block(h, time)
        out: Tensor = self.leave(self.norm(h))
        return rearrange(out, "b (h d) -> b h d", h=self.settings.horizon)


class _Block(nn.Module):
    def __init__(self, width: int, time_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.time = nn.Linear(time_width, width)
        self.second = nn.Linear(width, width)

    def forward(
        self, h: Float[Tensor, "batch width"], time: Float[Tensor, "batch time_width"]
    ) -> Float[Tensor, "batch width"]:
        hidden = nn.functional.silu(self.first(self.norm(h)) + self.time(time))
        update: Tensor = self.second(hidden)
        return h + update
