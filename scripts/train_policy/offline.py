"""Command `rlpriors train-policy --offline`: a policy from recorded data, without an environment.

`learn_offline`    run of the command
`load_labeled`     episodes with the rewards of a saved model, or their own
`evaluate_in_env`  returns of a trained policy
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from rlpriors.agents.offline.settings import OfflineSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.readers.load import load_episodes
from rlpriors.rewards import RewardModel, load_reward
from rlpriors.rewards.records.layout_record import select_keys
from rlpriors.training.offline_policy import train_offline_policy
from rlpriors.training.rollout import evaluate_returns
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker
from rlpriors.wrappers.flat_observation import FlatObservation
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

__all__ = ["LabeledData", "evaluate_in_env", "learn_offline", "load_labeled"]

MAX_EVAL_ENVS = 16
MAIN_RESULTS = ("trained.true_return", "trained.learned_return", "data.true_return")
"""Numbers in TensorBoard's tab "HParams"."""

MakeEnv = Callable[[Sequence[str] | None], FlatObservation]
"""Function from the leaves of Dict observations to an environment with vectors for observations."""


class LabeledData(NamedTuple):
    """Episodes of an offline training."""

    store: EpisodeStore
    """Episodes with the rewards of the training."""
    reward: RewardModel | None
    """Model of these rewards; None for the rewards of the data."""
    numbers: dict[str, float]
    """Mean returns and length of an episode of the data."""


def learn_offline(
    source: str,
    reward_folder: Path | None,
    obs_keys: Sequence[str] | None,
    make_env: MakeEnv | None,
    algorithm: OfflineSettings,
    *,
    record: Any,
    folder: Path,
    n_updates: int,
    batch_size: int,
    checkpoint_every: int,
    n_episodes: int,
    device: str | torch.device,
    seeds: tuple[int, int],
    resume: bool,
    tracker: Sequence[Tracker],
) -> Path:
    """Train a policy on recorded episodes, evaluate it, and return the run's folder.

    Args:
        source: file, folder or id of the data.
        reward_folder: folder of the reward that labels the data; None keeps their rewards.
        obs_keys: leaves of Dict observations; None for those of the reward, or all.
        make_env: function that makes the environment of the evaluation; None for no evaluation.
        algorithm: algorithm and its settings.
        record: settings of the command, written to the folder.
        folder: folder of the run.
        n_updates: number of updates.
        batch_size: number of transitions in an update.
        checkpoint_every: number of updates between checkpoints.
        n_episodes: number of episodes of the evaluation.
        device: device of the networks.
        seeds: seeds of the training and of the evaluation.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.

    Raises:
        ValueError: data, reward and environment do not fit each other.
        FileNotFoundError: there are no such data.
        CheckpointError: the reward's folder or the checkpoint is missing or damaged.
    """
    sample = None if make_env is None else make_env(obs_keys)
    data = load_labeled(source, reward_folder, obs_keys, None if sample is None else sample.env, device)
    if sample is not None:
        sample.close()
    store, started = data.store, monotonic()
    if data.reward is None and algorithm.algorithm != "bc" and not store.rew.any():
        raise ValueError(
            f"--data: {source} must hold rewards without --reward. Received rewards that are all 0; add "
            "--reward FOLDER, or clone the data by --algorithm bc."
        )
    run = create_or_resume_run(folder, record, resume=resume)
    tracking = RunTracker(run, tracker)
    tracking.overview(record, "train-policy")
    say = Console(highlight=False, soft_wrap=True).print
    rewards = "the data's own rewards" if data.reward is None else f"the rewards of {reward_folder}"
    say(f"{algorithm.algorithm} on {store.n_steps} steps of {source}, with {rewards}.", markup=False)
    policy = train_offline_policy(
        store,
        algorithm,
        folder=run,
        n_updates=n_updates,
        batch_size=batch_size,
        checkpoint_every=checkpoint_every,
        device=device,
        seed=seeds[0],
        resume=resume,
        tracker=tracking,
    )
    results: dict[str, Any] = {
        "env": getattr(record, "env", ""),
        "algorithm": algorithm.algorithm,
        "seed": getattr(record, "seed", seeds[0]),
        "updates": n_updates,
        "seconds": round(monotonic() - started, 1),
        "data": data.numbers,
    }
    if make_env is not None:
        keys = obs_keys if store.obs_layout is None else store.obs_layout.keys
        results["trained"] = evaluate_in_env(
            policy, partial(make_env, keys), data.reward, n_episodes, device, seeds[1]
        )
    write_json(run / "results.json", results)
    tracking.results(record, results, MAIN_RESULTS)
    tracking.close()
    for name in ("data", "trained"):
        if name in results:
            row = results[name]
            say(f"  {name:8}" + "  ".join(f"{key} {row[key]:.2f}" for key in row if "_error" not in key))
    say(f"{n_updates} updates in {results['seconds']:.0f} s. The policy: {run / 'policy'}", markup=False)
    return run


def load_labeled(
    source: str,
    reward_folder: Path | None,
    obs_keys: Sequence[str] | None,
    env: gym.Env[Any, Any] | None,
    device: str | torch.device,
) -> LabeledData:
    """Load episodes, and replace their rewards by those of a saved model if there is one.

    Args:
        source: file, folder or id of the data.
        reward_folder: folder of the model; None keeps the rewards of the data.
        obs_keys: leaves of Dict observations; None for those of the model, or all.
        env: environment that the data were recorded in, with its own observations; None if unknown.
        device: device of the model.

    Raises:
        ValueError: data, model and environment do not fit each other.
        FileNotFoundError: there are no such data.
        CheckpointError: the folder of the model is missing or damaged.
    """
    reward = None if reward_folder is None else load_reward(reward_folder, device=device)
    if reward is not None and reward.obs_encoder is not None:
        raise ValueError(
            "`reward` must read vectors with --offline. Received one that reads features of images; train in "
            "an environment, without --offline."
        )
    if reward is not None and obs_keys is None:
        obs_keys = reward.obs_keys if env is None else select_keys(reward, env.observation_space)
    spaces: dict[str, Any] = {}
    if env is not None:
        spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    try:
        store = load_episodes(source, obs_keys, **spaces)
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"--data: {error}".replace("`obs_keys`", "--obs-keys")) from error
    if store.action_space is None:
        raise ValueError(
            f"--data: {source} does not record its action space. Received no --env, either; add --env, or "
            "save the data as an EpisodeStore with `action_space`."
        )
    numbers = {"true_return": _mean_return(store), "steps": float(store.lengths.mean())}
    if reward is not None:
        store = store.relabel(reward)
        numbers["learned_return"] = _mean_return(store)
    return LabeledData(store, reward, numbers)


def evaluate_in_env(
    policy: Policy,
    make: Callable[[], gym.Env[Any, Any]],
    reward: RewardModel | None,
    n_episodes: int,
    device: str | torch.device,
    seed: int,
) -> dict[str, float]:
    """Return the mean returns of a policy without exploration, with standard errors.

    Args:
        policy: trained policy.
        make: function that makes an environment with vectors for observations.
        reward: model of the learned return; None for none.
        n_episodes: number of episodes.
        device: device of the model.
        seed: random seed of the episodes.
    """
    envs: BaseVectorEnv = DummyVectorEnv([make] * min(MAX_EVAL_ENVS, n_episodes))
    try:
        rewarded = envs if reward is None else TianshouLearnedReward(envs, reward, device=device)
        records = evaluate_returns(policy, rewarded, n_episodes, seed=seed)
    finally:
        envs.close()
    true, learned, length = np.array(records, np.float64).T
    numbers = {"true_return": float(true.mean()), "true_return_error": float(true.std() / len(true) ** 0.5)}
    if reward is not None:
        numbers["learned_return"] = float(learned.mean())
        numbers["learned_return_error"] = float(learned.std() / len(true) ** 0.5)
    return {**numbers, "steps": float(length.mean())}


def _mean_return(store: EpisodeStore) -> float:
    return float(store.rew.sum(dtype=np.float64) / store.n_episodes)
