"""Corridor of seven cells with the Discrete actions left, stay and right, its data and demonstrations."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.data import Batch
from torch import Tensor, nn

from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings

LAST, STEPS = 6, 12


class Corridor(gym.Env[np.ndarray, Any]):
    """Walk in a corridor; with `ends`, both ends terminate the episode, else walls keep the walker inside."""

    observation_space = gym.spaces.Box(0, LAST, (1,), np.float32)

    def __init__(self, start: int = 0, ends: bool = False) -> None:
        self.action_space, self.ends = gym.spaces.Discrete(3, start=start), ends

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.cell, self.time = int((options or {}).get("cell", self.np_random.integers(1, LAST))), 0
        return np.array([self.cell], np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.cell = int(np.clip(self.cell + action - self.action_space.start - 1, 0, LAST))
        self.time += 1
        terminated = self.ends and self.cell in (0, LAST)
        truncated = not terminated and self.time == STEPS
        return np.array([self.cell], np.float32), float(self.cell == LAST), terminated, truncated, {}


def rollouts(env: Corridor, n: int, policy: str, seed: int = 0) -> EpisodeStore:
    """Record a walker that repeats random actions ("random"), or goes right and stays ("right")."""
    rng, start, episodes = np.random.default_rng(seed), int(env.action_space.start), []
    for number in range(n):
        obs, _ = env.reset(options={"cell": 1 + number % (LAST - 1)})
        rows, steps, done, action = [obs], [], False, 0
        while not done:
            if policy == "right":
                action = start + (2 if env.cell < LAST else 1)
            elif not steps or rng.random() < 0.4:
                action = start + int(rng.integers(3))
            obs, reward, terminated, truncated, _ = env.step(action)
            rows.append(obs)
            steps.append((action, reward, terminated, truncated))
            done = terminated or truncated
        episodes.append(Episode(np.array(rows), *map(np.array, zip(*steps, strict=True))))
    return EpisodeStore.from_episodes(episodes, action_space=env.action_space)


class EmpiricalPrior(nn.Module):
    """Optimal denoiser of windows that are drawn from a finite set, given their first state."""

    def __init__(self, windows: Tensor, process: DiffusionProcess, state_dim: int) -> None:
        super().__init__()
        self.windows, self.process, self.state_dim = nn.Parameter(windows), process, state_dim

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        abar = self.process.schedule.at(t)
        off = (x[:, None] - abar.sqrt()[:, None] * self.windows).square()
        off[..., 0, : self.state_dim] = 0
        start = (x[:, None, 0, : self.state_dim] - self.windows[:, 0, : self.state_dim]).square().sum(-1)
        logits = -off.sum((2, 3)) / (2 * (1 - abar[:, 0])) - 1e3 * start
        return torch.einsum("bn,nhd->bhd", logits.softmax(1), self.windows)


def corridor_policy(data: EpisodeStore, horizon: int = 6, **layout: Any) -> DiffuserPolicy:
    """Create a policy whose prior is optimal for windows of `data`, without training."""
    fitted = TrajectoryLayout.fit(data, horizon, **layout)
    starts = data.window_starts(horizon, absorbing=fitted.absorbing)
    process = DiffusionProcess(NoiseSchedule(30))
    return DiffuserPolicy(
        denoiser=EmpiricalPrior(fitted.pack(data.windows(starts, horizon)), process, fitted.state_dim),
        process=process,
        layout=fitted,
        action_space=data.action_space,
        planner=PlannerSettings(n_candidates=4, n_steps=4),
        device="cpu",
    )


def last_cell(policy: Any, env: Corridor, cell: int) -> int:
    """Return the last cell of an episode from `cell`."""
    obs, _ = env.reset(options={"cell": cell})
    state, done = None, False
    while not done:
        out = policy(Batch(obs=obs[None], info={}), state)
        state = out.state
        obs, _, terminated, truncated, _ = env.step(out.act[0])
        done = terminated or truncated
    return env.cell
