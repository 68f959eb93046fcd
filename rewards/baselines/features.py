"""Inputs and units of the baseline rewards, from recorded data.

`FeatureSettings`     settings of a reward without hidden layers
`settings_of_data`    sizes, actions and leaves of a data set, as fields of a reward's settings
`data_normalizer`     units in which one or two data sets have mean 0 and standard deviation 1
`data_features`       normalized inputs of a reward for each step of a data set
"""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import check_layouts
from rlpriors.rewards.mlp import MLPReward, RewardSettings

__all__ = ["FeatureSettings", "data_features", "data_normalizer", "settings_of_data"]

EPS = 1e-6
"""Standard deviation up to which an entry counts as constant: it is shifted to 0, and not scaled."""


@dataclass(frozen=True)
class FeatureSettings(RewardSettings):
    """Inputs of a reward without hidden layers.

    Raises:
        ValueError: a field is out of its bounds.
    """

    hidden: tuple[int, ...] = ()
    """Widths of the hidden layers; must be (), because the reward has none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden or self.spectral_norm:
            raise ValueError(
                "`hidden` must be () and `spectral_norm` False for a reward without trained layers. Received "
                f"{self.hidden} and {self.spectral_norm}; an `MLPReward` has layers."
            )


def settings_of_data(
    demonstrations: EpisodeStore, reference: EpisodeStore | None = None, n_actions: int | None = None
) -> dict[str, Any]:
    """Return `obs_dim`, `act_dim`, `n_actions`, `action_start` and `obs_keys` of a reward for these data.

    `n_actions` is needed for integer actions of an unknown space; a Discrete space of the data provides it.

    Raises:
        ValueError: observations or actions are no vectors, both data sets differ in sizes or leaves, or the
            number of Discrete actions is unknown or contradicts the data.
    """
    stores = {"demonstrations": demonstrations, "reference": reference}
    for name, store in stores.items():
        if store is None:
            continue
        if store.obs.ndim > 2 or store.act.ndim > 2:
            raise ValueError(
                f"`{name}` must have vectors as observations and actions. Received shapes "
                f"{store.obs.shape[1:]} and {store.act.shape[1:]}; encode images by an encoder first."
            )
        if (store.obs.shape[1:], store.act.shape[1:]) != (
            demonstrations.obs.shape[1:],
            demonstrations.act.shape[1:],
        ):
            raise ValueError(
                f"`{name}` must have the shapes of the demonstrations, {demonstrations.obs.shape[1:]} and "
                f"{demonstrations.act.shape[1:]}. Received {store.obs.shape[1:]} and {store.act.shape[1:]}; "
                "load both with the same `obs_keys`."
            )
    layout = demonstrations.obs_layout
    if reference is not None:
        layout = check_layouts("`demonstrations`", layout, "`reference`", reference.obs_layout)
    widths = [1 if array.ndim == 1 else array.shape[1] for array in (demonstrations.obs, demonstrations.act)]
    size, start = _discrete(demonstrations, n_actions)
    return {
        "obs_dim": widths[0],
        "act_dim": widths[1],
        "n_actions": size,
        "action_start": start,
        "obs_keys": None if layout is None else layout.keys,
    }


def data_normalizer(settings: RewardSettings, *stores: EpisodeStore) -> Normalizer:
    """Return the normalizer of the observations, and of Box actions, over equal shares of each store.

    Each entry gets mean 0 and standard deviation 1 under the distribution that draws a store with equal
    probability and then one of its steps.  Entries that are constant are only shifted to 0.
    """
    columns = []
    for store in stores:
        step = store.transitions()
        parts = [step.obs] if settings.n_actions is not None else [step.obs, step.act]
        columns.append(torch.cat([part.double() for part in parts], -1))
    means = torch.stack([part.mean(0) for part in columns])
    within = torch.stack([part.var(0, unbiased=False) for part in columns]).mean(0)
    std = (within + means.var(0, unbiased=False)).sqrt()
    return Normalizer(means.mean(0), torch.where(std > EPS, std, 1.0))


@torch.no_grad()
def data_features(reward: MLPReward, store: EpisodeStore) -> Float[Tensor, "steps features"]:
    """Return the normalized inputs of `reward` for each step of `store`, on the reward's device."""
    step = store.transitions()
    rows = [part.to(reward.device) for part in (step.obs, step.act, step.obs_next)]
    return reward.features(rows[0], rows[1], rows[2])


def _discrete(store: EpisodeStore, n_actions: int | None) -> tuple[int | None, int]:
    """Return size and lowest action of the Discrete space of integer actions; None and 0 for others."""
    space = store.action_space
    known, start = (int(space.n), int(space.start)) if isinstance(space, gym.spaces.Discrete) else (None, 0)
    if store.act.dtype.kind == "f" or store.act.ndim > 1:
        if n_actions is not None or known is not None:
            raise ValueError(
                f"`n_actions` must be None for actions of shape {store.act.shape[1:]} and type "
                f"{store.act.dtype}. Received {n_actions or known}; it is the size of a Discrete space, "
                "whose actions are integers."
            )
        return None, 0
    if n_actions is not None and known is not None and n_actions != known:
        raise ValueError(
            f"`n_actions` must be {known}, the size of the data's action space. Received {n_actions}."
        )
    size = known if n_actions is None else n_actions
    if size is None:
        raise ValueError(
            "`n_actions` must be given for integer actions of an unknown space. Received None; pass the size "
            "of the Discrete space, or record the data with their `action_space`."
        )
    low, high = int(store.act.min()), int(store.act.max())
    if low < start or high >= start + size:
        raise ValueError(
            f"`n_actions` must cover the actions of the data, from {start} on. Received {size} and actions "
            f"from {low} to {high}."
        )
    return size, start
