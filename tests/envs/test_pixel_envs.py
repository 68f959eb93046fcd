"""Environments with small images for observations."""

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.envs.pixel_envs import AtariPixels, PixelEnvSpec


def test_games_have_any_spelling_and_are_seeded():
    assert PixelEnvSpec("ALE/Pong-v5").name == PixelEnvSpec("pong").name == "pong"
    one, two = AtariPixels("pong", 16), AtariPixels("ALE/Pong-v5", 16)
    for env in (one, two):
        env.reset(seed=3)
        for act in (2, 3, 2, 0):
            env.step(np.int64(act))
    assert np.array_equal(one.ram(), two.ram())
    assert np.array_equal(one.render(), two.render())


def test_a_game_continues_with_the_next_life_and_begins_with_all():
    env, lives = AtariPixels("breakout", 8), 57
    env.reset(seed=0)
    assert env.ram()[lives] == 5
    for _ in range(60):  # who stands still loses the ball
        assert not env.step(0)[2]
    assert env.ram()[lives] < 5
    env.reset()
    assert env.ram()[lives] == 5


@pytest.mark.parametrize(
    ("changes", "name"), [({"image_size": 4}, "image_size"), ({"max_episode_steps": 0}, "max_episode_steps")]
)
def test_specifications_are_bounded(changes, name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least"):
        PixelEnvSpec("rlpriors-tests/Lamps-v0", **changes)


def test_what_cannot_be_rendered_is_refused():
    gym.register("rlpriors-tests/Blind-v0", lambda: None)
    with pytest.raises(
        ValueError, match=r"`env` 'rlpriors-tests/Blind-v0' does not take the arguments .*render_mode"
    ):
        PixelEnvSpec("rlpriors-tests/Blind-v0").make()
