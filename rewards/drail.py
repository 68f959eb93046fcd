"""Reward model of diffusion-reward adversarial imitation.

`DRAILReward`    discriminator that compares a denoiser's errors under two conditions
`DRAILSettings`  settings of `DRAILReward`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion.schedule import NoiseSchedule
from rlpriors.networks.base import check_at_least
from rlpriors.networks.embeddings import check_time_features, sinusoidal_embedding
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import lists_to_tuples
from rlpriors.rewards.discriminators import Discriminator
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings

__all__ = ["DRAILReward", "DRAILSettings"]


@dataclass(frozen=True)
class DRAILSettings(RewardSettings):
    """Inputs and size of a `DRAILReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    inputs: tuple[RewardInput, ...] = ("obs", "act")
    """Inputs that are noised and denoised."""

    num_train_timesteps: int = 50
    """Number of noise levels of the diffusion, at least 2."""

    n_draws: int = 4
    """Number of noise levels that a reward averages over, at least 1; the cost is proportional to it."""

    time_features: int = 8
    """Number of sines and cosines that encode the noise level; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(2, num_train_timesteps=self.num_train_timesteps)
        check_at_least(1, n_draws=self.n_draws)
        check_time_features(self.time_features)
        if self.spectral_norm:
            raise ValueError(
                "`spectral_norm` must be False for a denoiser. Received True; use a gradient penalty."
            )


class DRAILReward(MLPReward, Discriminator):
    """Discriminator of diffusion-reward adversarial imitation (DRAIL, arXiv 2405.16194, eq. 5-8).

    One denoiser predicts noise under a condition c: "demonstrated" (+) or "from the agent" (-).
    With L(c) = |noise - prediction(x_t, t, c)|^2, D = sigmoid(L(-) - L(+)), and the reward is its
    logit.  Training draws a noise level and noise for each step.  Scoring averages over `n_draws`
    levels with noise that is drawn once and saved, so that equal steps receive equal rewards.

    The noised inputs should be of size 1: pass a normalizer.

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
        return cls(DRAILSettings(**lists_to_tuples(settings)))

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
        """Return the logit at one noise level drawn for each step; without a generator, that of `forward`."""
        if generator is None:
            return self.from_features(points)
        shape, device = points.shape, points.device
        t = torch.randint(self.settings.num_train_timesteps, shape[:1], generator=generator, device=device)
        return self._difference(points, t, torch.randn(shape, generator=generator, device=device))

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return the mean logit over the fixed noise for what `features` returned."""
        flat = features.reshape(-1, self.feature_dim)
        n, n_draws = len(flat), self.settings.n_draws
        t, noise = self.times.repeat(n), self.noise.repeat(n, 1)
        differences = self._difference(flat.repeat_interleave(n_draws, 0), t, noise)
        return differences.reshape(*features.shape[:-1], n_draws).mean(-1)

    def _difference(
        self, x: Float[Tensor, "n dim"], t: Int[Tensor, " n"], noise: Float[Tensor, "n dim"]
    ) -> Float[Tensor, " n"]:
        """Return L(-) - L(+) of each row at its noise level."""
        abar = self.schedule.alphas_cumprod[t, None]
        x_t = abar.sqrt() * x + (1 - abar).sqrt() * noise
        inputs = torch.cat([x_t, sinusoidal_embedding(t, self.settings.time_features).to(x.dtype)], -1)
        conditions = torch.eye(2, dtype=x.dtype, device=x.device)[:, None].expand(2, len(x), 2)
        predicted = self.net(torch.cat([inputs.expand(2, -1, -1), conditions], -1))  # both in one pass
        errors: Tensor = (noise - predicted).square().sum(-1)
        return errors[0] - errors[1]
