"""Shared parts of all methods of one environment and seed.

`Experiment`    data, demonstrations, trained prior, and untrained rewards and policies
`MethodResult`  policy, reward and training metrics of a method
`train`         offline training for a number of updates
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OfflineAlgorithm, Policy
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from benchmarks.irl.environments.base import IRLEnvironment, Metrics
from rlpriors.agents import (
    AlgorithmSettings,
    CosineSchedule,
    DiffuserPolicy,
    TrajectoryDiffusion,
    TrajectoryLayout,
    make_algorithm,
)
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.training.offline import train_offline
from rlpriors.types import RewardFn

__all__ = ["Experiment", "MethodResult", "train"]


@dataclass
class MethodResult:
    """Policy, reward and training metrics of a method; a method may lack a policy or a reward."""

    policy: Policy | None = None
    reward: RewardFn | None = None
    metrics: Metrics = field(default_factory=dict)


class Experiment:
    """Environment and seed with data, demonstrations and trained prior.

    Data and prior are stored in `folder`, and loaded from there if they exist.
    """

    def __init__(
        self, environment: IRLEnvironment, seed: int, n_demonstrations: int, folder: Path, n_workers: int = 0
    ) -> None:
        self.environment, self.seed, self.folder = environment, seed, folder
        self.n_demonstrations = n_demonstrations
        self.data, demonstrations = self._load_data(n_workers)
        first = np.arange(min(n_demonstrations, demonstrations.n_episodes))
        self.demonstrations = demonstrations.subset(first)
        self.layout = TrajectoryLayout.fit(self.data, environment.horizon, environment.stride)
        self._prior = self._train_prior()

    def _load_data(self, n_workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        files = [self.folder / f"{name}.safetensors" for name in ("data", "demonstrations")]
        if not all(file.exists() for file in files):
            self.folder.mkdir(parents=True, exist_ok=True)
            for store, file in zip(self.environment.data(self.seed, n_workers), files, strict=True):
                store.save(file)
        data, demonstrations = (EpisodeStore.load(file) for file in files)
        return data, demonstrations

    def planner(self) -> DiffuserPolicy:
        """Return a new planning policy with the trained prior; it executes the best of 16 plans."""
        policy = self._untrained_planner()
        policy.denoiser.load_state_dict(self._prior)
        policy.denoiser.requires_grad_(False)
        return policy

    def _untrained_planner(self) -> DiffuserPolicy:
        environment = self.environment
        torch.manual_seed(self.seed)
        return DiffuserPolicy(
            denoiser=build_denoiser("mlp", horizon=environment.horizon, dim=self.layout.dim),
            process=DiffusionProcess(NoiseSchedule(50)),
            layout=self.layout,
            action_space=environment.spaces[1],
            planner=PlannerSettings(n_candidates=16, n_steps=8),
            execution_horizon=environment.execute,
            obs_keys=environment.obs_keys,
            device="cpu",
            seed=self.seed,
        )

    def _train_prior(self) -> dict[str, torch.Tensor]:
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
        return {name: tensor.clone() for name, tensor in policy.denoiser.state_dict().items()}

    def reward_sizes(self) -> dict[str, Any]:
        """Return the input sizes and observation keys that every reward network shares."""
        return {
            "obs_dim": self.layout.obs_dim,
            "act_dim": self.layout.act.dim,
            "obs_keys": self.environment.obs_keys,
        }

    def reward(self, seed: int = 0, **settings: Any) -> MLPReward:
        """Return an untrained reward; without `obs_index` it reads all entries of the observation."""
        torch.manual_seed(1000 * self.seed + seed)
        return MLPReward(RewardSettings(**self.reward_sizes(), **settings), self.layout.normalizer)

    def sac(self, seed: int = 0) -> Any:
        """Return SAC with the settings that all methods share."""
        settings = AlgorithmSettings("sac", lr=3e-3, gamma=0.97, tau=0.02)
        return make_algorithm(*self.environment.spaces, settings, seed=self.seed + seed)


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
