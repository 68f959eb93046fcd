"""A training loop in one file, in CleanRL's style, over both vector wrappers in each autoreset mode."""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from noise_env import NoiseEnv, alone, assert_close, small_encoder
from packaging.version import Version
from peer_envs import brightness
from torch import nn

from rlpriors.wrappers import VectorEncodeObservation, VectorLearnedReward

N, STEPS, SEED = 3, 40, 11
UNCOUNTED = {
    AutoresetMode.DISABLED: "a partial reset of SyncVectorEnv clears the statistics of all environments"
}
"""Modes in which Gymnasium's `RecordEpisodeStatistics` does not count whole episodes, with the reason."""
if Version(gym.__version__) < Version("1.4"):
    UNCOUNTED[AutoresetMode.SAME_STEP] = "it leaves out the first step of each episode but the first"


class Transition(NamedTuple):
    """Row of the replay buffer."""

    obs: np.ndarray
    act: int
    rew: float
    obs_next: np.ndarray
    terminated: bool
    truncated: bool


def make_envs(mode: AutoresetMode) -> VectorEnv:
    envs = RecordEpisodeStatistics(SyncVectorEnv([NoiseEnv] * N, autoreset_mode=mode), stats_key="own")
    envs = VectorEncodeObservation(envs, small_encoder())
    return RecordEpisodeStatistics(VectorLearnedReward(envs, brightness, device="cpu"))


def train_dqn(
    envs: VectorEnv, mode: AutoresetMode
) -> tuple[list[list[Transition]], list[list[tuple[float, float]]]]:
    """Train a linear Q function; return the transitions and the logged returns of each environment."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    q = nn.Linear(envs.single_observation_space.shape[0], envs.single_action_space.n)
    optimizer = torch.optim.Adam(q.parameters(), lr=1e-3)
    transitions: list[list[Transition]] = [[] for _ in range(N)]
    returns: list[list[tuple[float, float]]] = [[] for _ in range(N)]
    obs, _ = envs.reset(seed=SEED)
    was_done = np.zeros(N, bool)
    for _ in range(STEPS):
        with torch.no_grad():
            greedy = q(torch.as_tensor(obs)).argmax(1).numpy()
        actions = np.where(rng.random(N) < 0.3, rng.integers(0, 2, N), greedy)
        new_obs, rewards, terminated, truncated, infos = envs.step(actions)
        done = terminated | truncated
        real_next = new_obs.copy()
        if mode == AutoresetMode.SAME_STEP:
            for i in np.flatnonzero(done):
                real_next[i] = infos["final_obs"][i]
        for i in range(N):
            if mode == AutoresetMode.NEXT_STEP and was_done[i]:
                assert rewards[i] == 0  # the action of a step that only resets is ignored
                continue
            ends = bool(terminated[i]), bool(truncated[i])
            transitions[i].append(Transition(obs[i], actions[i], rewards[i], real_next[i], *ends))
            if done[i]:
                returns[i].append((infos["episode"]["r"][i], infos["own"]["r"][i]))
        obs, was_done = new_obs, done
        if mode == AutoresetMode.DISABLED and done.any():
            obs, _ = envs.reset(options={"reset_mask": done.copy()})
        update(q, optimizer, [one for rows in transitions for one in rows], rng)
    return transitions, returns


def update(
    q: nn.Module, optimizer: torch.optim.Optimizer, rows: list[Transition], rng: np.random.Generator
) -> None:
    obs, act, rew, obs_next, terminated, _ = map(
        np.array, zip(*(rows[j] for j in rng.integers(0, len(rows), 16)), strict=True)
    )
    with torch.no_grad():
        following = q(torch.as_tensor(obs_next)).amax(1) * torch.as_tensor(~terminated)
        target = torch.as_tensor(rew, dtype=torch.float32) + 0.9 * following
    loss = (q(torch.as_tensor(obs))[range(16), act] - target).square().mean()
    assert loss.isfinite()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_buffer_holds_features_and_learned_rewards(mode: AutoresetMode) -> None:
    """Each transition equals that of one environment stepped by hand, final observations included."""
    envs = make_envs(mode)
    transitions, returns = train_dqn(envs, mode)
    envs.close()
    encoder = small_encoder()
    for i in range(N):
        env: gym.Env[Any, int] = NoiseEnv()
        obs = alone(encoder, env.reset(seed=SEED + i)[0])
        learned, own, expected_returns = 0.0, 0.0, []
        for one in transitions[i]:
            frame, env_reward, terminated, truncated, _ = env.step(one.act)
            obs_next = alone(encoder, frame)
            act = np.array([[one.act]], np.float32)
            reward = brightness(obs[None], act, obs_next[None], np.array([terminated]))[0]
            assert_close(one.obs, obs)
            assert_close(one.obs_next, obs_next)
            assert one.rew == pytest.approx(reward, rel=1e-4, abs=1e-5)
            assert (one.terminated, one.truncated) == (terminated, truncated)
            learned, own, obs = learned + reward, own + env_reward, obs_next
            if terminated or truncated:
                expected_returns.append((learned, own))
                learned, own = 0.0, 0.0
                obs = alone(encoder, env.reset()[0])
        assert len(expected_returns) >= 4
        if mode in UNCOUNTED:
            continue
        np.testing.assert_allclose(returns[i], expected_returns, rtol=1e-4, atol=1e-4)
