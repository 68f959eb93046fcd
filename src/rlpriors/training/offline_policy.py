"""Training of a policy on recorded transitions, without an environment.

`train_offline_policy`  policy from an `EpisodeStore` and its rewards, saved and resumable
"""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy

from rlpriors.agents.offline.factory import make_offline_algorithm
from rlpriors.agents.offline.settings import OfflineSettings
from rlpriors.agents.online.policy_files import save_policy
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.training.offline import train_offline
from rlpriors.training.tracking.run_tracker import Trackers

__all__ = ["train_offline_policy"]


def train_offline_policy(
    data: EpisodeStore,
    settings: OfflineSettings | None = None,
    *,
    folder: Path,
    n_updates: int = 10_000,
    batch_size: int = 256,
    checkpoint_every: int | None = None,
    action_space: gym.Space[Any] | None = None,
    device: str | torch.device = "auto",
    seed: int = 0,
    resume: bool = False,
    tracker: Trackers = "tensorboard",
) -> Policy:
    """Train a policy on the transitions and rewards of `data`, save it to `<folder>/policy`, and return it.

    Rewards of a model come from `data.relabel(reward)`.  `load_policy` loads the saved policy, for an
    environment whose observations are the vectors of the data.

    Args:
        data: transitions with their rewards.
        settings: algorithm and its settings; IQL by default.
        folder: folder of the run.
        n_updates: number of updates, a multiple of `checkpoint_every`.
        batch_size: number of transitions in an update.
        checkpoint_every: number of updates between checkpoints; None for one at the end.
        action_space: action space of the environment; by default the one that the data record.
        device: device of the networks.
        seed: random seed of the initial weights, batches and noise.
        resume: continue from the checkpoint in the folder, if there is one.
        tracker: destination of the losses; see `train_offline`.

    Raises:
        ValueError: the data have images or no known action space, or do not fit the settings.
        CheckpointError: the checkpoint is damaged, or of other settings, data or rewards.

    Example:
        >>> from tempfile import mkdtemp
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), np.ones(8), *np.zeros((2, 8)))
        >>> data = EpisodeStore.from_episodes([walk], action_space=gym.spaces.Box(-1, 1, (1,)))
        >>> arguments = {"folder": Path(mkdtemp()), "n_updates": 2, "device": "cpu"}
        >>> type(train_offline_policy(data, **arguments)).__name__
        'ProbabilisticActorPolicy'
    """
    chosen = OfflineSettings() if settings is None else settings
    space = data.action_space if action_space is None else action_space
    if space is None:
        raise ValueError(
            "`action_space` must be known. Received data that record none; give the environment's action "
            "space, or load the data with it."
        )
    if data.obs.ndim != 2:
        raise ValueError(
            f"`data` must have vectors for observations. Received shape {data.obs.shape[1:]}; encode images "
            "by `encode_dataset` first."
        )
    algorithm = make_offline_algorithm(
        gym.spaces.Box(-np.inf, np.inf, data.obs.shape[1:], np.float32),
        space,
        chosen,
        obs_normalizer=Normalizer.gaussian(data.obs) if chosen.normalize_observations else None,
        device=device,
        seed=seed,
    )
    train_offline(
        algorithm,
        to_buffer(data),
        folder=folder,
        name="policy",
        n_updates=n_updates,
        batch_size=batch_size,
        epoch_updates=checkpoint_every or n_updates,
        resume=resume,
        tracker=tracker,
        group="update",
    )
    policy: Policy = algorithm.policy.eval()
    discrete = isinstance(space, gym.spaces.Discrete)
    save_policy(policy, chosen.policy_settings(discrete=discrete), folder / "policy")
    return policy
