"""Rewards of images: shapes, units, files, wrappers and preferences."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlpriors.agents.preferences.fit import learn_from_preferences, preference_reward
from rlpriors.data import Episode, EpisodeStore
from rlpriors.preferences import OracleLabeler, collect_preferences, uniform_pairs
from rlpriors.rewards import EnsembleReward, PixelReward, PixelRewardSettings, ShapedReward, load_reward
from rlpriors.rewards.pixels import image_channels, pixel_high
from rlpriors.wrappers import LearnedReward

SIZE = 36


class Light(gym.Env):
    """A gray picture that the agent makes brighter (1) or darker (0)."""

    observation_space = gym.spaces.Box(0, 255, (SIZE, SIZE), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.level = int(self.np_random.integers(3, 8))
        return self.frame(), {}

    def frame(self) -> np.ndarray:
        return np.full((SIZE, SIZE), 25 * self.level, np.uint8)

    def step(self, action):
        self.level = int(np.clip(self.level + 2 * action - 1, 0, 10))
        return self.frame(), float(self.level), False, False, {}


def light_data(n: int = 12, steps: int = 12) -> EpisodeStore:
    env, rng, episodes = Light(), np.random.default_rng(0), []
    for seed in range(n):
        frames, actions, rewards = [env.reset(seed=seed)[0]], [], []
        for action in rng.integers(2, size=steps):
            rewards.append(float(env.level))
            frames.append(env.step(action)[0])
            actions.append(action)
        flags = np.zeros(steps, bool)
        episodes.append(Episode(np.stack(frames), np.array(actions), np.array(rewards), flags, flags))
    return EpisodeStore.from_episodes(episodes, action_space=Light.action_space)


def moved(frames: np.ndarray, channels: str) -> np.ndarray:
    return frames if channels == "last" else frames.transpose(0, 3, 1, 2)


def test_channels_first_and_last_give_the_same_reward() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 36, 3), np.uint8)
    scores = []
    for channels, shape in (("last", (40, 36, 3)), ("first", (3, 40, 36))):
        torch.manual_seed(0)
        reward = PixelReward(PixelRewardSettings(shape))
        scores.append(reward.score(moved(frames, channels), [[0.0]] * 2, moved(frames, channels)))
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[0][0] != scores[0][1]


def test_bytes_and_floats_give_the_same_reward() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 36, 36), np.uint8)
    rewards = []
    for high in (255.0, 1.0):
        torch.manual_seed(0)
        rewards.append(PixelReward(PixelRewardSettings((36, 36), high)))
    floats = frames / np.float32(255)
    expected = rewards[0].score(frames, [[0.0]] * 2, frames)
    assert rewards[1].score(floats, [[0.0]] * 2, floats) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(84,), (84, 8), (8, 8, 3), (3, 84, 3), (64, 64, 64), (1, 3, 84, 84)])
def test_shapes_of_no_image_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"An image must be .* Received shape"):
        image_channels(shape)


@pytest.mark.parametrize(
    "frames", [np.full((1, 36, 36), 7.0), np.zeros((1, 36, 36), np.int64), np.zeros((0, 36, 36))]
)
def test_unclear_brightness_is_refused(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"Images must be uint8, or floats in \[0, 1\]"):
        pixel_high(frames)


def test_saved_ensemble_scores_alike(tmp_path) -> None:
    members = [PixelReward(PixelRewardSettings((36, 36), act_dim=1)) for _ in range(2)]
    reward = EnsembleReward(members, 0.5)
    loaded = load_reward(reward.save(tmp_path), device="cpu")
    frames = np.random.default_rng(0).integers(0, 256, (3, 36, 36), np.uint8)
    expected = reward.score(frames, [[0.0]] * 3, frames)
    assert (loaded.score(frames, [[0.0]] * 3, frames) == expected).all()
    assert "image of shape (36, 36), values in 0..255" in (tmp_path / "README.md").read_text()


def test_wrapper_refuses_another_brightness_or_size() -> None:
    reward = PixelReward(PixelRewardSettings((36, 36), 1.0))
    with pytest.raises(
        ValueError, match=r"images with values up to 255\. Received a PixelReward for values up"
    ):
        LearnedReward(Light(), reward)
    with pytest.raises(ValueError, match=r"observations of shape \(36, 36\)"):
        LearnedReward(Light(), PixelReward(PixelRewardSettings((40, 40))))


def test_shaping_of_images_is_refused() -> None:
    with pytest.raises(ValueError, match="`base` must read vectors"):
        ShapedReward(PixelReward(PixelRewardSettings((36, 36))), gamma=0.9)


def test_comparisons_of_pictures_teach_brightness() -> None:
    data = light_data()
    pairs = uniform_pairs(data, 60, length=3, seed=0)
    preferences = collect_preferences(OracleLabeler(), data, pairs, 3, "make light")
    reward = learn_from_preferences(
        data, preferences, reward=preference_reward(data, n_members=1), n_updates=60, device="cpu"
    )
    levels = np.stack([np.full((SIZE, SIZE), 25 * level, np.uint8) for level in (2, 5, 9)])
    scores = reward.score(levels, [[0.0]] * 3, levels)
    assert scores[0] < scores[1] < scores[2]
    env = LearnedReward(Light(), reward)
    env.reset(seed=0)
    assert env.step(1)[1] < env.step(1)[1]  # the reward of a step is that of the picture before it


def test_images_take_no_selection_of_inputs() -> None:
    with pytest.raises(ValueError, match=r'`inputs` must be \("obs",\) and `obs_index` None for images'):
        preference_reward(light_data(2), inputs=("obs", "act"))
