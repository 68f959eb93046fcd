"""Scripted experts and replayed recordings."""

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.experts import _reflect, find_expert, replay
from rlpriors.envs.pixel_envs import AtariPixels, PixelEnvSpec
from rlpriors.envs.rollout import iterate_episode


def expert_return(name, n_steps, seed=0):
    """Return of an expert over at most `n_steps` steps, without rendering."""
    spec = PixelEnvSpec(name, image_size=8)
    env, policy = AtariPixels(name, 8) if spec.is_atari else gym.make(name), find_expert(spec)()
    obs, _ = env.reset(seed=seed)
    rewards = [step.rew for step in iterate_episode(env, obs, lambda _: policy(env), n_steps)]
    env.close()
    return sum(rewards)


def test_the_pole_stands():
    assert expert_return("InvertedPendulum-v5", 300) == 300


def test_the_arm_reaches():
    assert np.mean([expert_return("Reacher-v5", 50, seed) for seed in range(5)]) > -8  # random policy: -43


def test_the_ball_comes_back():
    assert expert_return("pong", 150) >= 0  # random policy: -2
    assert expert_return("breakout", 150) >= 2  # random policy: 0


def test_the_chicken_goes_up():
    game = AtariPixels("freeway", 8)
    game.reset(seed=0)
    assert game.actions[find_expert(PixelEnvSpec("ALE/Freeway-v5"))()(game)] == "UP"


def test_a_ball_turns_round_at_both_walls():
    positions = [_reflect(position, 10, 20) for position in (15.0, 23.0, 7.0, 31.0, 36.0)]
    assert positions == [15, 17, 13, 11, 16]


def test_a_recording_is_drawn_where_its_runner_ran(tmp_path):
    """Its first position is summed up from the speed: half a metre on, the floor has another place."""
    obs = np.zeros((4, 17), np.float32)
    obs[:, 8] = [10.0, 10.0, 0.0, 0.0]  # meters in a second; a step is a twentieth of one
    ends = np.array([False, False, True])
    episode = Episode(obs, np.zeros((3, 6), np.float32), np.ones(3, np.float32), ~ends & False, ends)
    path = EpisodeStore.from_episodes([episode]).save(tmp_path / "run.safetensors")
    episode = next(replay(PixelEnvSpec("HalfCheetah-v5", 24, max_episode_steps=3), path, 1))
    frames = episode.obs.astype(int)
    assert frames.shape == (4, 24, 24, 3)
    assert np.abs(frames[1] - frames[0]).mean() > 0.2
    assert np.array_equal(frames[2], frames[3])  # it stands still
    assert episode.truncated.tolist() == [False, False, True]
    assert next(replay(PixelEnvSpec("HalfCheetah-v5", 24, max_episode_steps=2), path, 1)).rew.shape == (2,)
    with pytest.raises(ValueError, match=r"`n_episodes` must be at most 1, .* Received 2"):
        next(replay(PixelEnvSpec("HalfCheetah-v5", 24), path, 2))
    with pytest.raises(ValueError, match=r"`recording` must hold .* its 11 positions"):
        next(replay(PixelEnvSpec("Hopper-v5", 24), path, 1))
