"""A learned reward put to its test: a policy that learns by it alone, from scratch.

Imitation asks whether behavior looks like the demonstrations.  A reward claims more: what they
were after.  So a policy that has never seen them must get there by the reward, also from other
starts, around a new wall, or with a heavier body.
"""

import json
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from math import ceil
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv

from rlpriors.agents.online.factory import AlgorithmName, AlgorithmSettings, make_algorithm, save_policy
from rlpriors.device import resolve_device
from rlpriors.envs.maze.perturbations import FixedStartsAndGoals, PerturbedDynamics, block
from rlpriors.rewards import NormalizedReward, RewardModel, load_reward
from rlpriors.scripts.train_policy.settings import TrainPolicySettings
from rlpriors.training.episode_statistics import FlatObservation, RecordEpisodeReturns
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.rollout import evaluate_policy
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

__all__ = ["make_world", "train_policy"]

ROLLOUT = 2048  # steps between the updates of an on-policy algorithm


def train_policy(settings: TrainPolicySettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Learn a policy from scratch on a saved reward, and return the run's folder.

    Args:
        settings: what is done.
        folder: where; `runs/policy-<env>-<algorithm>-seed<seed>` by default.
        resume: go on with the run that was stopped there.

    Raises:
        ValueError: a setting does not fit the environment, or the reward does not.
        CheckpointError: the reward's folder, or the state to resume from, is missing or damaged.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    reward = load_reward(settings.reward, device)
    normalized = NormalizedReward(reward) if settings.normalize else None
    world = partial(make_world, settings, reward.obs_keys)
    sample = world()
    algorithm = _algorithm(settings, sample)
    learner = AlgorithmSettings(algorithm, hidden=settings.hidden, lr=settings.lr, gamma=settings.gamma)
    online = _online(settings, on_policy=algorithm == "ppo")
    name = settings.env.rpartition(":")[2].replace("/", "-")
    usual = Path("runs") / f"policy-{name}-{algorithm}-seed{settings.seed}"
    spaces = sample.observation_space, sample.action_space
    net_seed, train_seed, eval_seed = (
        int(s) for s in np.random.SeedSequence(settings.seed).generate_state(3)
    )
    agent = make_algorithm(*spaces, learner, device=device, seed=net_seed)
    sample.close()
    # One set of environments for everything: MuJoCo gives little memory back.
    envs = DummyVectorEnv([world] * settings.n_envs)
    try:
        judged = TianshouLearnedReward(
            envs, reward, device=device
        )  # tells at once if the reward does not fit
        run = create_or_resume_run(folder or usual, settings, resume=resume)
        say = Console(highlight=False, soft_wrap=True).print
        say(f"{algorithm} in {settings.env}, by {_source(settings, reward)}.")
        before = _evaluate(agent.policy, judged, settings.episodes, eval_seed)
        if normalized is not None:
            normalized.updating = True  # by what the agent is paid; evaluation is by the reward itself
        paid = reward if normalized is None else normalized
        result = train_online(
            agent,
            envs,
            reward=None if settings.own_reward else paid,
            folder=run,
            settings=online,
            seed=train_seed,
            resume=resume,
        )
        save_policy(agent.policy, learner, run / "policy")
        if normalized is not None:
            normalized.updating = False
            normalized.save(run / "reward")
        after = _evaluate(agent.policy, judged, settings.episodes, eval_seed)
    finally:
        envs.close()
    results = {
        "env": settings.env,
        "algorithm": algorithm,
        "seed": settings.seed,
        "env_steps": result.env_steps,
        "seconds": round(result.seconds, 1),
        "episodes": settings.episodes,
        "untrained": before,
        "trained": after,
    }
    write_json(run / "results.json", results)
    _report(results, run)
    return run


def make_world(settings: TrainPolicySettings, obs_keys: tuple[str, ...] | None) -> gym.Env[Any, Any]:
    """The environment as told, with what is changed in it, and plain observations.

    Raises:
        ValueError: there is no such environment, or a change is none for it.
    """
    arguments = json.loads(settings.env_args)
    if settings.max_episode_steps is not None:
        arguments["max_episode_steps"] = settings.max_episode_steps
    env = _make(settings.env, arguments)
    if settings.blocked_cells:
        plan = getattr(env.unwrapped, "maze", None)
        if not hasattr(plan, "maze_map"):
            raise ValueError(
                f"`blocked_cells` are for mazes of gymnasium-robotics. Received them for {settings.env}; "
                "leave them out."
            )
        blocked = block(getattr(plan, "maze_map"), settings.blocked_cells)  # noqa: B009 (of unknown class)
        env.close()
        env = _make(settings.env, {**arguments, "maze_map": blocked})
    if settings.mass != 1 or settings.gravity != 1:
        env = PerturbedDynamics(env, settings.mass, settings.gravity)
    if settings.start_cells or settings.goal_cells:
        env = FixedStartsAndGoals(env, settings.start_cells, settings.goal_cells)
    return FlatObservation(env, obs_keys)


def _make(name: str, arguments: dict[str, Any]) -> gym.Env[Any, Any]:
    if ":" not in name and name not in gym.registry:
        try:
            with redirect_stderr(StringIO()):  # it prints news about other environments when imported
                import gymnasium_robotics

            gym.register_envs(gymnasium_robotics)
        except ImportError:
            pass
    try:
        return gym.make(name, **arguments)
    except (gym.error.UnregisteredEnv, ModuleNotFoundError) as error:
        raise ValueError(
            f"`env` must be the id of an installed environment. Received {name!r}: {error} Write "
            '"module:Id-v0" for one that a package registers when imported.'
        ) from error
    except TypeError as error:
        raise ValueError(f"{name} does not take these `env_args`, {arguments}: {error}") from error


def _algorithm(settings: TrainPolicySettings, env: gym.Env[Any, Any]) -> AlgorithmName:
    if settings.algorithm != "auto":
        return settings.algorithm
    return "dqn" if isinstance(env.action_space, gym.spaces.Discrete) else "sac"


def _online(settings: TrainPolicySettings, *, on_policy: bool) -> OnlineSettings:
    n = settings.n_envs
    between = n  # steps from one update to the next; a few environments must make several, to earn one
    if round(settings.update_per_step * n) < 1:
        between = n * ceil(1 / (settings.update_per_step * n))
    return OnlineSettings(
        env_steps=settings.env_steps,
        n_envs=n,
        random_steps=0 if on_policy else -(-settings.random_steps // n) * n,
        collect_steps=max(1, min(ROLLOUT, settings.env_steps) // n) * n if on_policy else between,
        update_per_step=1.0 if on_policy else settings.update_per_step,
        batch_size=settings.batch_size,
        reward_scale=settings.reward_scale,
        checkpoint_every=settings.checkpoint_every,
    )


def _evaluate(policy: Policy, envs: TianshouLearnedReward, episodes: int, seed: int) -> dict[str, float]:
    accounts = RecordEpisodeReturns(envs)
    evaluate_policy(policy, accounts, episodes, seed=seed)
    true, learned, length = np.array(accounts.finished, np.float64).T
    return {
        "true_return": float(true.mean()),
        "true_return_error": float(true.std() / np.sqrt(len(true))),
        "learned_return": float(learned.mean()),
        "learned_return_error": float(learned.std() / np.sqrt(len(true))),
        "steps": float(length.mean()),
    }


def _source(settings: TrainPolicySettings, reward: RewardModel) -> str:
    if settings.own_reward:
        return "its own reward"
    size = ", divided by its running standard deviation" if settings.normalize else ""
    return f"the {type(reward).__name__} of {settings.reward}{size}"


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
