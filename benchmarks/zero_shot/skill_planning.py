"""PPO over the skills of a zero-shot policy against PPO on actions, in a maze with a sparse reward.

    python -m benchmarks.zero_shot.skill_planning
    python -m benchmarks.zero_shot.run --report

The environment is OGBench's medium maze with one start.  The reward is 1 in each step within 1 of a goal,
and 0 elsewhere.  Both agents take the same number of environment steps.  The skills are those of the `hilp`
cell of the same seed (`benchmarks.zero_shot.run`), which has learned from data of the maze without rewards.
It is trained first if it is missing.

The csv has the task `sparse` and the methods `ppo` and `ppo-skills`, with the metrics `return` and `reached`:
the mean over the last fifth of the episodes, and the fraction of them that reach the goal.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from benchmarks.cells import write_cell
from benchmarks.tables import make_parser
from benchmarks.zero_shot.cells import Budget, Cell, train_in_folder, train_skills
from benchmarks.zero_shot.point_mazes import PointMazeWorld
from benchmarks.zero_shot.worlds import load_data
from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.data.normalize import Normalizer
from rlpriors.training.online import train_online
from rlpriors.training.online_settings import OnlineSettings
from rlpriors.types import SkillPolicy
from rlpriors.wrappers.tianshou import TianshouSkillAction

__all__ = ["METHODS", "SparseMaze", "run_planning"]

WORLD = "pointmaze-medium"
METHODS = ("ppo", "ppo-skills")
HORIZON = 5  # environment steps of a skill
N_ENVS = 8
START, GOAL = (1, 1), (4, 4)  # cells
PPO = AlgorithmSettings("ppo", hidden=(64, 64), lr=1e-3, gamma=0.99, entropy=0.01)


class SparseMaze(gym.Wrapper[np.ndarray, Any, np.ndarray, Any]):
    """World's maze with the reward 1 in each step within 1 of the goal, and 0 elsewhere.

    Example:
        >>> env = SparseMaze(PointMazeWorld("medium"))  # needs ogbench
    """

    def __init__(self, world: PointMazeWorld) -> None:
        super().__init__(world.make(world.xy_of(START)))
        self.goal, self.radius = world.xy_of(GOAL), world.radius

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        obs, _, terminated, truncated, info = self.env.step(action)
        return obs, float(np.linalg.norm(obs - self.goal) <= self.radius), terminated, truncated, info


def run_planning(method: str, seed: int, runs: Path, budget: Budget, env_steps: int) -> dict[str, float]:
    """Train one agent online, and return the mean over the last fifth of its episodes."""
    torch.set_num_threads(1)
    world = PointMazeWorld("medium")
    data = load_data(WORLD, runs, seed)
    repeats = HORIZON if method == "ppo-skills" else 1
    envs: BaseVectorEnv = DummyVectorEnv([partial(SparseMaze, world)] * N_ENVS)
    if method == "ppo-skills":
        envs = TianshouSkillAction(envs, _skills(seed, world, runs, budget), HORIZON)
    steps = world.layout.max_episode_steps // repeats  # decisions of an episode
    algorithm = make_algorithm(
        gym.spaces.Box(-np.inf, np.inf, (2,), np.float32),
        envs.action_space[0],
        replace(PPO, gamma=PPO.gamma**repeats, normalize_observations=True),
        obs_normalizer=Normalizer.gaussian(data.obs),
        device="cpu",
        seed=seed,
    )
    training = OnlineSettings(
        env_steps=env_steps // repeats,
        n_envs=N_ENVS,
        random_steps=0,
        collect_steps=N_ENVS * steps,
        batch_size=64,
        checkpoint_every=env_steps,
    )
    try:
        result = train_online(algorithm, envs, settings=training, seed=seed, progress=False)
    finally:
        envs.close()
    returns = np.array([episode.true_return for episode in result.episodes])
    last = returns[-max(1, len(returns) // 5) :]
    return {"return": float(last.mean()), "reached": float((last > 0).mean())}


def _skills(seed: int, world: PointMazeWorld, runs: Path, budget: Budget) -> SkillPolicy:
    """Return the policy of the benchmark's `hilp` cell, which is trained if it is missing."""
    cell = Cell(WORLD, "hilp", seed, budget)
    train: Callable[..., None] = partial(train_in_folder, folder=runs / Path(cell.file).stem)
    return train_skills(cell, world, load_data(WORLD, runs, seed), train)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    from benchmarks.zero_shot.run import RESULTS, RUNS, collect_results

    parser = make_parser(__doc__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="methods")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="random seeds")
    parser.add_argument("--env-steps", type=int, default=16_000, help="environment steps of an agent")
    parser.add_argument("--updates", type=int, default=Budget().updates, help="updates of the skills")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the finished cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the values")
    args = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    args.runs.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        for method in args.methods:
            path = args.runs / f"sparse-{method}-seed{seed}-{args.env_steps}.json"
            if path.exists():
                continue
            budget = Budget()._replace(updates=args.updates)
            values = run_planning(method, seed, args.runs, budget, args.env_steps)
            rows = [("sparse", metric, value) for metric, value in values.items()]
            content = {"env": WORLD, "features": method, "seed": seed, "values": rows}
            write_cell(path, content)
            print(f"{method} seed {seed}: {values}", flush=True)
    collect_results(args.runs, args.results)


if __name__ == "__main__":
    main()
