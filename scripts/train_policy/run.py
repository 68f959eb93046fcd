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
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tianshou.env import DummyVectorEnv

from rlpriors.agents.online.settings import AlgorithmName, AlgorithmSettings
from rlpriors.data.readers.load import load_episodes
from rlpriors.device import resolve_device
from rlpriors.envs.encoded_env import EncodedEnvs
from rlpriors.envs.make import make_env
from rlpriors.envs.maze.perturbations import FixedStartsAndGoals, PerturbedDynamics, add_walls
from rlpriors.evaluation.rewards.verdict import verdict_line
from rlpriors.rewards import RewardModel, load_reward
from rlpriors.rewards.records.layout_record import select_keys
from rlpriors.scripts.origin import record_origin
from rlpriors.scripts.train_policy.offline import learn_offline
from rlpriors.scripts.train_policy.settings import TrainPolicySettings
from rlpriors.training.reward_learning.policy_stage import (
    DemonstrationSets,
    load_demonstrations,
    make_agent,
    train_on_reward,
)
from rlpriors.training.reward_learning.report import policy_lines, report_text, write_report
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.tracking.episode_film import open_film
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker
from rlpriors.wrappers.flat_observation import FlatObservation
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

__all__ = ["make_changed_env", "train_policy"]

Cells = Sequence[tuple[int, int]]

MAIN_RESULTS = ("trained.true_return", "trained.learned_return", "trained.steps", "untrained.true_return")
"""Numbers in TensorBoard's tab "HParams"."""


def train_policy(
    settings: TrainPolicySettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tracker: Sequence[Tracker] = ("tensorboard",),
    films: int = 4,
) -> Path:
    """Train a policy from scratch on a saved reward, and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/policy-<env>-<algorithm>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.
        films: number of filmed episodes of the policy over its training.

    Raises:
        ValueError: a setting or the reward does not fit the environment.
        CheckpointError: the reward's folder or the checkpoint is missing or damaged.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    if settings.offline:
        assert settings.data is not None
        algorithm_name = "iql" if settings.algorithm == "auto" else settings.algorithm
        net_seed, eval_seed = (int(s) for s in np.random.SeedSequence(settings.seed).generate_state(2))
        return learn_offline(
            settings.data,
            settings.reward,
            settings.obs_keys or None,
            partial(make_changed_env, settings.env, **settings.change_arguments()) if settings.env else None,
            settings.offline_settings(
                algorithm_name,
                hidden=settings.hidden,
                lr=settings.lr,
                gamma=settings.gamma,
                normalize_observations=settings.normalize_observations,
            ),
            record=settings,
            folder=folder
            or Path("runs") / f"policy-{settings.data_name}-{algorithm_name}-seed{settings.seed}",
            n_updates=settings.updates,
            batch_size=settings.batch_size,
            checkpoint_every=min(settings.checkpoint_every, settings.updates),
            n_episodes=settings.n_episodes,
            device=device,
            seeds=(net_seed, eval_seed),
            resume=resume,
            tracker=tracker,
        )
    assert settings.reward is not None  # checked by the settings
    reward = load_reward(settings.reward, device)
    pixels = settings.recorded_pixels([reward.obs_encoder], device)
    make = partial(
        make_changed_env, settings.env, reward.obs_keys, pixels=pixels, **settings.change_arguments()
    )
    # Before the others: MuJoCo chooses its renderer when it is imported.
    film = open_film(
        partial(make, arguments={"render_mode": "rgb_array", **settings.env_arguments()}),
        n_films=films,
        length=settings.env_steps,
        seed=settings.seed,
    )
    sample = make()
    select_keys(reward, sample.env.observation_space)  # raises if it would guess the order of leaves
    name = _algorithm_name(settings.algorithm, sample.action_space)
    algorithm_settings = AlgorithmSettings(name, hidden=settings.hidden, lr=settings.lr, gamma=settings.gamma)
    online = settings.online_settings(on_policy=name == "ppo")
    default_folder = Path("runs") / f"policy-{settings.env_name}-{name}-seed{settings.seed}"
    spaces = sample.observation_space, sample.action_space
    demonstrations = _load_demonstrations(settings.demos, settings.reward, reward, sample.env)
    net_seed, train_seed, eval_seed = (
        int(s) for s in np.random.SeedSequence(settings.seed).generate_state(3)
    )
    algorithm, algorithm_settings = make_agent(
        spaces,
        algorithm_settings,
        reward,
        normalize_observations=settings.normalize_observations,
        device=device,
        seed=net_seed,
    )
    sample.close()
    # One set of environments for everything: MuJoCo frees little memory.
    envs = DummyVectorEnv([make] * settings.n_envs)
    try:
        rewarded = TianshouLearnedReward(envs, reward, device=device)  # raises if the reward does not fit
        run = create_or_resume_run(folder or default_folder, settings, resume=resume)
        tracking = RunTracker(run, tracker)
        tracking.overview(settings, "train-policy")
        source = f"the {type(reward).__name__} of {settings.reward}"
        source += ", divided by its running standard deviation" if settings.normalize else ""
        say = Console(highlight=False, soft_wrap=True).print
        say(f"{name} in {settings.env}, on {'its own reward' if settings.use_env_reward else source}.")
        trained = train_on_reward(
            algorithm,
            rewarded,
            reward,
            algorithm_settings=algorithm_settings,
            settings=online,
            demonstrations=demonstrations,
            folder=run,
            seeds=(train_seed, eval_seed),
            n_episodes=settings.n_episodes,
            resume=resume,
            normalize=settings.normalize,
            use_env_reward=settings.use_env_reward,
            tracker=tracking,
            film=film,
        )
    finally:
        envs.close()
        if film is not None:
            film.close()
    results = {
        "env": settings.env,
        "algorithm": name,
        "seed": settings.seed,
        "env_steps": trained.result.env_steps,
        "seconds": round(trained.result.seconds, 1),
        "episodes": settings.n_episodes,
        "untrained": trained.untrained,
        "trained": trained.trained,
        **trained.numbers,
        **({"levels": {f.name: f.level for f in trained.findings}} if trained.findings else {}),
    }
    if trained.findings:
        usage = policy_lines(run / "policy", reward.obs_keys)
        text = report_text(f"Policy for {settings.env}", trained.findings, {}, usage, list(trained.figures))
        write_report(run, text, trained.figures, tracking)
    write_json(run / "results.json", results)
    if settings.normalize:
        models = {run / "reward": trained.trained}
        record_origin("train-policy", settings, models, env=settings.env, env_args=settings.env_arguments())
    tracking.results(settings, results, MAIN_RESULTS)
    tracking.close()
    _report(results, run)
    for finding in trained.findings:
        say(f"  {finding.level:9} {finding.name:14} {finding.value}", markup=False)
    if trained.findings:
        say(f"{verdict_line(trained.findings)[1]} The report: {run / 'report.md'}", markup=False)
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
    pixels: EncodedEnvs | None = None,
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
        pixels: encoder that replaces images by features; None for observations unchanged.

    Raises:
        ValueError: there is no such environment, or a change does not apply to it.
    """
    make = make_env if pixels is None else pixels.make_images
    env = make(env_id, **arguments)
    if blocked_cells:
        maze = getattr(env.unwrapped, "maze", None)
        if not hasattr(maze, "maze_map"):
            raise ValueError(
                f"`blocked_cells` are for mazes of gymnasium-robotics. Received them for {env_id}; leave "
                "them out."
            )
        maze_map = add_walls(getattr(maze, "maze_map"), blocked_cells)  # noqa: B009 (its class is unknown)
        env.close()
        env = make(env_id, **{**arguments, "maze_map": maze_map})
    if mass != 1 or gravity != 1:
        env = PerturbedDynamics(env, mass, gravity)
    if start_cells or goal_cells:
        env = FixedStartsAndGoals(env, start_cells, goal_cells)
    return FlatObservation(env, obs_keys) if pixels is None else pixels.wrap(env, obs_keys)


def _algorithm_name(name: str, action_space: gym.Space[Any]) -> AlgorithmName:
    if name != "auto":
        return cast(AlgorithmName, name)
    return "dqn" if isinstance(action_space, gym.spaces.Discrete) else "sac"


def _load_demonstrations(
    source: str | None, folder: Path, reward: RewardModel, env: gym.Env[Any, Any]
) -> DemonstrationSets | None:
    """Return the demonstrations of a source, or those that were recorded with the reward."""
    if source is None:
        return load_demonstrations(folder)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    try:
        return DemonstrationSets(load_episodes(source, reward.obs_keys, **spaces), None)
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(f"--demos: {error}".replace("`obs_keys`", "--obs-keys")) from error


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
