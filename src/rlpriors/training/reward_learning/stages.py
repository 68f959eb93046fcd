"""Trainings of the prior and of rewards, with the library's defaults, resumable.

`make_planner`   planning policy with an untrained prior
`train_prior`    training of its diffusion model of trajectories
`make_reward`    untrained reward of chosen inputs
`train_reward`   training of a reward by `DiffusionIRL`
`RewardInputs`   inputs of a reward: observations, or observations and actions
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory, TorchOptimizerFactory

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.trajectory_diffusion import TrajectoryDiffusion
from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.irl.diffusion_irl import DiffusionIRL
from rlpriors.agents.irl.order_accuracy import repeats
from rlpriors.agents.irl.reference import ReferenceLike
from rlpriors.agents.lr_schedules import CosineSchedule
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import ClippedReward, MLPReward, RewardModel, RewardSettings
from rlpriors.training.offline import train_offline
from rlpriors.training.reward_learning.choices import ObjectiveName, gait_noise, objective_settings
from rlpriors.training.tracking.animation import Flipbook
from rlpriors.training.tracking.run_tracker import Trackers

__all__ = ["RewardInputs", "make_planner", "make_reward", "train_prior", "train_reward"]

RewardInputs = Literal["observation", "observation-action"]
"""Inputs of a reward."""


def make_planner(
    layout: TrajectoryLayout,
    action_space: gym.Space[Any],
    *,
    obs_keys: Sequence[str] | None = None,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> DiffuserPolicy:
    """Return a planning policy with an untrained prior, which plans the best of 16 candidates in 8 steps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser = build_denoiser("mlp", horizon=layout.horizon, dim=layout.dim)
    return DiffuserPolicy(
        denoiser=denoiser,
        process=DiffusionProcess(NoiseSchedule(50)),
        layout=layout,
        action_space=action_space,
        planner=PlannerSettings(n_candidates=16, n_steps=8),
        execution_horizon=max(1, layout.horizon // 8),
        obs_keys=obs_keys,
        device=device,
        seed=seed,
    )


def train_prior(
    policy: DiffuserPolicy,
    data: EpisodeStore,
    *,
    folder: Path,
    n_updates: int,
    checkpoint_every: int,
    seed: int,
    resume: bool,
    name: str = "prior",
    tracker: Trackers = "tensorboard",
) -> None:
    """Train the policy's diffusion model of trajectories on windows of the data; see `train_offline`."""
    optim = TorchOptimizerFactory(torch.optim.AdamW, lr=2e-3, weight_decay=1e-4)
    schedule = CosineSchedule(n_updates, warm_up=min(200, n_updates // 2))
    train_offline(
        TrajectoryDiffusion(policy=policy, optim=optim.with_lr_scheduler_factory(schedule), seed=seed),
        to_buffer(data),
        folder=folder,
        name=name,
        n_updates=n_updates,
        batch_size=128,
        epoch_updates=checkpoint_every,
        resume=resume,
        tracker=tracker,
        group="prior",
    )


def make_reward(
    layout: TrajectoryLayout,
    inputs: RewardInputs,
    *,
    obs_index: Sequence[int] | None = None,
    obs_keys: Sequence[str] | None = None,
    seed: int = 0,
) -> MLPReward:
    """Return an untrained reward that reads observations, or observations and actions.

    `obs_index` selects entries of the observation.
    """
    discrete = layout.discrete_space
    with_act = inputs == "observation-action"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MLPReward(
            RewardSettings(
                obs_dim=layout.obs_dim,
                act_dim=layout.act_dim,
                inputs=("obs", "act") if with_act else ("obs",),
                obs_index=None if obs_index is None else tuple(obs_index),
                n_actions=int(discrete.n) if discrete is not None and with_act else None,
                action_start=int(discrete.start) if discrete is not None and with_act else 0,
                obs_keys=None if obs_keys is None else tuple(obs_keys),
            ),
            layout.normalizer,
        )


def train_reward(
    policy: DiffuserPolicy,
    reward: RewardModel,
    demonstrations: EpisodeStore,
    data: EpisodeStore,
    *,
    reference: ReferenceLike | None = None,
    objective: ObjectiveName = "contrastive",
    folder: Path,
    name: str,
    n_updates: int,
    checkpoint_every: int,
    seed: int,
    resume: bool,
    tracker: Trackers = "tensorboard",
    pictures: Callable[[RewardModel], Mapping[str, Flipbook]] | None = None,
) -> RewardModel:
    """Learn a reward by `DiffusionIRL`, and return the averaged one.

    With the density ratio, a reward of demonstrations that repeat movements reads observations within the
    range of the demonstrations and the negatives (`ClippedReward`): an agent would find states outside.

    Args:
        policy: policy with the trained prior; it plans with the reward afterwards.
        reward: untrained reward.
        demonstrations: demonstrations of the training.
        data: data of the prior.
        reference: negatives; None for the default of `DiffusionIRL`.
        objective: objective, with the settings of `objective_settings`.
        folder: see `train_offline`.
        name: see `train_offline`.
        n_updates: see `train_offline`.
        checkpoint_every: see `train_offline`.
        resume: see `train_offline`.
        tracker: see `train_offline`.
        seed: random seed of batches and noise.
        pictures: function of the averaged reward that returns pictures of it over the training, by their
            tags.
    """
    negatives = reference if isinstance(reference, EpisodeStore) else data
    is_gait = objective == "density-ratio" and repeats(demonstrations, policy.layout)
    noise = gait_noise(demonstrations, negatives, policy.layout) if is_gait else None
    irl_objective, irl_settings = objective_settings(objective, gait_noise=noise)
    irl = DiffusionIRL(
        policy=policy,
        reward=reward,
        optim=AdamOptimizerFactory(lr=1e-2).with_lr_scheduler_factory(CosineSchedule(n_updates, final=0.1)),
        objective=irl_objective,
        settings=irl_settings,
        prior_data=data,
        reference=reference,
        seed=seed,
    )
    learned = irl.reward
    assert isinstance(learned, RewardModel)
    train_offline(
        irl,
        to_buffer(demonstrations),
        folder=folder,
        name=name,
        n_updates=n_updates,
        batch_size=64,
        epoch_updates=checkpoint_every,
        resume=resume,
        tracker=tracker,
        group="reward",
        pictures={} if pictures is None else pictures(learned),
    )
    if not is_gait:
        return learned
    return ClippedReward.fit(learned, [demonstrations, negatives])
