"""Discrete actions and terminations in one training: data, prior, reward, plan, wrapper, relabeled data."""

import numpy as np
import pytest
import torch
from corridor_env import LAST, Corridor, corridor_policy, last_cell, rollouts
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, Collector
from tianshou.env import DummyVectorEnv

from rlpriors.agents import DiffuserPolicy, DiffusionIRL, DiffusionIRLSettings, TrajectoryDiffusion
from rlpriors.agents.diffusion.inverse_dynamics import (
    InverseDynamics,
    InverseDynamicsSettings,
    InverseDynamicsTraining,
)
from rlpriors.checkpoint import load, save
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings, load_reward
from rlpriors.wrappers import LearnedReward

START = 2


def learn_from(train, policy: DiffuserPolicy, reward: MLPReward, data: EpisodeStore) -> None:
    """Make one update."""
    train(DiffusionIRL(policy=policy, reward=reward, optim=AdamOptimizerFactory()), data, 1)


def learn(train, env: Corridor, policy: DiffuserPolicy, data: EpisodeStore, **reward) -> DiffusionIRL:
    """Learn a reward from demonstrations that go to the right end."""
    settings = RewardSettings(1, 1, n_actions=3, action_start=START, hidden=(32,), **reward)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MLPReward(settings, policy.layout.normalizer)
    algorithm = DiffusionIRL(
        policy=policy,
        reward=model,
        optim=AdamOptimizerFactory(1e-2),
        prior_data=data,
        settings=DiffusionIRLSettings(marginal_actions=not env.ends and "act" in settings.inputs),
    )
    train(algorithm, rollouts(env, 10, "right"), 60, batch_size=16)
    return algorithm


@pytest.mark.parametrize("inputs", [("obs",), ("obs", "act")])
def test_a_reward_is_learned_and_planned_with(inputs, train, tmp_path) -> None:
    env = Corridor(START)
    data = rollouts(env, 30, "random")
    policy = corridor_policy(data)
    algorithm = learn(train, env, policy, data, inputs=inputs)
    assert [last_cell(policy, env, cell) for cell in (1, 3)] == [LAST, LAST]
    # The same reward in a wrapper, in data and after loading.
    reward = algorithm.reward
    reward.save(tmp_path)
    loaded = load_reward(tmp_path, "cpu")
    assert loaded.discrete_space == env.action_space
    wrapped = LearnedReward(env, str(tmp_path), device="cpu")
    wrapped.reset(options={"cell": 3})
    _, paid, *_ = wrapped.step(START + 2)
    assert paid == pytest.approx(reward.score([[3]], [START + 2], [[4]])[0], abs=1e-5)
    relabeled = data.relabel(reward)
    steps = data.transitions()
    np.testing.assert_allclose(relabeled.rew, reward.score(*map(np.asarray, steps)), atol=1e-5)


def test_actions_in_environments_are_integers() -> None:
    env = Corridor(START)
    policy = corridor_policy(rollouts(env, 20, "random"))
    buffer = Collector(policy, DummyVectorEnv([lambda: Corridor(START)] * 2))
    buffer.reset(gym_reset_kwargs={"seed": 0})
    collected = buffer.collect(n_episode=2)
    assert collected.n_collected_steps == 24
    store = from_buffer(buffer.buffer, policy=policy)
    assert (store.act.dtype, store.action_space) == (np.int64, env.action_space)
    policy.check_data(store)


def test_a_termination_is_a_goal_and_a_pit(train) -> None:
    env = Corridor(START, ends=True)
    data = rollouts(env, 30, "random")
    assert set(data.lengths[data.terminated[np.cumsum(data.lengths) - 1]]) != {12}
    policy = corridor_policy(data, absorbing=True)
    algorithm = learn(train, env, policy, data, inputs=("obs", "act"))
    assert [last_cell(policy, env, cell) for cell in (1, 2, 3)] == [LAST] * 3
    # The environment pays nothing after a termination, and neither does a window.
    wrapped = LearnedReward(env, algorithm.reward, device="cpu")
    wrapped.reset(options={"cell": 4})
    paid = [wrapped.step(START + 2)[1] for _ in range(2)]
    demo = rollouts(Corridor(START, ends=True), 5, "right")
    first = int(demo.step_starts[3])  # from cell 4
    x = policy.layout.pack(demo.windows(np.array([first]), 6))
    window = policy.layout.rewards(algorithm.reward, x)[0]
    np.testing.assert_allclose(window.detach(), [*paid, 0, 0, 0], atol=1e-5)


def test_a_prior_of_discrete_actions_is_trained(train) -> None:
    env = Corridor(START, ends=True)
    data = rollouts(env, 30, "random")
    policy = corridor_policy(data, absorbing=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy.denoiser = build_denoiser("mlp", horizon=6, dim=policy.layout.dim, width=64, blocks=1)
    algorithm = TrajectoryDiffusion(policy=policy, optim=AdamOptimizerFactory(2e-3), ema_decay=0.95)
    windows = algorithm.process_buffer(to_buffer(data))
    assert len(windows) > len(data.window_starts(6))
    losses = []
    for _ in range(60):
        policy.is_within_training_step = True
        losses.append(algorithm.update(windows, 64).loss)
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:3])
    x = policy.plan(np.full((4, 1), 3.0))
    assert x.shape == (4, 6, 5)
    act = policy.actions(x)
    assert set(act.flatten().tolist()) <= {2.0, 3.0, 4.0}


def test_inverse_dynamics_classify(train, tmp_path) -> None:
    env = Corridor(START)
    data = rollouts(env, 30, "random")
    policy = corridor_policy(data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy.inverse_dynamics = InverseDynamics.fit(data, policy.layout, hidden=(32,))
    train(InverseDynamicsTraining(policy=policy, optim=AdamOptimizerFactory(1e-2)), data, 100, batch_size=64)
    cells = torch.tensor([[2.0], [3.0], [4.0]])
    found = policy.inverse_dynamics(cells, cells + torch.tensor([[-1.0], [0.0], [1.0]]))
    assert found.flatten().tolist() == [START, START + 1, START + 2]
    model = policy.inverse_dynamics
    save(model, model.settings, tmp_path)
    classes = {"InverseDynamics": lambda settings: InverseDynamics(InverseDynamicsSettings(**settings))}
    again = load(tmp_path, classes)
    assert torch.equal(again(cells, cells + 1), model(cells, cells + 1))
    assert policy(Batch(obs=np.array([[3.0]]), info={})).act.dtype == np.int64


def test_a_reward_must_read_the_actions_of_the_windows(train) -> None:
    env = Corridor(START)
    data = rollouts(env, 10, "random")
    for settings, message in (
        (
            {"inputs": ("obs", "act")},
            r"`reward` must read Discrete actions one-hot.*n_actions=3.*action_start=2",
        ),
        (
            {"n_actions": 3},
            r"`reward` must have the action space.*Discrete\(3, start=2\).*Received Discrete\(3\)",
        ),
    ):
        policy = corridor_policy(data)
        reward = MLPReward(RewardSettings(1, 1, **settings), policy.layout.normalizer)
        with pytest.raises(ValueError, match=message):
            learn_from(train, policy, reward, data)
