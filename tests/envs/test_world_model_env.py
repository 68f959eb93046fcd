"""Environments over learned worlds: an exact model steps as its environment does, in each autoreset mode."""

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from line_world import ACT_SPACE, MOST_STEPS, Line, line_model, position
from tianshou.data import Collector, VectorReplayBuffer

from rlpriors.agents import RandomPolicy, WorldModel, WorldModelSettings
from rlpriors.envs.world_model_env import WorldModelEnv
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.training.rollout import evaluate_policy
from rlpriors.wrappers import VectorLearnedReward
from rlpriors.wrappers.tianshou import GymnasiumVectorEnv

MODES = list(AutoresetMode)


def make(num_envs: int = 3, model: WorldModel | None = None, **options: Any) -> WorldModelEnv:
    starts = options.pop("starts", np.zeros((1, 1)))
    return WorldModelEnv(model or line_model(), starts, position, MOST_STEPS, num_envs=num_envs, **options)


@pytest.mark.parametrize("mode", MODES)
def test_an_exact_model_equals_its_environment(mode: AutoresetMode) -> None:
    """Observations, rewards, flags and final observations over 60 steps."""
    real, world = SyncVectorEnv([Line] * 3, autoreset_mode=mode), make(autoreset_mode=mode)
    rng, ends = np.random.default_rng(0), np.zeros(2)
    np.testing.assert_array_equal(real.reset(seed=0)[0], world.reset(seed=0)[0])
    for _ in range(60):
        act = rng.uniform(0, 1, (3, 1)).astype(np.float32)
        (*expected, real_info), (*found, info) = real.step(act), world.step(act)
        for name, a, b in zip(("obs", "reward", "terminated", "truncated"), expected, found, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6, err_msg=name)
        done = expected[2] | expected[3]
        ends += expected[2].sum(), expected[3].sum()
        if mode == AutoresetMode.SAME_STEP and done.any():
            np.testing.assert_array_equal(real_info["_final_obs"], info["_final_obs"])
            for row in np.flatnonzero(done):
                np.testing.assert_allclose(real_info["final_obs"][row], info["final_obs"][row], atol=1e-6)
        if mode == AutoresetMode.DISABLED and done.any():
            options = {"reset_mask": done}
            np.testing.assert_allclose(real.reset(options=dict(options))[0], world.reset(options=options)[0])
    assert (ends > 3).all()


def test_the_contract_of_vector_environments() -> None:
    world = make(num_envs=4)
    assert world.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    obs, info = world.reset(seed=0)
    assert info == {}
    for _ in range(12):
        act = world.action_space.sample()
        obs, reward, terminated, truncated, info = world.step(act)
        assert obs in world.observation_space
        assert (reward.shape, reward.dtype) == ((4,), np.float64)
        assert terminated.dtype == truncated.dtype == np.bool_
        assert info["disagreement"].shape == info["_disagreement"].shape == (4,)
    before = obs.copy()
    world.step(act)
    np.testing.assert_array_equal(before, obs)  # a returned array does not change later


@pytest.mark.parametrize("rollout", ["mean", "member", "sample"])
def test_a_seed_determines_episodes(rollout: Any) -> None:
    def play(seed: int) -> np.ndarray:
        starts = np.linspace(-1, 1, 9)[:, None]
        world = make(model=line_model((1.0, 0.5), head="gaussian"), rollout=rollout, starts=starts)
        rows = [world.reset(seed=seed)[0]]
        return np.array(rows + [world.step(np.full((3, 1), 0.1, np.float32))[0] for _ in range(8)])

    np.testing.assert_array_equal(play(1), play(1))
    assert not np.array_equal(play(1), play(2))


def test_members_of_a_rollout() -> None:
    act = np.ones((64, 1), np.float32)
    model = line_model((1.0, 0.5))
    mean, member = (make(64, model, rollout=name) for name in ("mean", "member"))
    mean.reset(seed=0)
    obs, *_, info = mean.step(act)
    assert np.unique(obs).tolist() == [0.75]
    assert info["disagreement"].tolist() == [0.25] * 64
    member.reset(seed=0)
    first, second = member.step(act)[0], member.step(act)[0]
    assert np.unique(first).tolist() == [0.5, 1.0]
    np.testing.assert_array_equal(second, 2 * first)  # an episode follows one member


def test_samples_have_the_deviation_of_the_model() -> None:
    world = make(4000, line_model((1.0,), head="gaussian"), rollout="sample")
    world.reset(seed=0)
    obs = world.step(np.ones((4000, 1), np.float32))[0]
    assert obs.mean() == pytest.approx(1.0, abs=0.01)
    assert obs.std() == pytest.approx(np.exp(-2), rel=0.05)


def test_given_first_observations_and_partial_resets() -> None:
    world = make()
    states = np.array([[0.1], [0.2], [0.3]], np.float32)
    np.testing.assert_array_equal(world.reset(options={"states": states})[0], states)
    obs, _ = world.reset(options={"states": -states, "reset_mask": np.array([False, True, False])})
    np.testing.assert_allclose(obs, [[0.1], [-0.2], [0.3]])
    for bad in (states[:2], np.full((3, 1), np.nan), np.zeros((3, 2))):
        with pytest.raises(ValueError, match="states"):
            world.reset(options={"states": bad})


def test_steps_without_a_reset() -> None:
    act = np.ones((3, 1), np.float32)
    with pytest.raises(ResetNeeded, match="Call `reset`"):
        make().step(act)
    with pytest.raises(ResetNeeded, match="partial reset"):
        make().reset(options={"reset_mask": np.array([True, False, False])})
    world = make(autoreset_mode=AutoresetMode.DISABLED)
    world.reset()
    for _ in range(3):
        world.step(act)
    with pytest.raises(ResetNeeded, match=r"Rows \[0, 1, 2\] have ended"):
        world.step(act)


@pytest.mark.parametrize("mode", MODES)
def test_the_reward_wrapper_scores_each_step_once(mode: AutoresetMode) -> None:
    """The wrapper computes the reward that the world had, with final observations, and none for resets."""
    envs = VectorLearnedReward(make(autoreset_mode=mode), position, device="cpu")
    envs.reset(seed=0)
    ends = 0
    for _ in range(20):
        _, rewards, terminated, truncated, info = envs.step(np.full((3, 1), 0.9, np.float32))
        np.testing.assert_allclose(rewards, info["env_reward"], atol=1e-6)
        np.testing.assert_array_equal(info["_env_reward"], info["_disagreement"])
        done = terminated | truncated
        ends += int(done.sum())
        if mode == AutoresetMode.DISABLED and done.any():
            envs.reset(options={"reset_mask": done})
    assert ends >= 12


def test_learned_and_true_rewards() -> None:
    world = make()
    learned = MLPReward(RewardSettings(obs_dim=1, act_dim=1))
    other = WorldModelEnv(line_model(), np.zeros((1, 1)), learned, MOST_STEPS, num_envs=3)
    act = np.full((3, 1), 0.5, np.float32)
    world.reset()
    other.reset()
    rewards = [envs.step(act)[1] for envs in (world, other)]
    assert rewards[0].tolist() == [0.5] * 3
    expected = learned.score(np.zeros((3, 1)), act, act, np.zeros(3, bool))
    np.testing.assert_allclose(rewards[1], expected, rtol=1e-6)


def test_episode_statistics_of_gymnasium() -> None:
    envs = gym.wrappers.vector.RecordEpisodeStatistics(make(num_envs=1))
    envs.reset(seed=0)
    for _ in range(MOST_STEPS):
        *_, truncated, info = envs.step(np.full((1, 1), 0.4, np.float32))
    assert truncated.tolist() == [True]
    assert info["episode"]["r"][0] == pytest.approx(0.4 + 0.8 + 1.2 + 1.6 + 2.0)


def test_a_collector_of_tianshou() -> None:
    envs = GymnasiumVectorEnv(make(autoreset_mode=AutoresetMode.DISABLED))
    buffer = VectorReplayBuffer(60, 3)
    collector = Collector(RandomPolicy(ACT_SPACE), envs, buffer)
    collector.reset()
    stats = collector.collect(n_step=45)
    assert stats.n_collected_steps == len(buffer) == 45
    rows = buffer[buffer.sample_indices(0)]
    np.testing.assert_allclose(rows.obs_next, rows.obs + rows.act, atol=1e-6)
    np.testing.assert_allclose(rows.rew, rows.obs_next[:, 0], atol=1e-6)
    assert rows.done.sum() >= 9


def test_evaluation_of_a_policy() -> None:
    envs = GymnasiumVectorEnv(make(autoreset_mode=AutoresetMode.DISABLED))
    policy = RandomPolicy(ACT_SPACE)
    first, again = (evaluate_policy(policy, envs, 7, seed=3) for _ in range(2))
    assert first.n_episodes == 7
    np.testing.assert_array_equal(first.obs, again.obs)
    real = evaluate_policy(policy, partial(gym.wrappers.TimeLimit, Line(), MOST_STEPS), 7, seed=3)
    assert real.lengths.max() == first.lengths.max() == MOST_STEPS


def test_discrete_actions() -> None:
    settings = WorldModelSettings(obs_dim=2, act_dim=1, n_actions=3, action_start=1, hidden=(4,))
    model = WorldModel(settings, gym.spaces.Box(-1, 1, (2,)), gym.spaces.Discrete(3, start=1))
    world = WorldModelEnv(model, np.zeros((2, 2)), position, 4, num_envs=2)
    world.reset()
    obs, *_ = world.step(np.array([1, 3]))
    assert np.isfinite(obs).all()
    with pytest.raises(ValueError, match="Received 0 at step 0"):
        world.step(np.array([0, 3]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_steps": 0}, "`max_steps` must be at least 1"),
        ({"num_envs": 0}, "`num_envs` must be at least 1"),
        ({"rollout": "sample"}, 'head "gaussian"'),
        ({"init_states": np.zeros((0, 1))}, "`init_states` must be finite"),
        ({"init_states": np.zeros((2, 3))}, "`init_states` must be finite"),
        ({"init_states": np.array([[np.inf]])}, "`init_states` must be finite"),
    ],
)
def test_arguments_out_of_bounds(options: dict[str, Any], message: str) -> None:
    arguments = {"init_states": np.zeros((1, 1)), "max_steps": 5, **options}
    with pytest.raises(ValueError, match=message):
        WorldModelEnv(line_model(), reward=position, **arguments)


def test_actions_out_of_bounds() -> None:
    world = make()
    world.reset()
    with pytest.raises(ValueError, match="must be actions of Box"):
        world.step(np.full((3, 1), 2.0, np.float32))
    with pytest.raises(ValueError, match="must have 3 rows"):
        world.step(np.zeros((2, 1), np.float32))


def test_no_gradient_reaches_the_model() -> None:
    world = make()
    world.reset()
    world.step(np.ones((3, 1), np.float32))
    assert all(weight.grad is None for weight in world.model.parameters())
    assert torch.is_grad_enabled()
