"""Stages of reward learning that a command runs one after the other.

`learn_prior`     prior of the data, trained and saved
`LearnedRewards`  learned reward, and further ones that show how much it depends on chance
`learn_rewards`   their training
`stored`          episodes that are recorded once for each run
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.prior_files import save_prior
from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.data.episodes import EpisodeStore
from rlpriors.encoders.record import EncoderRecord
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.normalized import standardized
from rlpriors.training.reward_learning.choices import (
    ObjectiveName,
    WindowChoice,
    choose_negatives,
)
from rlpriors.training.reward_learning.ends import prefer_ends
from rlpriors.training.reward_learning.stages import (
    RewardInputs,
    make_planner,
    make_reward,
    train_prior,
    train_reward,
)
from rlpriors.training.tracking.animation import Flipbook
from rlpriors.training.tracking.run_tracker import Trackers

__all__ = ["LearnedRewards", "learn_prior", "learn_rewards", "stored"]


class LearnedRewards(NamedTuple):
    """Learned reward, and further ones that show how much it depends on chance."""

    reward: RewardModel
    """Learned reward, by default in standard deviations over the data."""
    halves: tuple[RewardModel, ...]
    """Rewards of disjoint halves of the demonstrations; none for fewer than two demonstrations."""
    seeds: tuple[RewardModel, ...]
    """Rewards of the same demonstrations with another seed."""


def stored(run: Path, name: str, make: Callable[[], EpisodeStore]) -> EpisodeStore:
    """Return the episodes in `<run>/<name>.safetensors`, which `make` records if the file is missing."""
    path = run / f"{name}.safetensors"
    if not path.exists():
        make().save(path)
    return EpisodeStore.load(path)


def learn_prior(
    data: EpisodeStore,
    window: WindowChoice,
    *,
    absorbing: bool = False,
    obs_keys: Sequence[str] | None = None,
    folder: Path,
    n_updates: int,
    checkpoint_every: int,
    seed: int,
    resume: bool,
    tracker: Trackers = "tensorboard",
    device: str | torch.device = "auto",
    obs_encoder: EncoderRecord | None = None,
    untrained: DiffuserPolicy | None = None,
) -> DiffuserPolicy:
    """Train a prior on data, save it to `<folder>/prior`, and return the policy that plans with it.

    Args:
        data: data of possible behavior, with its action space.
        window: horizon and stride of windows.
        absorbing: continuation of windows beyond a termination.
        obs_keys: leaves of Dict observations.
        folder: see `train_offline`.
        n_updates: see `train_offline`.
        checkpoint_every: see `train_offline`.
        resume: see `train_offline`.
        tracker: see `train_offline`.
        seed: seed of weights, batches and noise.
        device: device of the prior.
        obs_encoder: encoder whose features the observations contain.
        untrained: policy whose prior is trained, with windows as `window`; None for a new one of
            `make_planner`.

    Raises:
        ValueError: the data has no action space, no episode is as long as a window, or the windows of
            `untrained` are others.
    """
    if untrained is None:
        if data.action_space is None:
            raise ValueError(
                "`data` must record its action space. Received None; load it with `action_space=`."
            )
        layout = TrajectoryLayout.fit(data, window.horizon, window.stride, absorbing=absorbing)
        policy = make_planner(layout, data.action_space, obs_keys=obs_keys, device=device, seed=seed)
    else:
        policy, layout = untrained, untrained.layout
        received = layout.horizon, layout.stride, layout.absorbing
        if received != (window.horizon, window.stride, absorbing):
            raise ValueError(
                "`untrained` must have the horizon, the stride and the absorbing states of the run, "
                f"{(window.horizon, window.stride, absorbing)}. Received {received}."
            )
    policy.obs_encoder = obs_encoder
    train_prior(
        policy,
        data,
        folder=folder,
        n_updates=n_updates,
        checkpoint_every=checkpoint_every,
        seed=seed,
        resume=resume,
        tracker=tracker,
    )
    save_prior(policy, folder / "prior")
    return policy


def learn_rewards(
    policy: DiffuserPolicy,
    demonstrations: EpisodeStore,
    data: EpisodeStore,
    *,
    reference: EpisodeStore | None = None,
    objective: ObjectiveName = "contrastive",
    inputs: RewardInputs = "observation",
    obs_index: Sequence[int] | None = None,
    folder: Path,
    n_updates: int,
    agreement_updates: int,
    checkpoint_every: int,
    seed: int,
    resume: bool,
    tracker: Trackers = "tensorboard",
    pictures: Callable[[RewardModel], Mapping[str, Flipbook]] | None = None,
    untrained: RewardModel | None = None,
    standardize: bool = True,
) -> LearnedRewards:
    """Learn a reward, and with `agreement_updates` three further ones with fewer updates.

    The losses of the further rewards go to csv files in the folder: the tracker's page shows one reward.
    By default rewards are standardized over the data: divided by their standard deviation, and shifted.  The
    mean is 0 where no episode terminates, and the highest value of a demonstrated step is at most 0 where all
    demonstrations do (`prefer_ends`).

    Args:
        policy: policy with the trained prior.
        demonstrations: demonstrations of the training.
        data: data of the prior.
        reference: negatives; None for those of `choose_negatives`.
        objective: objective, with the settings of `objective_settings`.
        inputs: inputs of the reward.
        obs_index: entries of the observation that it reads; None for all.
        folder: see `train_offline`.
        checkpoint_every: see `train_offline`.
        resume: see `train_offline`.
        tracker: see `train_offline`.
        n_updates: number of updates of the reward.
        agreement_updates: number of updates of each further reward; 0 for none.
        seed: seed of weights, batches, noise and halves.
        pictures: function that returns pictures of the reward over its training, by their tags.
        untrained: reward that is trained, of the same inputs as the further ones; None for a new one of
            `make_reward`.
        standardize: standardize the rewards; False returns them in the scale of their loss.
    """
    keys = None if policy.layout.obs_layout is None else policy.layout.obs_layout.keys
    learned = partial(
        _learn_one,
        policy,
        data,
        reference=reference,
        objective=objective,
        inputs=inputs,
        obs_index=obs_index,
        obs_keys=keys,
        folder=folder,
        checkpoint_every=checkpoint_every,
        resume=resume,
        standardize=standardize,
    )
    halves: tuple[RewardModel, ...] = ()
    seeds: tuple[RewardModel, ...] = ()
    if agreement_updates:
        seeds = (learned(demonstrations, "agreement-seed", agreement_updates, seed + 1),)
        if demonstrations.n_episodes >= 2:
            order = np.random.default_rng(seed).permutation(demonstrations.n_episodes)
            halves = tuple(
                learned(
                    demonstrations.subset(np.sort(half)),
                    f"agreement-half-{name}",
                    agreement_updates,
                    seed + 2,
                )
                for name, half in zip("ab", np.array_split(order, 2), strict=True)
            )
    # The last one: the policy plans with it afterwards.
    reward = learned(
        demonstrations, "reward", n_updates, seed, tracker=tracker, pictures=pictures, untrained=untrained
    )
    return LearnedRewards(reward, halves, seeds)


def _learn_one(
    policy: DiffuserPolicy,
    data: EpisodeStore,
    demonstrations: EpisodeStore,
    name: str,
    n_updates: int,
    seed: int,
    *,
    reference: EpisodeStore | None,
    objective: ObjectiveName,
    inputs: RewardInputs,
    obs_index: Sequence[int] | None,
    obs_keys: Sequence[str] | None,
    folder: Path,
    checkpoint_every: int,
    resume: bool,
    standardize: bool,
    tracker: Trackers = "csv",
    pictures: Callable[[RewardModel], Mapping[str, Flipbook]] | None = None,
    untrained: RewardModel | None = None,
) -> RewardModel:
    chosen = choose_negatives(objective, demonstrations, data, seed=seed) if reference is None else reference
    if untrained is None:
        untrained = make_reward(policy.layout, inputs, obs_index=obs_index, obs_keys=obs_keys, seed=seed)
    reward = train_reward(
        policy,
        untrained,
        demonstrations,
        data,
        reference=chosen,
        objective=objective,
        folder=folder,
        name=name,
        n_updates=n_updates,
        checkpoint_every=checkpoint_every,
        seed=seed,
        resume=resume,
        tracker=tracker,
        pictures=pictures,
    )
    if not standardize:
        return reward
    if policy.layout.absorbing:
        return prefer_ends(standardized(reward, data, shift=False), demonstrations)
    return standardized(reward, data)
