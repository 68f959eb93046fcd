"""VectorLearnedReward: step by step the numbers of LearnedReward, in each autoreset mode."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from walk_env import CountingReward, WalkEnv

from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.wrappers import LearnedReward, VectorLearnedReward

# From Python 3.12 on, AsyncVectorEnv's fork warns where torch has threads; its workers run no torch here.
forking = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

MODES = list(AutoresetMode)
KINDS = [SyncVectorEnv, pytest.param(AsyncVectorEnv, marks=forking)]
N = 3


def check_against_singles(
    envs: VectorLearnedReward, singles: list[LearnedReward], counted: CountingReward, steps: int = 60
) -> int:
    """Step both with the same seeds and actions; returns how many episodes ended."""
    mode = envs.metadata["autoreset_mode"]
    envs.reset(seed=7)
    for i, single in enumerate(singles):
        single.reset(seed=7 + i)
    rng, done, ended = np.random.default_rng(0), np.zeros(N, bool), 0
    for _ in range(steps):
        actions = rng.uniform(-1, 1, (N, 2)).astype(np.float32)
        _, rewards, terminations, truncations, info = envs.step(actions)
        expected, true, idle = np.zeros(N), np.zeros(N), np.zeros(N, bool)
        for i, single in enumerate(singles):
            if mode == AutoresetMode.NEXT_STEP and done[i]:
                single.reset()
                idle[i], done[i] = True, False
                continue
            _, expected[i], terminated, truncated, single_info = single.step(actions[i])
            true[i], done[i] = single_info["env_reward"], terminated or truncated
            assert (terminations[i], truncations[i]) == (terminated, truncated)
            if mode == AutoresetMode.SAME_STEP and done[i]:
                single.reset()
        ended += int(done.sum())
        np.testing.assert_allclose(rewards, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(info["env_reward"], true, rtol=1e-12)
        np.testing.assert_array_equal(info["_env_reward"], ~idle)
        if mode == AutoresetMode.DISABLED and done.any():
            envs.reset(options={"reset_mask": done.copy()})
            for i in np.flatnonzero(done):
                singles[i].reset()
        if not idle.all():
            assert counted.batches.pop() == N - idle.sum()
        assert not counted.batches  # one call a step, and only for rows that moved
    return ended


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_are_those_of_single_environments(kind: Callable[..., Any], mode: AutoresetMode) -> None:
    counted = CountingReward()
    envs = VectorLearnedReward(kind([WalkEnv] * N, autoreset_mode=mode), counted, device="cpu", scale=0.5)
    singles = [LearnedReward(WalkEnv(), CountingReward(), device="cpu", scale=0.5) for _ in range(N)]
    assert check_against_singles(envs, singles, counted) > 10
    envs.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_with_dict_observations(kind: Callable[..., Any], mode: AutoresetMode) -> None:
    counted, keys = CountingReward(), ("xy", "far")
    envs = kind([lambda: WalkEnv(as_dict=True)] * N, autoreset_mode=mode)
    envs = VectorLearnedReward(envs, counted, device="cpu", obs_keys=keys)
    singles = [
        LearnedReward(WalkEnv(as_dict=True), CountingReward(), device="cpu", obs_keys=keys) for _ in range(N)
    ]
    assert check_against_singles(envs, singles, counted, steps=30) > 5
    envs.close()


def test_shared_memory_without_copies() -> None:
    counted = CountingReward()
    envs = VectorLearnedReward(SyncVectorEnv([WalkEnv] * N, copy=False), counted, device="cpu")
    singles = [LearnedReward(WalkEnv(), CountingReward(), device="cpu") for _ in range(N)]
    assert check_against_singles(envs, singles, counted) > 10


class Replay(gym.Env[np.ndarray, int]):
    """Replay of one row of a recorded vector environment."""

    def __init__(self, spaces: tuple[gym.Space, gym.Space], rows: list[tuple[Any, ...]]) -> None:
        self.observation_space, self.action_space = spaces
        self.rows = iter(rows)

    def reset(self, *, seed=None, options=None):
        return next(self.rows)[0], {}

    def step(self, action):
        obs, reward, terminated, truncated = next(self.rows)
        return obs, float(reward), bool(terminated), bool(truncated), {}


def test_cartpoles_own_vector_environment(tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = RewardSettings(4, 1, inputs=("obs", "act", "obs_next"), n_actions=2, hidden=(8,))
    folder = MLPReward(settings).save(tmp_path)
    unwrapped = gym.make_vec("CartPole-v1", num_envs=N)
    assert not isinstance(unwrapped, SyncVectorEnv)
    learned = VectorLearnedReward(gym.make_vec("CartPole-v1", num_envs=N), folder, device="cpu")
    rng, (obs, _) = np.random.default_rng(1), unwrapped.reset(seed=4)
    np.testing.assert_array_equal(learned.reset(seed=4)[0], obs)
    rows: list[list[tuple[Any, ...]]] = [[(obs[i],)] for i in range(N)]
    steps = []
    for _ in range(60):
        actions = rng.integers(0, 2, N)
        obs, rew, terminated, truncated, _ = unwrapped.step(actions)
        out = learned.step(actions)
        np.testing.assert_array_equal(out[0], obs)
        np.testing.assert_array_equal(out[4]["env_reward"], rew)
        for i in range(N):
            rows[i].append((obs[i], rew[i], terminated[i], truncated[i]))
        steps.append((actions, out[1], out[4]["_env_reward"]))
    ended = 0
    for i in range(N):
        spaces = (unwrapped.single_observation_space, unwrapped.single_action_space)
        single = LearnedReward(Replay(spaces, rows[i]), folder, device="cpu")
        single.reset()
        for actions, rewards, moved in steps:
            if not moved[i]:
                single.reset()
                assert rewards[i] == 0.0
                ended += 1
            else:
                assert rewards[i] == pytest.approx(single.step(actions[i])[1], rel=1e-5, abs=1e-6)
    assert ended > 3


def test_a_mask_also_resets_rows_that_are_not_done() -> None:
    def next_x(obs, act, obs_next, terminated):
        return obs_next[:, 0]

    envs = VectorLearnedReward(SyncVectorEnv([WalkEnv] * N), next_x, device="cpu")
    envs.reset(seed=0)
    done = np.zeros(N, bool)
    while not done.any() or done.all():
        _, _, terminated, truncated, _ = envs.step(np.ones((N, 2), np.float32))
        done = terminated | truncated
    mask = np.zeros(N, bool)
    mask[np.flatnonzero(done)[0]] = True
    mask[np.flatnonzero(~done)[0]] = True
    options = {"reset_mask": mask.copy()}
    envs.reset(options=options)
    moved = envs.step(np.zeros((N, 2), np.float32))[4]["_env_reward"]
    np.testing.assert_array_equal(moved, ~done | mask)


def test_every_row_of_a_step_may_be_a_reset() -> None:
    class Short(WalkEnv):
        def step(self, action):
            return *super().step(action)[:2], True, False, {}

    counted = CountingReward()
    envs = VectorLearnedReward(SyncVectorEnv([Short] * N), counted, device="cpu")
    envs.reset(seed=0)
    rewards = [envs.step(np.ones((N, 2), np.float32))[1] for _ in range(4)]
    assert [bool(row.any()) for row in rewards] == [True, False, True, False]
    assert counted.batches == [N, N]


def test_spaces_and_modes_are_checked_at_once(tmp_path: Path) -> None:
    folder = MLPReward(RewardSettings(5, 2)).save(tmp_path)
    with pytest.raises(ValueError, match=r"`reward` must fit observations of shape \(2,\).*of shape \(5,\)"):
        VectorLearnedReward(SyncVectorEnv([WalkEnv]), folder, device="cpu")
    with pytest.raises(ValueError, match=r"order of the observation leaves \('far' \(2,\), 'xy'"):
        VectorLearnedReward(SyncVectorEnv([lambda: WalkEnv(as_dict=True)]), folder, device="cpu")
    envs = SyncVectorEnv([WalkEnv])
    envs.metadata = {}
    with pytest.raises(ValueError, match=r"autoreset_mode.* must be a gymnasium.vector.AutoresetMode.*None"):
        VectorLearnedReward(envs, CountingReward(), device="cpu")


def test_a_row_that_is_not_finite_is_named() -> None:
    def broken(obs, act, obs_next, terminated):
        return torch.where(obs[:, 0] == obs[:, 0].max(), torch.nan, 0.0)

    envs = VectorLearnedReward(SyncVectorEnv([WalkEnv] * N), broken, device="cpu")
    obs, _ = envs.reset(seed=0)
    worst = float(np.float32(obs[:, 0].max()))
    with pytest.raises(ValueError, match=rf"finite numbers. Received nan for obs \[{worst}, "):
        envs.step(np.zeros((N, 2), np.float32))


def test_a_step_before_the_reset_is_refused() -> None:
    envs = VectorLearnedReward(gym.make_vec("CartPole-v1", num_envs=N), CountingReward(), device="cpu")
    with pytest.raises(ResetNeeded, match="Call `reset` before `step`"):
        envs.step(np.zeros(N, np.int64))


@pytest.mark.cuda
def test_on_cuda_the_numbers_are_the_same(tmp_path: Path, cuda_device: str) -> None:
    folder = MLPReward(RewardSettings(2, 2)).save(tmp_path)
    rewards = []
    for device in ("cpu", cuda_device):
        envs = VectorLearnedReward(SyncVectorEnv([WalkEnv] * N), folder, device=device)
        envs.reset(seed=0)
        rewards.append([envs.step(np.ones((N, 2), np.float32))[1] for _ in range(10)])
    np.testing.assert_allclose(rewards[0], rewards[1], rtol=1e-4, atol=1e-5)
