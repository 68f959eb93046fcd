"""Random trajectories and an untrained planner, for measurements of time.

`random_data`     episodes of random numbers in the shape of PointMaze's
`make_planner`    planning policy with an untrained denoiser and an untrained reward
`synchronize`     wait until all work on a device is done
"""

import gymnasium as gym
import numpy as np
import torch

from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings

__all__ = ["ACT_DIM", "OBS_DIM", "make_planner", "random_data", "synchronize"]

OBS_DIM, ACT_DIM = 4, 2


def random_data(n_episodes: int = 20, length: int = 200) -> EpisodeStore:
    """Return episodes of random numbers in [-1, 1]."""
    rng = np.random.default_rng(0)
    return EpisodeStore.from_episodes(
        Episode(
            rng.uniform(-1, 1, (length + 1, OBS_DIM)),
            rng.uniform(-1, 1, (length, ACT_DIM)),
            *np.zeros((3, length)),
        )
        for _ in range(n_episodes)
    )


def make_planner(
    data: EpisodeStore, denoiser: str, device: torch.device, n_steps: int = 16, n_candidates: int = 16
) -> DiffuserPolicy:
    """Return a policy that plans 32 time steps of four environment steps each."""
    torch.manual_seed(0)
    layout = TrajectoryLayout.fit(data, horizon=32, stride=4)
    return DiffuserPolicy(
        denoiser=build_denoiser(denoiser, horizon=32, dim=layout.dim),
        process=DiffusionProcess(NoiseSchedule(50)),
        layout=layout,
        action_space=gym.spaces.Box(-1, 1, (ACT_DIM,)),
        reward=MLPReward(RewardSettings(OBS_DIM, ACT_DIM), layout.normalizer),
        planner=PlannerSettings(n_candidates=n_candidates, n_steps=n_steps),
        device=device,
    )


def synchronize(device: torch.device) -> None:
    """Wait until all work on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
