"""TorchRL: `GymWrapper` sees the learned reward, the encoder's observations and the info key."""

from collections.abc import Callable

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from noise_env import NoiseEnv, alone, assert_close, small_encoder
from peer_envs import (
    PENDULUM_STEPS,
    balance,
    brightness,
    make_cart_pole,
    make_encoded_noise,
    make_pendulum,
    swing,
)

pytest.importorskip("torchrl", reason="TorchRL is not installed: `make test-peers`")

from tensordict import TensorDictBase
from torchrl.envs import EnvBase, GymWrapper, SerialEnv
from torchrl.envs.libs.gym import default_info_dict_reader

from rlpriors.wrappers import VectorEncodeObservation, VectorLearnedReward

pytestmark = pytest.mark.peers

N, STEPS, SEED = 2, 25, 3


def wrap(make: Callable[[], gym.Env], one_hot: bool = True) -> GymWrapper:
    env = GymWrapper(make(), device="cpu", categorical_action_encoding=not one_hot)
    return env.set_info_dict_reader(default_info_dict_reader(["env_reward"]))


def rollout(env: EnvBase) -> TensorDictBase:
    try:
        env.set_seed(SEED)
        return env.rollout(STEPS, break_when_any_done=False)
    finally:
        env.close()


def transitions(data: TensorDictBase, actions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return (obs, act, obs_next, terminated) of a rollout."""
    obs, obs_next = data["observation"].numpy(), data["next", "observation"].numpy()
    return obs, actions, obs_next, data["next", "terminated"].numpy()[..., 0]


def check_rewards(data: TensorDictBase, expected: np.ndarray) -> None:
    np.testing.assert_allclose(data["next", "reward"].numpy()[..., 0], expected, rtol=1e-4, atol=1e-4)


def test_continuous_actions() -> None:
    data = rollout(wrap(make_pendulum))
    check_rewards(data, swing(*transitions(data, data["action"].numpy())))
    assert data["next", "done"].sum() == STEPS // PENDULUM_STEPS
    # Pendulum's own reward is -(angle^2 + 0.1 speed^2 + 0.001 act^2) at the start of the step.
    obs, act = data["observation"].numpy(), data["action"].numpy()[:, 0]
    own = -(np.arctan2(obs[:, 1], obs[:, 0]) ** 2 + 0.1 * obs[:, 2] ** 2 + 0.001 * act**2)
    np.testing.assert_allclose(data["next", "env_reward"].numpy(), own, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("one_hot", [True, False])
def test_discrete_actions_arrive_as_indices(one_hot: bool) -> None:
    data = rollout(wrap(make_cart_pole, one_hot))
    index = data["action"].numpy().argmax(1) if one_hot else data["action"].numpy()
    assert set(index) == {0, 1}
    check_rewards(data, balance(*transitions(data, index[:, None])))
    assert data["next", "env_reward"].eq(1).all()


def test_several_environments() -> None:
    data = rollout(SerialEnv(N, lambda: wrap(make_pendulum)))
    assert data.batch_size == (N, STEPS)
    for row in data:
        check_rewards(row, swing(*transitions(row, row["action"].numpy())))


def test_encoded_observations() -> None:
    """Observations are the features of the frames of a second environment with the same seed."""
    env = wrap(make_encoded_noise)
    assert env.observation_spec["observation"].shape == make_encoded_noise().observation_space.shape
    data = rollout(env)
    index = data["action"].numpy().argmax(1)
    check_rewards(data, brightness(*transitions(data, index[:, None])))
    encoder, twin = small_encoder(), NoiseEnv()
    twin.reset(seed=SEED)  # `set_seed` resets the environment with the seed, and `rollout` resets it again
    obs = alone(encoder, twin.reset()[0])
    for step in data:
        assert_close(step["observation"].numpy(), obs)
        frame, _, terminated, truncated, _ = twin.step(0)
        obs = alone(encoder, frame)
        assert_close(step["next", "observation"].numpy(), obs)
        if terminated or truncated:
            obs = alone(encoder, twin.reset()[0])
    assert data["next", "done"].sum() >= 3


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_vector_environments(mode: AutoresetMode) -> None:
    """TorchRL reads the mode from an attribute, which Gymnasium's own vector wrappers do not have."""
    envs = VectorEncodeObservation(SyncVectorEnv([NoiseEnv] * N, autoreset_mode=mode), small_encoder())
    envs = VectorLearnedReward(envs, brightness, device="cpu")
    data = rollout(GymWrapper(envs, device="cpu"))
    assert data.batch_size == (N, STEPS)
    for row in data:
        check_rewards(row, brightness(*transitions(row, row["action"].numpy().argmax(1)[:, None])))
        # Final observations belong to their own episode.
        done = row["next", "done"][:-1, 0]
        assert done.sum() >= 2
        follows = (row["next", "observation"][:-1] == row["observation"][1:]).all(1)
        assert follows.equal(~done)


def test_the_default_mode_is_refused() -> None:
    envs = VectorLearnedReward(gym.make_vec("CartPole-v1", num_envs=N), balance, device="cpu")
    with pytest.raises(RuntimeError, match="NEXT_STEP"):
        GymWrapper(envs, device="cpu")
    envs.close()
