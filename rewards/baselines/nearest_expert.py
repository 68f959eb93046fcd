"""Reward from the distance to the nearest demonstrated step.

`NearestExpertReward`    minus the distance, or its exponential
`NearestExpertSettings`  settings of `NearestExpertReward`
`nearest_rows`           nearest of many stored rows, in chunks of bounded memory
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.networks.base import check_at_least
from rlpriors.rewards.base import lists_to_tuples
from rlpriors.rewards.baselines.features import (
    FeatureSettings,
    data_features,
    data_normalizer,
    settings_of_data,
)
from rlpriors.rewards.mlp import MLPReward, RewardInput
from rlpriors.rewards.validation import check_positive

__all__ = ["DistanceForm", "NearestExpertReward", "NearestExpertSettings", "nearest_rows"]

DistanceForm = Literal["distance", "exp"]

CHUNK = 2**22
"""Distances that are computed at once, 16 MiB."""


@dataclass(frozen=True)
class NearestExpertSettings(FeatureSettings):
    """Inputs, form and size of a `NearestExpertReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    n_rows: int = 1
    """Number of stored demonstrated steps, at least 1."""

    form: DistanceForm = "distance"
    """Reward as a function of the distance d: "distance" is -d, which favors short episodes; "exp" is
    exp(-beta d), between 0 and 1, which favors long ones."""

    beta: float = 5.0
    """Factor of the distance in the form "exp", above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, n_rows=self.n_rows)
        check_positive(beta=self.beta)


class NearestExpertReward(MLPReward):
    """Reward -d or exp(-beta d) of the distance d to the nearest demonstrated step.

    It is the minimum-distance reward of Dong et al. (arXiv 2506.06793).  d is Euclidean in normalized units,
    divided by the square root of the number of entries, so that `beta` does not depend on it.  Optimal
    transport rewards are squashed by the same exponential (PWIL, arXiv 2006.04678; OTR, arXiv 2303.13971).

    The order of the demonstrated steps has no influence, so that a rest at any of them is rewarded equally.

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.array([[-1.0], [1.0], [0.0]]), np.zeros((2, 1)), *np.zeros((3, 2)))
        >>> reward = NearestExpertReward.fit(EpisodeStore.from_episodes([walk]), device="cpu")
        >>> reward.score([[1.0], [4.0]], [[0.0]] * 2, [[0.0]] * 2)  # stored: -1 and 1
        array([-0., -3.], dtype=float32)
    """

    settings: NearestExpertSettings
    rows: Tensor

    def __init__(self, settings: NearestExpertSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__(settings, normalizer)
        self.net = nn.Sequential()  # nothing is learned
        device = self.obs_normalizer.loc.device
        self.register_buffer("rows", torch.zeros(settings.n_rows, self.feature_dim, device=device))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "NearestExpertReward":
        return cls(NearestExpertSettings(**lists_to_tuples(settings)))

    @classmethod
    def fit(
        cls,
        demonstrations: EpisodeStore,
        reference: EpisodeStore | None = None,
        *,
        inputs: tuple[RewardInput, ...] = ("obs",),
        obs_index: tuple[int, ...] | None = None,
        n_actions: int | None = None,
        form: DistanceForm = "distance",
        beta: float = 5.0,
        max_rows: int = 10_000,
        seed: int = 0,
        device: str | torch.device = "auto",
    ) -> "NearestExpertReward":
        """Store the demonstrated steps, in units of their standard deviations.

        Args:
            demonstrations: episodes of the expert, in raw units.
            reference: further episodes whose spread also counts for the units, in equal shares.
            inputs: parts of a transition that the reward reads.
            obs_index: indices of the observation entries that it reads; None for all.
            n_actions: size of a Discrete action space that the data do not record.
            form: reward as a function of the distance.
            beta: factor of the distance in the form "exp".
            max_rows: largest number of stored steps; more are subsampled without replacement.
            seed: random seed of the subsample.
            device: device of the reward.

        Raises:
            ValueError: an argument is out of bounds, or the data disagree.
        """
        check_at_least(1, max_rows=max_rows)
        sizes = settings_of_data(demonstrations, reference, n_actions)
        n_rows = min(max_rows, demonstrations.n_steps)
        settings = NearestExpertSettings(
            **sizes, inputs=inputs, obs_index=obs_index, n_rows=n_rows, form=form, beta=beta
        )
        stores = [demonstrations] if reference is None else [demonstrations, reference]
        reward = cls(settings, data_normalizer(settings, *stores))
        for store in stores:
            reward.record_layout(store.obs_layout, "the data")
        chosen = np.random.default_rng(seed).permutation(demonstrations.n_steps)[:n_rows]
        reward.rows.copy_(data_features(reward, demonstrations)[np.sort(chosen)])
        return reward.to(resolve_device(device)).eval()

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return the rewards of what `features` returned."""
        flat = features.reshape(-1, self.feature_dim)
        nearest = self.rows[nearest_rows(flat, self.rows)]
        # Computed again from the difference: the chunked search rounds, and has no second derivative.
        distance = torch.linalg.vector_norm(flat - nearest, dim=-1) / self.feature_dim**0.5
        rewards = -distance if self.settings.form == "distance" else torch.exp(-self.settings.beta * distance)
        return rewards.reshape(features.shape[:-1])


@torch.no_grad()
def nearest_rows(x: Float[Tensor, "n dim"], rows: Float[Tensor, "rows dim"]) -> Int[Tensor, " n"]:
    """Return the index of the row with the smallest Euclidean distance to each `x`.

    Example:
        >>> nearest_rows(torch.tensor([[0.9], [-7.0]]), torch.tensor([[0.0], [1.0]]))
        tensor([1, 0])
    """
    size = max(1, CHUNK // len(rows))
    parts = [torch.cdist(part, rows).argmin(1) for part in x.split(size)]
    return torch.cat(parts)
