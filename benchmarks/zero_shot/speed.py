"""Seconds of the skill of a reward, and steps per second of acting, on one core.

    python -m benchmarks.zero_shot.speed

It prints the seconds of `infer_z` from 10,000 transitions, with rewards of the data and with those of a
reward network, and the number of actions per second for single observations.  CPU time is printed next to
wall time: other programs change only the second.
"""

import time
from collections.abc import Callable

import gymnasium as gym
import numpy as np
import torch
from tianshou.data import Batch

from benchmarks.tables import make_parser
from rlpriors.agents import SuccessorFeaturePolicy, ZeroShotSettings
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.rewards import MLPReward, RewardSettings

N_STEPS, OBS_DIM, ACT_DIM = 10_000, 20, 6


def make_data() -> EpisodeStore:
    """Return ten episodes of 1,000 steps, with rewards."""
    rng = np.random.default_rng(0)
    end = np.arange(1000) == 999
    episodes = (
        Episode(
            rng.normal(size=(1001, OBS_DIM)),
            rng.uniform(-1, 1, (1000, ACT_DIM)),
            rng.normal(size=1000),
            end & False,
            end,
        )
        for _ in range(N_STEPS // 1000)
    )
    return EpisodeStore.from_episodes(episodes)


def seconds(function: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the smallest CPU time and the smallest wall time of a call."""
    function()
    times = []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        function()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in times), min(wall for _, wall in times)


def main(arguments: list[str] | None = None) -> None:
    """Print the times."""
    make_parser(__doc__).parse_args(arguments)
    torch.set_num_threads(1)
    data = make_data()
    space = gym.spaces.Box(-1, 1, (ACT_DIM,))
    policy = SuccessorFeaturePolicy.fit(data, space, settings=ZeroShotSettings(), device="cpu")
    reward = MLPReward(RewardSettings(OBS_DIM, ACT_DIM))
    obs = Batch(obs=data.obs[:1], info={})
    cases: tuple[tuple[str, Callable[[], object]], ...] = (
        (f"infer_z from {N_STEPS:,} rewards of the data", lambda: policy.infer_z(data=data)),
        (f"infer_z from {N_STEPS:,} rewards of a network", lambda: policy.infer_z(reward=reward, data=data)),
    )
    for name, function in cases:
        cpu, wall = seconds(function, 10)
        print(f"{name}: {1000 * cpu:.0f} ms of CPU, {1000 * wall:.0f} ms")
    policy.reach(data.obs[0])
    cpu, wall = seconds(lambda: [policy(obs) for _ in range(100)], 10)
    print(f"acting toward a goal: {100 / cpu:,.0f} steps per CPU second, {100 / wall:,.0f} per second")
    policy.follow(policy.infer_z(data=data))
    cpu, wall = seconds(lambda: [policy(obs) for _ in range(100)], 10)
    print(f"acting by a skill: {100 / cpu:,.0f} steps per CPU second, {100 / wall:,.0f} per second")


if __name__ == "__main__":
    main()
