"""Command `rlpriors train-policy`: a policy that is trained from scratch on a saved reward.

`train_policy`      the command
`make_changed_env`  an environment with changes

Imitation evaluates similarity to the demonstrations.  A reward describes their goal: a policy that is trained
on it must reach this goal without demonstrations, also from other starts, around a new wall, or with another
mass.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv

from rlpriors.agents.online.factory import make_algorithm
from rlpriors.agents.online.policy_files import save_policy
from rlpriors.agents.online.settings import AlgorithmName, AlgorithmSettings
from rlpriors.device import resolve_device
from rlpriors.envs.make import make_env
from rlpriors.envs.maze.perturbations import FixedStartsAndGoals, PerturbedDynamics, add_walls
from rlpriors.rewards import NormalizedReward, load_reward
from rlpriors.rewards.layout_record import select_keys
from rlpriors.scripts.train_policy.settings import TrainPolicySettings
from rlpriors.training.online import train_online
from rlpriors.training.rollout import evaluate_returns
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_page import log_overview, log_results
from rlpriors.wrappers.flat_observation import FlatObservation
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

__all__ = ["make_changed_env", "train_policy"]

Cells = Sequence[tuple[int, int]]


def train_policy(settings: TrainPolicySettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Train a policy from scratch on a saved reward, and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/policy-<env>-<algorithm>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.

    Raises:
        ValueError: a setting or the reward does not fit the environment.
        CheckpointError: the reward's folder or the checkpoint is missing or damaged.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    reward = load_reward(settings.reward, device)
    normalized = NormalizedReward(reward) if settings.normalize else None
    make = partial(make_changed_env, settings.env, reward.obs_keys, **settings.change_arguments())
    sample = make()
    select_keys(reward, sample.env.observation_space)  # raises if it would guess the order of leaves
    name = _algorithm_name(settings.algorithm, sample.action_space)
    algorithm_settings = AlgorithmSettings(name, hidden=settings.hidden, lr=settings.lr, gamma=settings.gamma)
    online = settings.online_settings(on_policy=name == "ppo")
    default_folder = Path("runs") / f"policy-{settings.env_name}-{name}-seed{settings.seed}"
    spaces = sample.observation_space, sample.action_space
    net_seed, train_seed, eval_seed = (
        int(s) for s in np.random.SeedSequence(settings.seed).generate_state(3)
    )
    algorithm = make_algorithm(*spaces, algorithm_settings, device=device, seed=net_seed)
    sample.close()
    # One set of environments for everything: MuJoCo frees little memory.
    envs = DummyVectorEnv([make] * settings.n_envs)
    try:
        rewarded = TianshouLearnedReward(envs, reward, device=device)  # raises if the reward does not fit
        run = create_or_resume_run(folder or default_folder, settings, resume=resume)
        log_overview(run, settings, ("policy",))
        source = f"the {type(reward).__name__} of {settings.reward}"
        source += ", divided by its running standard deviation" if settings.normalize else ""
        say = Console(highlight=False, soft_wrap=True).print
        say(f"{name} in {settings.env}, on {'its own reward' if settings.use_env_reward else source}.")
        before = _evaluate(algorithm.policy, rewarded, settings.n_episodes, eval_seed)
        if normalized is not None:
            normalized.updating = True  # in training only; evaluation is by the reward itself
        training_reward = reward if normalized is None else normalized
        result = train_online(
            algorithm,
            envs,
            reward=None if settings.use_env_reward else training_reward,
            folder=run,
            settings=online,
            seed=train_seed,
            resume=resume,
        )
        save_policy(algorithm.policy, algorithm_settings, run / "policy")
        if normalized is not None:
            normalized.updating = False
            normalized.save(run / "reward")
        after = _evaluate(algorithm.policy, rewarded, settings.n_episodes, eval_seed)
    finally:
        envs.close()
    results = {
        "env": settings.env,
        "algorithm": name,
        "seed": settings.seed,
        "env_steps": result.env_steps,
        "seconds": round(result.seconds, 1),
        "episodes": settings.n_episodes,
        "untrained": before,
        "trained": after,
    }
    write_json(run / "results.json", results)
    log_results(run, settings, results)
    _report(results, run)
    return run


def make_changed_env(
    env_id: str,
    obs_keys: Sequence[str] | None,
    *,
    arguments: dict[str, Any],
    blocked_cells: Cells = (),
    mass: float = 1.0,
    gravity: float = 1.0,
    start_cells: Cells = (),
    goal_cells: Cells = (),
) -> FlatObservation:
    """Return the environment with changes, and with the leaves `obs_keys` as one vector for observations.

    Args:
        env_id: id of the environment.
        obs_keys: leaves of Dict observations; None for all.
        arguments: arguments of `gym.make`.
        blocked_cells: cells of a maze that become walls.
        mass: factor on the mass of every body.
        gravity: factor on gravity.
        start_cells: start cells of episodes in a maze.
        goal_cells: goal cells of a maze.

    Raises:
        ValueError: there is no such environment, or a change does not apply to it.
    """
    env = make_env(env_id, **arguments)
    if blocked_cells:
        maze = getattr(env.unwrapped, "maze", None)
        if not hasattr(maze, "maze_map"):
            raise ValueError(
                f"`blocked_cells` are for mazes of gymnasium-robotics. Received them for {env_id}; leave "
                "them out."
            )
        maze_map = add_walls(getattr(maze, "maze_map"), blocked_cells)  # noqa: B009 (its class is unknown)
        env.close()
        env = make_env(env_id, **{**arguments, "maze_map": maze_map})
    if mass != 1 or gravity != 1:
        env = PerturbedDynamics(env, mass, gravity)
    if start_cells or goal_cells:
        env = FixedStartsAndGoals(env, start_cells, goal_cells)
    return FlatObservation(env, obs_keys)


def _algorithm_name(name: AlgorithmName | Literal["auto"], action_space: gym.Space[Any]) -> AlgorithmName:
    if name != "auto":
        return name
    return "dqn" if isinstance(action_space, gym.spaces.Discrete) else "sac"


def _evaluate(policy: Policy, envs: TianshouLearnedReward, n_episodes: int, seed: int) -> dict[str, float]:
    episodes = evaluate_returns(policy, envs, n_episodes, seed=seed)
    true, learned, length = np.array(episodes, np.float64).T
    return {
        "true_return": float(true.mean()),
        "true_return_error": float(true.std() / np.sqrt(len(true))),
        "learned_return": float(learned.mean()),
        "learned_return_error": float(learned.std() / np.sqrt(len(true))),
        "steps": float(length.mean()),
    }


def _report(results: dict[str, Any], run: Path) -> None:
    table = Table(title=f"{results['episodes']} episodes, mean and standard error")
    for column in ("policy", "true return", "learned return", "steps of an episode"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for name in ("untrained", "trained"):
        row = results[name]
        cells = [f"{row[k]:.2f} ± {row[f'{k}_error']:.2f}" for k in ("true_return", "learned_return")]
        table.add_row(name, *cells, f"{row['steps']:.0f}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"{results['env_steps']} steps in {results['seconds']:.0f} s. The policy: {run / 'policy'}")
    console.print(f"The curves: tensorboard --logdir {run}", markup=False)
