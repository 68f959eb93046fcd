"""Reward from the support of the demonstrations, by random expert distillation.

`SupportReward`    exponential of the error of a network that imitates a random one on demonstrations
`SupportSettings`  settings of `SupportReward`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.networks.base import check_at_least
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import lists_to_tuples
from rlpriors.rewards.baselines.features import data_features, data_normalizer, settings_of_data
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings
from rlpriors.rewards.validation import check_positive

__all__ = ["SupportReward", "SupportSettings"]

QUANTILE, REWARD_AT_QUANTILE = 0.9, 0.9
"""Fraction of the demonstrated steps that receive at least a reward, and this reward."""


@dataclass(frozen=True)
class SupportSettings(RewardSettings):
    """Inputs and size of a `SupportReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    inputs: tuple[RewardInput, ...] = ("obs", "act")
    """Inputs of both networks; the paper's are the observation and the action."""

    out_dim: int = 32
    """Number of outputs of both networks, at least 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, out_dim=self.out_dim)
        if self.spectral_norm:
            raise ValueError(
                "`spectral_norm` must be False, because the target's slope sets the reward's. Received True."
            )


class SupportReward(MLPReward):
    """Reward r = exp(-sigma |f(x) - target(x)|^2) of random expert distillation (RED, arXiv 1905.06750).

    `target` is a random network that stays fixed, and f is trained to equal it on the demonstrations.  The
    error is small on their support and grows outside.  The paper chooses sigma so that most demonstrated
    steps have a reward close to 1; here nine tenths of them have at least 0.9.

    Rewards are between 0 and 1, so that they favor long episodes.

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> x = np.linspace(-1, 1, 65)[:, None]
        >>> walk = EpisodeStore.from_episodes([Episode(x, np.zeros((64, 1)), *np.zeros((3, 64)))])
        >>> reward = SupportReward.fit(walk, n_updates=300, device="cpu")
        >>> inside, outside = reward.score([[0.0], [9.0]], [[0.0]] * 2, [[0.0]] * 2)
        >>> bool(inside > 0.9), bool(outside < 0.1)
        (True, True)
    """

    settings: SupportSettings
    sigma: Tensor

    def __init__(self, settings: SupportSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__(settings, normalizer)
        device = self.obs_normalizer.loc.device
        self.net = build_mlp(self.feature_dim, settings.hidden, settings.out_dim).to(device)
        self.target = build_mlp(self.feature_dim, settings.hidden, settings.out_dim).to(device)
        for layer in self.target:  # torch's default initialization is nearly linear in its inputs
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight, gain=2**0.5)
        self.target.requires_grad_(False)
        self.register_buffer("sigma", torch.ones((), device=device))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "SupportReward":
        return cls(SupportSettings(**lists_to_tuples(settings)))

    @classmethod
    def fit(
        cls,
        demonstrations: EpisodeStore,
        reference: EpisodeStore | None = None,
        *,
        inputs: tuple[RewardInput, ...] = ("obs", "act"),
        obs_index: tuple[int, ...] | None = None,
        n_actions: int | None = None,
        hidden: tuple[int, ...] = (64, 64),
        n_updates: int = 1000,
        batch_size: int = 256,
        lr: float = 1e-3,
        seed: int = 0,
        device: str | torch.device = "auto",
    ) -> "SupportReward":
        """Distill a random network on the demonstrations: about 2 s on a CPU.

        Args:
            demonstrations: episodes of the expert, in raw units.
            reference: further episodes whose spread also counts for the units, in equal shares.
            inputs: parts of a transition that the reward reads.
            obs_index: indices of the observation entries that it reads; None for all.
            n_actions: size of a Discrete action space that the data do not record.
            hidden: widths of the hidden layers of both networks.
            n_updates: number of updates of Adam.
            batch_size: demonstrated steps in an update.
            lr: learning rate, decreasing to 0 by half a cosine.
            seed: random seed of both networks and the batches.
            device: device of the training and the reward.

        Raises:
            ValueError: an argument is out of bounds, or the data disagree.
        """
        check_at_least(1, n_updates=n_updates, batch_size=batch_size)
        check_positive(lr=lr)
        sizes = settings_of_data(demonstrations, reference, n_actions)
        settings = SupportSettings(**sizes, inputs=inputs, obs_index=obs_index, hidden=hidden)
        stores = [demonstrations] if reference is None else [demonstrations, reference]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            reward = cls(settings, data_normalizer(settings, *stores))
        for store in stores:
            reward.record_layout(store.obs_layout, "the data")
        reward.to(resolve_device(device))
        rows = data_features(reward, demonstrations)
        reward._distill(rows, n_updates, batch_size, lr, torch.Generator().manual_seed(seed))
        return reward.eval()

    def errors(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return |f(x) - target(x)|^2 of what `features` returned."""
        error: Tensor = (self.net(features) - self.target(features)).square().sum(-1)
        return error

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return the rewards of what `features` returned."""
        return torch.exp(-self.sigma * self.errors(features))

    def _distill(
        self,
        rows: Float[Tensor, "n features"],
        n_updates: int,
        batch_size: int,
        lr: float,
        generator: torch.Generator,
    ) -> None:
        optim = torch.optim.Adam(self.net.parameters(), lr=lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optim, n_updates)
        for _ in range(n_updates):
            batch = rows[torch.randint(len(rows), (batch_size,), generator=generator).to(rows.device)]
            optim.zero_grad()
            self.errors(batch).mean().backward()
            optim.step()
            schedule.step()
        with torch.no_grad():
            large = self.errors(rows).double().quantile(QUANTILE).clamp(min=1e-12)
            self.sigma.copy_(-log(REWARD_AT_QUANTILE) / large)
