"""Stable-Baselines3: its algorithms see the learned reward and the encoder's observations."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from noise_env import NoiseEnv, alone, assert_close, small_encoder
from peer_envs import as_rows, balance, brightness, make_cart_pole, make_encoded_noise, make_pendulum, swing

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed: `make test-peers`")

from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from rlpriors.wrappers import LearnedReward

pytestmark = pytest.mark.peers

N = 2
SEED = 5
KINDS = pytest.mark.parametrize("kind", [DummyVecEnv, SubprocVecEnv])


def make_envs(kind: type[VecEnv], make: Callable[[], gym.Env]) -> VecEnv:
    return kind([make] * N, **({"start_method": "spawn"} if kind is SubprocVecEnv else {}))


class Record(BaseCallback):
    """Steps as the algorithm receives them, before it changes the rewards of truncated episodes."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Any = None
        self.steps: list[dict[str, Any]] = []

    def _on_rollout_start(self) -> None:
        if self.first is None:
            self.first = self.model._last_obs.copy()

    def _on_step(self) -> bool:
        names = ("clipped_actions", "new_obs", "rewards", "dones", "infos")
        self.steps.append({name: np.copy(self.locals[name]) for name in names})
        return True


@KINDS
def test_ppo_over_encoded_observations(kind: type[VecEnv]) -> None:
    """Observations are the features of the frames of a second environment with the same seed."""
    envs = make_envs(kind, make_encoded_noise)
    model = PPO(
        "MlpPolicy",
        envs,
        n_steps=16,
        batch_size=16,
        n_epochs=1,
        seed=SEED,
        device="cpu",
        policy_kwargs={"net_arch": [16]},
    )
    record = Record()
    try:
        model.learn(32, callback=record)
    finally:
        envs.close()
    encoder = small_encoder()
    assert envs.observation_space == make_encoded_noise().observation_space
    ends = 0
    for i in range(N):
        twin = NoiseEnv()
        obs = alone(encoder, twin.reset(seed=SEED + i)[0])
        assert_close(record.first[i], obs)
        for step in record.steps:
            frame, reward, terminated, truncated, _ = twin.step(0)
            final = alone(encoder, frame)
            act = step["clipped_actions"][i].reshape(1, 1)
            expected = brightness(obs[None], act, final[None], np.array([terminated]))[0]
            np.testing.assert_allclose(step["rewards"][i], expected, rtol=1e-4, atol=1e-5)
            assert step["infos"][i]["env_reward"] == reward
            assert step["dones"][i] == (terminated or truncated)
            obs = final
            if terminated or truncated:
                assert_close(step["infos"][i]["terminal_observation"], final)
                obs = alone(encoder, twin.reset()[0])
                ends += 1
            assert_close(step["new_obs"][i], obs)
    assert ends >= 4
    # The buffer, after training, is ordered by environment.
    stored = model.rollout_buffer.observations.reshape(N, len(record.steps), -1)
    assert_close(stored[:, 0], record.first)
    assert_close(stored[:, 1:].swapaxes(0, 1), [step["new_obs"] for step in record.steps[:-1]])


@KINDS
def test_sac_over_a_learned_reward(kind: type[VecEnv]) -> None:
    """The replay buffer holds the learned reward, of actions in units of the environment."""
    envs = make_envs(kind, make_pendulum)
    model = SAC(
        "MlpPolicy", envs, learning_starts=20, batch_size=16, buffer_size=100, seed=SEED, device="cpu",
        policy_kwargs={"net_arch": [16]},
    )  # fmt: skip
    try:
        model.learn(64)
    finally:
        envs.close()
    obs, act, rew, obs_next, dones = stored_transitions(model, 64)
    assert dones.sum() == 64 // 10 // N * N
    expected = swing(obs, 2 * act, obs_next, False)  # the buffer's actions lie in [-1, 1]
    np.testing.assert_allclose(rew, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(rew) > 1


@KINDS
def test_dqn_over_a_learned_reward(kind: type[VecEnv]) -> None:
    """Discrete actions, and episodes that terminate."""
    envs = make_envs(kind, make_cart_pole)
    model = DQN(
        "MlpPolicy", envs, learning_starts=20, batch_size=16, buffer_size=200, seed=SEED, device="cpu",
        policy_kwargs={"net_arch": [16]},
    )  # fmt: skip
    try:
        model.learn(128)
    finally:
        envs.close()
    obs, act, rew, obs_next, dones = stored_transitions(model, 128)
    terminated = dones * (1 - as_rows(model.replay_buffer.timeouts[:64, :, None])[:, 0])
    assert terminated.sum() >= 3
    assert set(act[:, 0]) == {0, 1}
    np.testing.assert_allclose(rew, balance(obs, act, obs_next, terminated), rtol=1e-4, atol=1e-4)


def stored_transitions(model: Any, n: int) -> tuple[np.ndarray, ...]:
    """Return the first `n` transitions of a replay buffer, final observations included."""
    buffer, rows = model.replay_buffer, slice(0, n // N)
    assert buffer.pos == n // N
    names = ("observations", "actions", "rewards", "next_observations", "dones")
    obs, act, rew, obs_next, dones = (np.asarray(getattr(buffer, name)[rows]) for name in names)
    return as_rows(obs), as_rows(act), rew.reshape(-1), as_rows(obs_next), dones.reshape(-1)


@pytest.mark.filterwarnings("ignore:We recommend you to use a symmetric")  # the actions of Pendulum
@pytest.mark.parametrize("make", [make_pendulum, make_cart_pole, make_encoded_noise])
def test_the_environment_checker_accepts_the_wrappers(make: Callable[[], gym.Env]) -> None:
    check_env(make(), skip_render_check=True)


def test_the_place_of_the_monitor_chooses_the_logged_return() -> None:
    """`make_vec_env` logs the environment's own return; a monitor around the wrapper logs the learned."""
    returns = []
    inner = make_vec_env(
        "Pendulum-v1", 1, seed=SEED, env_kwargs={"max_episode_steps": 5},
        wrapper_class=LearnedReward, wrapper_kwargs={"reward": swing, "device": "cpu"},
    )  # fmt: skip
    outer = DummyVecEnv([lambda: Monitor(make_pendulum())])
    for envs, steps in ((inner, 5), (outer, 10)):
        envs.reset()
        learned, own = 0.0, 0.0
        for _ in range(steps):
            _, rewards, _, infos = envs.step(np.array([[0.5]]))
            learned, own = learned + rewards[0], own + infos[0]["env_reward"]
        returns.append((infos[0]["episode"]["r"], learned, own))
        envs.close()
    np.testing.assert_allclose(returns[0][0], returns[0][2], rtol=1e-4)
    np.testing.assert_allclose(returns[1][0], returns[1][1], rtol=1e-4)
