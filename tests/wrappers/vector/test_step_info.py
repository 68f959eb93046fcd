"""Step results of foreign vector environments: batches, tensors, lists of info, older keys."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import DictInfoToList
from noise_env import NoiseEnv, assert_close, small_encoder

from rlpriors.wrappers import VectorEncodeObservation, VectorLearnedReward
from rlpriors.wrappers.vector.step_info import final_observations

CAMERA = Box(0, 255, (48, 48, 3), np.uint8)


def change(obs: Any, act: Any, obs_next: Any, terminated: Any) -> Any:
    return obs_next[:, 0] - obs[:, 0]


class Batched(VectorEnv[Any, Any, Any]):
    """Two environments as in ManiSkill: the first one ends at each step; all results are batches."""

    num_envs = 2
    single_action_space = Discrete(2)

    def __init__(self, convert: Any, key: str = "final_obs", tree: Any = dict) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.convert, self.key, self.tree = convert, key, tree
        spaces = {"rgb": CAMERA, "speed": Box(-9, 9, (1,))}
        self.single_observation_space = Dict(spaces) if tree is dict else Tuple(spaces.values())
        self.observation_space = batch_space(self.single_observation_space, 2)
        self.action_space = batch_space(self.single_action_space, 2)

    def observe(self, level: int) -> Any:
        leaves = {
            "rgb": self.convert(np.full((2, 48, 48, 3), level, np.uint8)),
            "speed": self.convert(np.full((2, 1), level, np.float32)),
        }
        return leaves if self.tree is dict else tuple(leaves.values())

    def reset(self, *, seed=None, options=None):
        return self.observe(1), {}

    def step(self, actions):
        done = self.convert(np.array([True, False]))
        none = self.convert(np.zeros(2, bool))
        info = {self.key: self.observe(3), f"_{self.key}": done}
        return self.observe(2), self.convert(np.ones(2, np.float32)), done, none, info


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("key", ["final_obs", "final_observation"])
@pytest.mark.parametrize("tree", [dict, tuple])
def test_final_observations_as_one_batch(convert: Any, key: str, tree: Any) -> None:
    encoder = small_encoder()
    envs = VectorEncodeObservation(Batched(convert, key, tree), encoder, stack=2)
    envs.reset()
    obs, _, _, _, info = envs.step(np.zeros(2, int))
    camera = "rgb" if tree is dict else 0
    frames = encoder.encode(np.stack([np.full((48, 48, 3), level, np.uint8) for level in range(4)]))
    assert info[f"_{key}"].tolist() == [True, False]
    assert info[key][1] is None
    assert_close(info[key][0][camera], np.concatenate([frames[1], frames[3]]))
    assert_close(obs[camera][0], np.concatenate([frames[2], frames[2]]))
    assert_close(obs[camera][1], np.concatenate([frames[1], frames[2]]))


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("key", ["final_obs", "final_observation"])
def test_rewards_read_final_observations_of_a_batch(convert: Any, key: str) -> None:
    envs = VectorLearnedReward(
        Batched(convert, key),
        lambda obs, act, obs_next, terminated: obs_next[:, 0] - obs[:, 0],
        obs_keys=["speed"],
    )
    _, info = envs.reset()
    assert info["env_reward"].tolist() == [0.0, 0.0]
    _, rewards, _, _, info = envs.step(np.zeros(2, int))
    assert rewards.tolist() == [2.0, 1.0]  # 1 -> 3 of the ended episode, 1 -> 2
    assert isinstance(info["env_reward"], np.ndarray)
    assert info["env_reward"].tolist() == [1.0, 1.0]


def test_a_list_of_infos_has_the_same_content() -> None:
    def make() -> SyncVectorEnv:
        return SyncVectorEnv([NoiseEnv] * 2, autoreset_mode=AutoresetMode.SAME_STEP)

    encoder, ended = small_encoder(), 0
    plain = VectorEncodeObservation(make(), encoder, stack=2)
    listed = VectorEncodeObservation(DictInfoToList(make()), encoder, stack=2)
    plain.reset(seed=1)
    listed.reset(seed=1)
    for _ in range(8):
        info, infos = plain.step(np.zeros(2, int))[4], listed.step(np.zeros(2, int))[4]
        for row in np.flatnonzero(info.get("_final_obs", [])):
            assert_close(infos[row]["final_obs"], info["final_obs"][row])
            ended += 1
    assert ended


def test_rewards_below_a_list_of_infos() -> None:
    def make() -> SyncVectorEnv:
        return SyncVectorEnv(
            [lambda: gym.make("CartPole-v1", max_episode_steps=3)] * 2, autoreset_mode=AutoresetMode.SAME_STEP
        )

    def angle(obs: Any, act: Any, obs_next: Any, terminated: Any) -> Any:
        return obs_next[:, 2]

    plain, listed = VectorLearnedReward(make(), angle), VectorLearnedReward(DictInfoToList(make()), angle)
    plain.reset(seed=1)
    assert listed.reset(seed=1)[1] == [{"env_reward": 0.0}] * 2
    for _ in range(5):
        step, other = plain.step(np.zeros(2, int)), listed.step(np.zeros(2, int))
        np.testing.assert_array_equal(step[1], other[1])
        assert [info["env_reward"] for info in other[4]] == [1.0, 1.0]


def test_missing_and_short_final_observations_are_named() -> None:
    rows = np.array([1])
    with pytest.raises(ValueError, match=r"final observations of .* \[1\] .*the keys \['episode'\]"):
        final_observations({"episode": 3}, rows, 2)
    with pytest.raises(ValueError, match=r"the keys \[\[\]\]"):
        final_observations([{}, {}], rows, 2)
    with pytest.raises(ValueError, match=r"a row for each of the 3 environments. Received 2 rows"):
        final_observations({"final_obs": np.zeros((2, 4))}, rows, 3)
