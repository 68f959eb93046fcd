"""Fixtures that train in seconds: random walks, and their prior without training."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import ReplayBuffer
from tianshou.trainer import OfflineTrainerParams
from torch import Tensor, nn

from rlpriors.agents import (
    CosineSchedule,
    DiffuserPolicy,
    DiffusionIRL,
    TrajectoryDiffusion,
    TrajectoryLayout,
)
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings


class GaussianPrior(nn.Module):
    """Optimal denoiser of jointly normal windows, such as random walks."""

    def __init__(self, x: Tensor, process: DiffusionProcess) -> None:
        super().__init__()
        flat = x.flatten(1)
        self.process = process
        self.mean, self.covariance = nn.Parameter(flat.mean(0)), nn.Parameter(flat.T.cov())

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        abar = self.process.schedule.at(t)
        noisy = abar * self.covariance + (1 - abar) * torch.eye(len(self.mean))
        off = x.flatten(1)[..., None] - abar.sqrt() * self.mean[:, None]
        gained = abar.sqrt() * self.covariance @ torch.linalg.solve(noisy, off)
        return (self.mean + gained[..., 0]).reshape(x.shape)


@pytest.fixture
def walks() -> Callable[..., EpisodeStore]:
    """Points that move by 0.1 times their action, from starts around `center`."""

    def make(
        n: int = 20, steps: int = 20, *, dim: int = 2, drift: float = 0.0, center: float = 0.0, seed: int = 0
    ) -> EpisodeStore:
        rng = np.random.default_rng(seed)
        episodes = []
        for _ in range(n):
            act = np.clip(drift + 0.5 * rng.standard_normal((steps, dim)), -1, 1)
            start = center + 0.5 * rng.standard_normal((1, dim))
            end = np.arange(steps) == steps - 1
            obs = np.concatenate([start, start + 0.1 * act.cumsum(0)])
            episodes.append(Episode(obs, act, np.zeros(steps), np.zeros(steps, bool), end))
        return EpisodeStore.from_episodes(episodes)

    return make


@pytest.fixture
def make_policy() -> Callable[..., DiffuserPolicy]:
    """A tiny policy whose layout fits the data, with equal weights each time."""

    def make(data: EpisodeStore, *, denoiser: nn.Module | None = None, **overrides: Any) -> DiffuserPolicy:
        layout = TrajectoryLayout.fit(data, horizon=8, stride=overrides.pop("stride", 1))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if denoiser is None:
                denoiser = build_denoiser("mlp", horizon=8, dim=layout.dim, width=32, blocks=1)
                nn.init.normal_(denoiser.leave.weight, std=0.1)  # an untrained one plans only zeros
        defaults = {
            "process": DiffusionProcess(NoiseSchedule(10)),
            "action_space": gym.spaces.Box(-1, 1, (layout.act.dim,)),
            "planner": PlannerSettings(n_candidates=2, n_steps=2),
            "device": "cpu",
        }
        return DiffuserPolicy(denoiser=denoiser, layout=layout, **(defaults | overrides))

    return make


@pytest.fixture
def gaussian_policy(make_policy) -> Callable[..., DiffuserPolicy]:
    """A policy with the optimal prior of its data, without training."""

    def make(data: EpisodeStore, **overrides: Any) -> DiffuserPolicy:
        policy = make_policy(data, process=DiffusionProcess(NoiseSchedule(50)), **overrides)
        x = policy.layout.pack(data.windows(data.window_starts(8), 8))
        policy.denoiser = GaussianPrior(x, policy.process)
        return policy

    return make


@pytest.fixture
def make_algorithm(make_policy) -> Callable[..., WindowAlgorithm]:
    """Either algorithm on a fresh policy; equal arguments give equal weights."""

    def make(
        kind: type[WindowAlgorithm], data: EpisodeStore, *, lr: float = 1e-3, hidden=(16,), **overrides: Any
    ) -> WindowAlgorithm:
        device = overrides.pop("device", "cpu")
        policy = overrides.pop("policy", None) or make_policy(data, device=device)
        schedule = CosineSchedule(overrides.pop("n_updates", 100), warm_up=2)
        optim = AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(schedule)
        if kind is TrajectoryDiffusion:
            return TrajectoryDiffusion(policy=policy, optim=optim, **overrides)
        layout = policy.layout
        settings = RewardSettings(layout.obs_dim, layout.act.dim, hidden=hidden)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            reward = overrides.pop("reward", None) or MLPReward(settings, layout.obs)
        return DiffusionIRL(policy=policy, reward=reward, optim=optim, **overrides)

    return make


@pytest.fixture
def train() -> Callable[..., None]:
    """Run a number of updates with Tianshou's trainer."""

    def run(
        algorithm: WindowAlgorithm,
        data: EpisodeStore | ReplayBuffer,
        updates: int,
        batch_size: int = 8,
        **params: Any,
    ) -> None:
        buffer = to_buffer(data) if isinstance(data, EpisodeStore) else data
        algorithm.run_training(
            OfflineTrainerParams(
                buffer=buffer,
                batch_size=batch_size,
                max_epochs=1,
                epoch_num_steps=updates,
                verbose=False,
                show_progress=False,
                **params,
            )
        )

    return run
