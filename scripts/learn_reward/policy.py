"""Last stage of `rlpriors learn-reward`: a policy that trains on the reward alone.

`train_check_policy`  training of the policy and its comparison with the demonstrations
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.env import DummyVectorEnv

from rlpriors.agents.online.settings import AlgorithmName, AlgorithmSettings
from rlpriors.rewards import RewardModel
from rlpriors.scripts.train_policy.settings import TrainPolicySettings
from rlpriors.training.reward_learning.policy_stage import (
    DemonstrationSets,
    PolicyRun,
    make_agent,
    train_on_reward,
)
from rlpriors.training.tracking.episode_film import open_film
from rlpriors.training.tracking.run_tracker import Trackers
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

__all__ = ["train_check_policy"]

N_EPISODES = 30


def train_check_policy(
    make: Callable[..., gym.Env[Any, Any]],
    reward: RewardModel,
    demonstrations: DemonstrationSets,
    *,
    env_id: str,
    n_steps: int,
    run: Path,
    seed: int,
    resume: bool,
    device: torch.device,
    tracker: Trackers = "tensorboard",
    films: int = 0,
) -> PolicyRun:
    """Train a policy with the defaults of `rlpriors train-policy`, and compare it with the demonstrations.

    Args:
        make: function that makes an environment with vectors for observations; its arguments are those of
            `gym.make`.
        reward: learned reward, saved in `<run>/reward`.
        demonstrations: demonstrations of the reward.
        env_id: id of the environment.
        n_steps: number of environment steps.
        run: folder of the run.
        seed: random seed; `train-policy` trains the same policy with it.
        resume: continue from the checkpoint in the folder, if there is one.
        device: device of the networks.
        tracker: destination of returns, losses and films; see `train_online`.
        films: number of filmed episodes.
    """
    settings = TrainPolicySettings(
        reward=run / "reward",
        env=env_id,
        env_steps=n_steps,
        random_steps=min(TrainPolicySettings.random_steps, n_steps // 4),
        seed=seed,
    )
    film = open_film(partial(make, render_mode="rgb_array"), n_films=films, length=n_steps, seed=seed)
    sample = make()
    spaces = sample.observation_space, sample.action_space
    sample.close()
    name: AlgorithmName = "dqn" if isinstance(spaces[1], gym.spaces.Discrete) else "sac"
    algorithm_settings = AlgorithmSettings(name, hidden=settings.hidden, lr=settings.lr, gamma=settings.gamma)
    net_seed, *seeds = (int(s) for s in np.random.SeedSequence(seed).generate_state(3))
    algorithm, algorithm_settings = make_agent(
        spaces,
        algorithm_settings,
        reward,
        normalize_observations=settings.normalize_observations,
        device=device,
        seed=net_seed,
    )
    envs = DummyVectorEnv([make] * settings.n_envs)
    try:
        return train_on_reward(
            algorithm,
            TianshouLearnedReward(envs, reward, device=device),
            reward,
            algorithm_settings=algorithm_settings,
            settings=settings.online_settings(on_policy=False),
            demonstrations=demonstrations,
            folder=run,
            seeds=(seeds[0], seeds[1]),
            n_episodes=N_EPISODES,
            resume=resume,
            tracker=tracker,
            film=film,
        )
    finally:
        envs.close()
        if film is not None:
            film.close()
