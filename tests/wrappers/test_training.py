"""A saved reward trains Tianshou's algorithms: SAC through the vector wrapper, PPO through the single one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.algorithm import PPO, SAC
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.modelfree.sac import SACPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from torch.distributions import Independent, Normal

from rlpriors.rewards import MLPReward, RewardModel, RewardSettings, load_reward
from rlpriors.wrappers import LearnedReward
from rlpriors.wrappers.tianshou import TianshouLearnedReward

N_ENVS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward fitted to minus the squared angle of the next observation (cos, sin, speed)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MLPReward(RewardSettings(3, 1, inputs=("obs", "act", "obs_next"), hidden=(16,)))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(200):
            angle = (2 * torch.rand(128, 2) - 1) * torch.pi
            obs, obs_next = (torch.stack([a.cos(), a.sin(), torch.randn(128)], 1) for a in angle.T)
            given = model(obs, torch.rand(128, 1), obs_next, torch.zeros(128, dtype=torch.bool))
            loss = (given + angle[:, 1].square()).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss < 1.0
    return model.save(tmp_path_factory.mktemp("reward"))


def spaces() -> tuple[gym.Space[Any], gym.Space[Any]]:
    env = gym.make("Pendulum-v1")
    return env.observation_space, env.action_space


def critic() -> ContinuousCritic:
    return ContinuousCritic(preprocess_net=Net(state_shape=3, action_shape=1, hidden_sizes=[32], concat=True))


def gaussian(loc_scale: tuple[torch.Tensor, torch.Tensor]) -> Independent:
    return Independent(Normal(*loc_scale), 1)


def check_buffer(buffer: VectorReplayBuffer, model: RewardModel, act: np.ndarray) -> None:
    """The stored reward is the learned one, next to the true one."""
    stored = buffer[:]
    expected = model.score(stored.obs, act, stored.obs_next, stored.terminated)
    np.testing.assert_allclose(stored.rew, expected, rtol=1e-4, atol=1e-5)
    # Pendulum's reward is -(angle^2 + 0.1 speed^2 + 0.001 act^2) for where the step began.
    angle = np.arctan2(stored.obs[:, 1], stored.obs[:, 0])
    true = -(angle**2 + 0.1 * stored.obs[:, 2] ** 2 + 0.001 * act[:, 0] ** 2)
    np.testing.assert_allclose(stored.info.env_reward, true, rtol=1e-3, atol=1e-3)
    assert np.abs(stored.rew - stored.info.env_reward).max() > 0.1


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def check_moved(module: torch.nn.Module, before: list[torch.Tensor]) -> None:
    after = list(module.parameters())
    assert all(p.isfinite().all() for p in after)
    assert all(not torch.equal(p, old) for p, old in zip(after, before, strict=True))


def run(train: Callable[[], None]) -> None:
    """Tianshou draws actions and weights from the global generators: leave them as they were."""
    state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        train()
    np.random.set_state(state)  # noqa: NPY002


def test_sac_through_the_vector_wrapper(folder: Path) -> None:
    steps = 2000

    def train() -> None:
        observation_space, action_space = spaces()
        venv = DummyVectorEnv([lambda: gym.make("Pendulum-v1")] * N_ENVS)
        venv = TianshouLearnedReward(venv, folder, device="cpu")
        actor = ContinuousActorProbabilistic(
            preprocess_net=Net(state_shape=3, hidden_sizes=[32]),
            action_shape=1,
            unbounded=True,
            conditioned_sigma=True,
        )
        policy = SACPolicy(actor=actor, action_space=action_space, observation_space=observation_space)
        adam = AdamOptimizerFactory(lr=1e-3)
        sac = SAC(policy=policy, policy_optim=adam, critic=critic(), critic_optim=adam)
        buffer = VectorReplayBuffer(steps, N_ENVS, random_seed=0)
        collector = Collector(sac, venv, buffer)
        collector.reset(gym_reset_kwargs={"seed": 0})
        before = weights(policy), weights(sac.critic)
        sac.run_training(
            OffPolicyTrainerParams(
                training_collector=collector,
                max_epochs=1,
                epoch_num_steps=steps,
                collection_step_num_env_steps=100,
                update_step_num_gradient_steps_per_sample=0.1,
                batch_size=64,
                show_progress=False,
                verbose=False,
            )
        )
        check_moved(policy, before[0])
        check_moved(sac.critic, before[1])
        assert len(buffer) == steps
        # The buffer holds the policy's actions in [-1, 1]; the reward reads actions of the environment.
        check_buffer(buffer, load_reward(folder, device="cpu"), policy.map_action(buffer[:].act))

    run(train)


def test_ppo_through_the_single_wrapper(folder: Path) -> None:
    steps = 1000

    def train() -> None:
        observation_space, action_space = spaces()
        venv = DummyVectorEnv([lambda: LearnedReward(gym.make("Pendulum-v1"), folder, device="cpu")] * N_ENVS)
        actor = ContinuousActorProbabilistic(
            preprocess_net=Net(state_shape=3, hidden_sizes=[32]), action_shape=1, unbounded=True
        )
        policy = ProbabilisticActorPolicy(
            actor=actor,
            dist_fn=gaussian,
            action_space=action_space,
            observation_space=observation_space,
            action_scaling=True,
        )
        value = ContinuousCritic(preprocess_net=Net(state_shape=3, hidden_sizes=[32]))
        ppo = PPO(policy=policy, critic=value, optim=AdamOptimizerFactory(lr=1e-3))
        buffer = VectorReplayBuffer(steps, N_ENVS)
        collector = Collector(ppo, venv, buffer)
        collector.reset(gym_reset_kwargs={"seed": 0})
        before = weights(policy), weights(value)
        ppo.run_training(
            OnPolicyTrainerParams(
                training_collector=collector,
                max_epochs=1,
                epoch_num_steps=steps,
                collection_step_num_env_steps=steps,
                update_step_num_repetitions=2,
                batch_size=256,
                show_progress=False,
                verbose=False,
            )
        )
        check_moved(policy, before[0])
        check_moved(value, before[1])
        # PPO empties its buffer after each update, so that another round is looked at.
        collector.reset_buffer()
        collector.collect(n_step=steps)
        assert len(buffer) == steps
        check_buffer(buffer, load_reward(folder, device="cpu"), policy.map_action(buffer[:].act))

    run(train)
