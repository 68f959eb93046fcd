"""Minari's `DataCollector` around the wrappers: observations, rewards, infos, layout, environment spec."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from noise_env import NoiseEnv, alone, assert_close, small_encoder
from peer_envs import brightness, make_encoded_noise, make_pendulum, swing

pytest.importorskip("jax", reason="minari[create] is not installed: `make test-peers`")

from minari import DataCollector, MinariDataset, load_dataset

from rlpriors.data.minari import load_store, read_episodes, write_dataset
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.wrappers import EncodeObservation, LearnedReward

pytestmark = [
    pytest.mark.peers,
    # A function as reward has no place in a spec, and the toys have none; the other fields are optional.
    pytest.mark.filterwarnings("ignore:env_spec is", r"ignore:`\w+` is set to None"),
    # Minari leaves the removal of its temporary folder to the garbage collector.
    pytest.mark.filterwarnings("ignore:Implicitly cleaning up"),
]

NAME = "peers/recorded-v0"
EPISODES = 3


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))


def record(env: gym.Env, seeds: bool = True, **options: Any) -> MinariDataset:
    collector = DataCollector(env, **{"record_infos": True, **options})
    collector.action_space.seed(0)
    for seed in range(EPISODES):
        collector.reset(seed=seed if seeds else None)
        ended = False
        while not ended:
            _, _, terminated, truncated, _ = collector.step(collector.action_space.sample())
            ended = terminated or truncated
    collector.create_dataset(NAME, algorithm_name="random")
    collector.close()
    return load_dataset(NAME)


def test_learned_rewards_and_own_rewards() -> None:
    dataset = record(make_pendulum())
    own = gym.make("Pendulum-v1", max_episode_steps=10)
    for seed, episode in enumerate(dataset):
        obs, _ = own.reset(seed=seed)
        assert_close(episode.observations[0], obs)
        assert episode.infos["env_reward"][0] == 0
        for t, act in enumerate(episode.actions):
            obs, reward, _, truncated, _ = own.step(act)
            assert_close(episode.observations[t + 1], obs)
            assert episode.infos["env_reward"][t + 1] == pytest.approx(reward, rel=1e-5)
            assert episode.truncations[t] == truncated
        before, after = episode.observations[:-1], episode.observations[1:]
        assert_close(episode.rewards, swing(before, episode.actions, after, False))
    store = load_store(NAME)
    assert store.lengths.tolist() == [10] * EPISODES
    assert store.action_space == own.action_space
    assert_close(store.rew, np.concatenate([episode.rewards for episode in dataset]))
    assert_close(store.obs, np.concatenate([episode.observations for episode in dataset]))


@pytest.mark.parametrize("seeds", [True, False])
def test_encodings_are_those_of_the_frames(seeds: bool) -> None:
    """Without seeds Minari draws one of 64 bits for each episode and stores it."""
    dataset = record(make_encoded_noise(), seeds)
    encoder = small_encoder()
    for episode, read in zip(dataset, read_episodes(NAME), strict=True):
        env = NoiseEnv()
        frames = [env.reset(seed=int(read.seed))[0]]
        frames += [env.step(0)[0] for _ in episode.actions]
        expected = np.stack([alone(encoder, frame) for frame in frames])
        assert_close(episode.observations, expected)
        assert_close(read.obs, expected)
        ends = episode.terminations.astype(float)
        assert_close(episode.rewards, brightness(expected[:-1], episode.actions[:, None], expected[1:], ends))
    # Our own writer takes the episodes as they are, seeds included.
    write_dataset(read_episodes(NAME), "peers/copied-v0", observation_space=dataset.observation_space,
                  action_space=dataset.action_space)  # fmt: skip
    for copied, read in zip(read_episodes("peers/copied-v0"), read_episodes(NAME), strict=True):
        assert copied.seed == read.seed
        np.testing.assert_array_equal(copied.obs, read.obs)


@pytest.mark.parametrize("keep_pixels", [False, True])
def test_leaves_of_dict_observations_keep_their_order(keep_pixels: bool) -> None:
    env = EncodeObservation(NoiseEnv("dict"), small_encoder(), keep_pixels=keep_pixels)

    def force(obs: Any, act: Any, obs_next: Any, terminated: Any) -> Any:
        return obs_next[:, 0]

    env = LearnedReward(env, force, device="cpu", obs_keys=("hand/force",))
    dataset = record(env, jpeg_encoding=False)
    encoder = small_encoder()
    keys = ("mode", "hand/camera", "hand/force")
    store = load_store(NAME, obs_keys=keys)
    assert store.obs_layout is not None
    assert store.obs_layout.keys == keys
    row = 0
    for seed, episode in enumerate(dataset):
        twin = NoiseEnv("dict")
        frame, _ = twin.reset(seed=seed)
        for t in range(len(episode.actions) + 1):
            camera = alone(encoder, frame["hand"]["camera"])
            assert_close(episode.observations["hand"]["camera"][t], camera)
            assert_close(episode.observations["front"][t], alone(encoder, frame["front"]))
            if keep_pixels:
                stored = episode.observations["hand"]["camera_pixels"][t]
                np.testing.assert_array_equal(stored, frame["hand"]["camera"])
            assert_close(store.obs[row], [frame["mode"], *camera, *frame["hand"]["force"]])
            frame, row = twin.step(0)[0], row + 1
        np.testing.assert_array_equal(episode.rewards, np.arange(1, len(episode.rewards) + 1))
        assert episode.infos["env_reward"].tolist() == [0] + [1] * len(episode.rewards)
    assert row == len(store.obs)


def reward_folder(tmp_path: Path) -> gym.Env:
    if not (tmp_path / "reward").exists():
        MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path / "reward")
    env = gym.make("Pendulum-v1", max_episode_steps=5)
    return LearnedReward(env, str(tmp_path / "reward"), device="cpu")


def encoder_by_name(tmp_path: Path) -> gym.Env:
    env = gym.make("ale_py:ALE/Breakout-v5", max_episode_steps=5)
    return EncodeObservation(env, "rlpriors/atari-small", device="cpu")


@pytest.mark.parametrize("make", [reward_folder, encoder_by_name])
def test_the_data_set_builds_the_wrapped_environment(make: Callable[[Path], gym.Env], tmp_path: Path) -> None:
    # Minari refuses infos that differ between reset and step, as Atari's.
    again = record(make(tmp_path), record_infos=make is reward_folder).recover_environment()
    env = make(tmp_path)
    assert again.observation_space == env.observation_space
    for one in (env, again):
        one.action_space.seed(1)
    assert_close(env.reset(seed=1)[0], again.reset(seed=1)[0])
    for _ in range(3):
        step, other = (one.step(one.action_space.sample()) for one in (env, again))
        assert_close(step[0], other[0])
        assert step[1] == pytest.approx(other[1])
