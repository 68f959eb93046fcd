"""Rewards from preferences in one call, without a folder.

`preference_reward`       untrained reward in the units of the data
`learn_from_preferences`  learned reward, in standard units
"""

from math import prod

import torch
from tianshou.algorithm.optim import OptimizerFactory, TorchOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from rlpriors.agents.lr_schedules import CosineSchedule
from rlpriors.agents.preferences.graded import GradedEpisodes
from rlpriors.agents.preferences.preference_learning import PreferenceLearning
from rlpriors.agents.preferences.settings import PreferenceSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.baselines.features import data_normalizer, settings_of_data
from rlpriors.rewards.ensemble import EnsembleReward
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings
from rlpriors.rewards.normalized import standardized
from rlpriors.rewards.pixels import PixelReward, PixelRewardSettings, pixel_high

__all__ = [
    "default_optimizer",
    "learn_from_preferences",
    "preference_reward",
]

N_UPDATES = 1000
"""Largest number of updates."""
BATCH_SIZE = 40
"""Number of pairs in an update, that of arXiv 2402.03681."""


def preference_reward(
    data: EpisodeStore,
    *,
    n_members: int = 3,
    inputs: tuple[RewardInput, ...] = ("obs",),
    obs_index: tuple[int, ...] | None = None,
    n_actions: int | None = None,
    hidden: tuple[int, ...] = (64, 64),
    k: float = 0.0,
    seed: int = 0,
) -> RewardModel:
    """Return an untrained ensemble of rewards, or a single one for `n_members` 1.

    Rewards of images are `PixelReward`s, which read the image alone.

    Args:
        data: episodes whose mean and standard deviation become the units of the reward.
        n_members: number of rewards with different initial weights.
        inputs: parts of a transition that the reward reads.
        obs_index: indices of the observation entries that it reads; None for all.
        n_actions: size of a Discrete action space that the data do not record.
        hidden: widths of the hidden layers.
        k: number of standard deviations over the members that are subtracted from their mean.
        seed: random seed of the initial weights.

    Raises:
        ValueError: an argument is out of bounds, or the data have images that are smaller than 36 pixels or
            neither uint8 nor floats in [0, 1].

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(9.0)[:, None], np.zeros((8, 1)), *np.zeros((3, 8)))
        >>> len(preference_reward(EpisodeStore.from_episodes([walk])).members)
        3
    """
    if n_members < 1:
        raise ValueError(f"`n_members` must be at least 1. Received {n_members}.")
    make = _image_reward if data.obs.ndim > 2 else _vector_reward
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        members = [make(data, inputs, obs_index, n_actions, hidden) for _ in range(n_members)]
    reward: RewardModel = members[0] if n_members == 1 else EnsembleReward(members, k)
    reward.record_layout(data.obs_layout, "the data")
    return reward


def _vector_reward(
    data: EpisodeStore,
    inputs: tuple[RewardInput, ...],
    obs_index: tuple[int, ...] | None,
    n_actions: int | None,
    hidden: tuple[int, ...],
) -> RewardModel:
    sizes = settings_of_data(data, None, n_actions)
    settings = RewardSettings(**sizes, inputs=inputs, obs_index=obs_index, hidden=hidden)
    return MLPReward(settings, data_normalizer(settings, data))


def _image_reward(
    data: EpisodeStore,
    inputs: tuple[RewardInput, ...],
    obs_index: tuple[int, ...] | None,
    n_actions: int | None,
    hidden: tuple[int, ...],
) -> RewardModel:
    if inputs != ("obs",) or obs_index is not None:
        raise ValueError(
            f'`inputs` must be ("obs",) and `obs_index` None for images of shape {data.obs.shape[1:]}. '
            f"Received {inputs} and {obs_index}; encode the images to combine them with other inputs."
        )
    layout = data.obs_layout
    return PixelReward(
        PixelRewardSettings(
            data.obs.shape[1:],
            pixel_high(data.obs),
            act_dim=prod(data.act.shape[1:]),
            hidden=hidden,
            obs_keys=None if layout is None else layout.keys,
        )
    )


def default_optimizer(n_updates: int) -> OptimizerFactory:
    """Return the optimizer of preference learning: AdamW with half a cosine."""
    optim = TorchOptimizerFactory(torch.optim.AdamW, lr=1e-3, weight_decay=1e-2)
    return optim.with_lr_scheduler_factory(CosineSchedule(n_updates, final=0.1))


def learn_from_preferences(
    data: EpisodeStore,
    preferences: PreferenceSet,
    *,
    reward: RewardModel | None = None,
    settings: PreferenceSettings | None = None,
    graded: GradedEpisodes | None = None,
    n_updates: int = N_UPDATES,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> RewardModel:
    """Return a reward learned from labeled pairs of segments, with mean 0 and deviation 1 on the data.

    `train_offline` runs the same training with a progress bar, logs and checkpoints:
    `rlpriors.training.reward_learning.train_preference_reward`.

    Args:
        data: episodes that the segments are part of.
        preferences: labeled pairs.
        reward: reward to train; `preference_reward(data)` by default.
        settings: settings of the training.
        graded: episodes of graded quality.
        n_updates: largest number of updates.
        batch_size: number of pairs in an update.
        device: device of the training.
        seed: random seed of the initial weights, of batches and of the held-out pairs.

    Raises:
        ValueError: the pairs are of other data, or an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> from rlpriors.preferences import OracleLabeler, collect_preferences, uniform_pairs
        >>> walk = Episode(np.arange(33.0)[:, None], np.zeros((32, 1)), np.arange(32.0), *np.zeros((2, 32)))
        >>> data = EpisodeStore.from_episodes([walk, walk])
        >>> pairs = uniform_pairs(data, 40, length=4, seed=0)
        >>> preferences = collect_preferences(OracleLabeler(), data, pairs, 4, "walk far")
        >>> reward = learn_from_preferences(data, preferences, n_updates=100, device="cpu")
        >>> near, far = reward.score([[1.0], [30.0]], [[0.0]] * 2, [[0.0]] * 2)
        >>> bool(far > near)
        True
    """
    algorithm = PreferenceLearning(
        reward=preference_reward(data, seed=seed) if reward is None else reward,
        data=data,
        preferences=preferences,
        optim=default_optimizer(n_updates),
        settings=settings,
        graded=graded,
        device=device,
        seed=seed,
    )
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=algorithm.buffer,
            batch_size=batch_size,
            max_epochs=1,
            epoch_num_steps=n_updates,
            show_progress=False,
            verbose=False,
        )
    )
    return standardized(algorithm.reward, data)
