"""Networks without structure over time: the quickest on a CPU.

`build_mlp`            plain layers, for reward networks and other small functions
`ResidualMLP`          a denoiser that flattens the window and passes it through residual blocks
`ResidualMLPSettings`  its sizes
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import DenoiserNetwork, DenoiserSettings, at_least, multiple_of, zero_init
from rlpriors.networks.embeddings import TimeEmbedding

__all__ = ["ResidualMLP", "ResidualMLPSettings", "build_mlp"]


def build_mlp(
    in_dim: int, hidden: Sequence[int], out_dim: int, activation: Callable[[], nn.Module] = nn.SiLU
) -> nn.Sequential:
    """Linear layers with an activation between them and none at the end.

    `hidden` holds the width of each hidden layer; empty makes the whole a single linear layer.

    Example:
        >>> from rlpriors.networks.mlp import build_mlp
        >>> reward = build_mlp(2, (64, 64), 1)
        >>> sum(p.numel() for p in reward.parameters())  # 2*64+64 + 64*64+64 + 64+1
        4417

    Raises:
        ValueError: a size is below 1.
    """
    at_least(1, in_dim=in_dim, out_dim=out_dim, **{f"hidden[{i}]": size for i, size in enumerate(hidden)})
    sizes = [in_dim, *hidden]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], out_dim))


@dataclass(frozen=True)
class ResidualMLPSettings(DenoiserSettings):
    """Sizes of a `ResidualMLP`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    width: int = 256
    """Activations in each hidden layer, at least 1."""
    blocks: int = 4
    """Residual blocks of two layers each, at least 1."""
    time_features: int = 32
    """Sines and cosines that encode the diffusion step; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, width=self.width, blocks=self.blocks)
        at_least(2, time_features=self.time_features)
        multiple_of(2, "a sine and a cosine each", time_features=self.time_features)


class ResidualMLP(DenoiserNetwork):
    """A denoiser that sees the whole window at once as one long vector.

    Its cost does not grow with frames times width, which makes it the cheapest denoiser for short
    windows; its parameters do grow with the horizon, and it knows nothing about neighboring
    frames in advance.

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
        """Predict from windows `x` at diffusion steps `t`; one step for each row."""
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
