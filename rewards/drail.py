"""The diffusion discriminator.

`DRAILReward`    tells demonstrations by which of two conditions makes a denoiser restore them better
`DRAILSettings`  what it reads and how large it is
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion.schedule import NoiseSchedule
from rlpriors.networks.embeddings import sinusoidal
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import with_tuples
from rlpriors.rewards.discriminators import Discriminator
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings

__all__ = ["DRAILReward", "DRAILSettings"]


@dataclass(frozen=True)
class DRAILSettings(RewardSettings):
    """What a `DRAILReward` reads and how large it is.

    Raises:
        ValueError: a field is out of its bounds.
    """

    inputs: tuple[RewardInput, ...] = ("obs", "act")
    """What of a transition is noised and restored."""

    num_train_timesteps: int = 50
    """Noise levels of the diffusion, at least 2."""

    n_draws: int = 4
    """Noise levels that a judgment averages over, at least 1; its cost grows with them."""

    time_features: int = 8
    """Sines and cosines that encode the noise level; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("num_train_timesteps", 2), ("n_draws", 1), ("time_features", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {getattr(self, name)}.")
        if self.time_features % 2:
            raise ValueError(f"`time_features` must be even. Received {self.time_features}.")
        if self.spectral_norm:
            raise ValueError("`spectral_norm` is not for a denoiser. Received True; use a gradient penalty.")


class DRAILReward(MLPReward, Discriminator):
    """The discriminator of diffusion-reward adversarial imitation (DRAIL, 2405.16194, eq. 5-8).

    One denoiser predicts noise under a condition c: "demonstrated" (+) or "the agent's" (-).
    With L(c) = |noise - prediction(x_t, t, c)|^2, D = sigmoid(L(-) - L(+)), and the reward is its
    logit.  Learning draws a noise level and noise for each step; judging averages over `n_draws`
    levels with noise that is drawn once and saved, so that equal steps get equal rewards.

    The noised numbers should be of the size of 1: give a normalizer.

    Example:
        >>> model = DRAILReward(DRAILSettings(obs_dim=2, act_dim=1))
        >>> end = torch.zeros(5, dtype=torch.bool)
        >>> model(torch.ones(5, 2), torch.zeros(5, 1), torch.ones(5, 2), end).shape
        torch.Size([5])
    """

    settings: DRAILSettings
    noise: Tensor
    times: Tensor

    def __init__(self, settings: DRAILSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__(settings, normalizer)
        dim, levels, device = self.feature_dim, settings.num_train_timesteps, self.obs_normalizer.loc.device
        # Two more inputs, one for each condition.
        self.net = build_mlp(dim + settings.time_features + 2, settings.hidden, dim).to(device)
        self.schedule = NoiseSchedule(levels).to(device)
        noise = torch.randn(settings.n_draws, dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("noise", noise.to(device))
        middles = (torch.arange(settings.n_draws) + 0.5) / settings.n_draws
        self.register_buffer("times", (middles * levels).long().to(device), persistent=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "DRAILReward":
        return cls(DRAILSettings(**with_tuples(settings)))

    def points(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, "batch points"]:
        return self.features(obs, act, obs_next)

    def logits(
        self,
        points: Float[Tensor, "batch points"],
        terminated: Bool[Tensor, " batch"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " batch"]:
        """The logit at one noise level drawn for each step; the judged ones without a generator."""
        if generator is None:
            return self.from_features(points)
        shape, device = points.shape, points.device
        t = torch.randint(self.settings.num_train_timesteps, shape[:1], generator=generator, device=device)
        return self._difference(points, t, torch.randn(shape, generator=generator, device=device))

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Judge what `features` gave: the mean logit over the fixed noise."""
        flat = features.reshape(-1, self.feature_dim)
        n, draws = len(flat), self.settings.n_draws
        t, noise = self.times.repeat(n), self.noise.repeat(n, 1)
        differences = self._difference(flat.repeat_interleave(draws, 0), t, noise)
        return differences.reshape(*features.shape[:-1], draws).mean(-1)

    def _difference(
        self, x: Float[Tensor, "n dim"], t: Int[Tensor, " n"], noise: Float[Tensor, "n dim"]
    ) -> Float[Tensor, " n"]:
        """L(-) - L(+) of each row at its noise level."""
        abar = self.schedule.alphas_cumprod[t, None]
        x_t = abar.sqrt() * x + (1 - abar).sqrt() * noise
        known = torch.cat([x_t, sinusoidal(t, self.settings.time_features).to(x.dtype)], -1)
        conditions = torch.eye(2, dtype=x.dtype, device=x.device)[:, None].expand(2, len(x), 2)
        predicted = self.net(torch.cat([known.expand(2, -1, -1), conditions], -1))  # both in one pass
        errors: Tensor = (noise - predicted).square().sum(-1)
        return errors[0] - errors[1]
