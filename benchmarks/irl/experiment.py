"""Shared parts of all methods of one environment and seed.

`Experiment`    data, demonstrations, trained prior, and untrained rewards and policies
`MethodResult`  policy, reward and training metrics of a method
`train`         offline training for a number of updates
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OfflineAlgorithm, Policy
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from benchmarks.irl.environments.base import IRLEnvironment, Metrics
from benchmarks.irl.policies import PolicyBudget, make_agent
from rlpriors.agents import (
    CosineSchedule,
    DiffuserPolicy,
    TrajectoryDiffusion,
    TrajectoryLayout,
)
from rlpriors.agents.diffusion.prior_files import save_prior
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.training.offline import train_offline
from rlpriors.types import RewardFn

__all__ = ["Experiment", "MethodResult", "Reference", "train"]

Reference = Literal["data", "random", "early"]
"""Data that demonstrations are compared with: of the prior, of random play, or of an agent's first steps."""


@dataclass
class MethodResult:
    """Policy, reward and training metrics of a method; a method may lack a policy or a reward."""

    policy: Policy | None = None
    reward: RewardFn | None = None
    metrics: Metrics = field(default_factory=dict)


class Experiment:
    """Environment and seed with data, demonstrations, reference data and prior.

    Each part is made when a method first needs it, stored in `folder`, and loaded from there afterwards.  The
    prior is also saved to `<folder>/prior`, for `load_prior`.

    Args:
        environment: environment.
        seed: seed of the data and of the training.
        n_demonstrations: number of demonstrations that methods receive.
        folder: folder of the data and of the prior.
        knobs: settings of the method that a search chose; a method has defaults for those that are missing.
    """

    def __init__(
        self,
        environment: IRLEnvironment,
        seed: int,
        n_demonstrations: int,
        folder: Path,
        knobs: Mapping[str, Any] | None = None,
    ) -> None:
        self.environment, self.seed, self.folder = environment, seed, folder
        self.n_demonstrations = n_demonstrations
        self.knobs = dict(knobs or {})
        self.data, demonstrations = self._load_data()
        first = np.arange(min(n_demonstrations, demonstrations.n_episodes))
        self.demonstrations = demonstrations.subset(first)

    def _load_data(self) -> tuple[EpisodeStore, EpisodeStore]:
        files = [self.folder / f"{name}.safetensors" for name in ("data", "demonstrations")]
        if not all(file.exists() for file in files):
            self.folder.mkdir(parents=True, exist_ok=True)
            for store, file in zip(self.environment.data(self.seed, 0), files, strict=True):
                store.save(file)
        data, demonstrations = (EpisodeStore.load(file) for file in files)
        return data, demonstrations

    def reference(self, kind: Reference) -> EpisodeStore:
        """Return data that demonstrations are compared with.

        Raises:
            ValueError: the environment has no early data.
        """
        if kind == "data":
            return self.data
        file = self.folder / f"reference-{kind}.safetensors"
        if not file.exists():
            environment, seed = self.environment, 50_000 + self.seed
            store = environment.random_data(seed) if kind == "random" else environment.early_data(seed)
            if store is None:
                raise ValueError(
                    "`--methods` with early data need an environment that has them. Received "
                    f'"{environment.name}".'
                )
            replace(
                store, obs_layout=self.data.obs_layout, action_space=self.demonstrations.action_space
            ).save(file)
        return EpisodeStore.load(file)

    @cached_property
    def layout(self) -> TrajectoryLayout:
        """Layout and normalizer of the windows of the prior's data.

        Where episodes end by termination, windows continue with absorbing states.
        """
        environment = self.environment
        return TrajectoryLayout.fit(
            self.data, environment.horizon, environment.stride, absorbing=self.terminates
        )

    @property
    def terminates(self) -> bool:
        """True if an episode of the demonstrations or of the prior's data ends by termination."""
        return bool(self.demonstrations.terminated.any() or self.data.terminated.any())

    @property
    def normalizer(self) -> Normalizer:
        """Normalizer of one step of the prior's data, or of its observation if actions are Discrete."""
        if self.n_actions is not None:
            return Normalizer.limits(self.data.obs)
        return self.layout.normalizer

    @property
    def n_actions(self) -> int | None:
        space = self.environment.spaces[1]
        return int(space.n) if isinstance(space, gym.spaces.Discrete) else None

    def planner(self, trained: bool = True, horizon: int | None = None) -> DiffuserPolicy:
        """Return a new planning policy with the trained prior; it executes the best of 16 plans.

        Without `trained` the prior is random, for methods that draw no samples where no plans are evaluated.
        `horizon` is the length of its windows; by default, and for a trained prior, that of the environment.
        """
        policy = self._untrained_planner(horizon)
        if not trained:
            return policy
        policy.denoiser.load_state_dict(self._prior)
        policy.denoiser.requires_grad_(False)
        return policy

    def _untrained_planner(self, horizon: int | None = None) -> DiffuserPolicy:
        environment, layout = self.environment, self.layout
        if horizon is not None:
            layout = TrajectoryLayout.fit(self.data, horizon, environment.stride, absorbing=layout.absorbing)
        torch.manual_seed(self.seed)
        return DiffuserPolicy(
            denoiser=build_denoiser("mlp", horizon=layout.horizon, dim=layout.dim),
            process=DiffusionProcess(NoiseSchedule(50)),
            layout=layout,
            action_space=environment.spaces[1],
            planner=PlannerSettings(n_candidates=16, n_steps=8),
            execution_horizon=min(environment.execute, layout.horizon - 1),
            obs_keys=environment.obs_keys,
            device="cpu",
            seed=self.seed,
        )

    @cached_property
    def _prior(self) -> dict[str, torch.Tensor]:
        policy, updates = self._untrained_planner(), self.environment.budget.prior_updates
        optim = TorchOptimizerFactory(torch.optim.AdamW, lr=2e-3, weight_decay=1e-4)
        schedule = CosineSchedule(updates, warm_up=min(200, updates // 2))
        train_offline(
            TrajectoryDiffusion(
                policy=policy, optim=optim.with_lr_scheduler_factory(schedule), seed=self.seed
            ),
            to_buffer(self.data),
            folder=self.folder,
            name="prior",
            n_updates=updates,
            batch_size=128,
            epoch_updates=updates // 4,
            resume=True,
        )
        if not (self.folder / "prior").exists():
            save_prior(policy, self.folder / "prior")
        return {name: tensor.clone() for name, tensor in policy.denoiser.state_dict().items()}

    def reward_sizes(self) -> dict[str, Any]:
        """Return the input sizes and observation keys that every reward network shares."""
        return {
            "obs_dim": self.data.obs.shape[1],
            "act_dim": 1 if self.n_actions is not None else self.data.act.shape[1],
            "n_actions": self.n_actions,
            "obs_keys": self.environment.obs_keys,
        }

    def reward(self, seed: int = 0, **settings: Any) -> MLPReward:
        """Return an untrained reward; without `obs_index` it reads all entries of the observation."""
        torch.manual_seed(1000 * self.seed + seed)
        return MLPReward(RewardSettings(**self.reward_sizes(), **settings), self.normalizer)

    @property
    def policy_budget(self) -> PolicyBudget:
        """Budget of methods that act in the environment: that of a policy on a learned reward."""
        environment = self.environment
        return environment.policy_budget or PolicyBudget(env_steps=environment.budget.env_steps)

    def agent(self, **changes: Any) -> Any:
        """Return the untrained algorithm that is also trained on learned rewards, with changed settings."""
        settings = replace(self.policy_budget.algorithm, **changes)
        return make_agent(self.environment.spaces, settings, self.data, self.seed)


def train(algorithm: OfflineAlgorithm[Any], data: EpisodeStore, updates: int, batch_size: int) -> float:
    """Train for `updates` updates and return the seconds of one update."""
    start = time.monotonic()
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=to_buffer(data),
            batch_size=batch_size,
            max_epochs=1,
            epoch_num_steps=updates,
            show_progress=False,
            verbose=False,
        )
    )
    return (time.monotonic() - start) / updates
