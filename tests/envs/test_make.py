"""Environments by their id: arguments, images, and one error for an id that cannot be made."""

import gymnasium as gym
import pytest

from rlpriors.envs.make import make_env, register_envs


def test_observations_stay_without_an_image_size():
    env = make_env("CartPole-v1", max_episode_steps=3)
    assert env.observation_space.shape == (4,)
    assert env.render_mode is None
    assert env.spec.max_episode_steps == 3


def test_an_unknown_id_registers_gymnasium_robotics():
    pytest.importorskip("gymnasium_robotics")
    env = make_env("PointMaze_UMaze-v3", max_episode_steps=5, continuing_task=False)
    assert set(env.observation_space) == {"achieved_goal", "desired_goal", "observation"}


def test_a_mujoco_environment_is_rendered_at_the_image_size():
    pytest.importorskip("mujoco")
    env = make_env("InvertedPendulum-v5", image_size=(12, 16))
    obs, _ = env.reset(seed=0)
    assert obs.shape == env.observation_space.shape == (12, 16, 3)
    env.close()


def test_atari_images_keep_their_size():
    pytest.importorskip("ale_py")
    assert make_env("ALE/Pong-v5", image_size=(8, 8)).observation_space.shape == (210, 160, 3)


@pytest.mark.parametrize(
    ("env_id", "arguments", "message"),
    [
        ("NoSuch-v0", {}, "`env` must be the id of an installed environment. Received 'NoSuch-v0'.*Install"),
        ("no.such.module:Any-v0", {}, "Received 'no.such.module:Any-v0'.*write \"module:Id-v0\""),
        ("CartPole-v1", {"color": 1}, r"'CartPole-v1' does not take the arguments {'color': 1}"),
    ],
)
def test_an_id_that_cannot_be_made_raises_with_the_fix(env_id, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_env(env_id, **arguments)


def test_missing_ale_py_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ale_py", None)
    monkeypatch.delitem(gym.registry, "ALE/Pong-v5", raising=False)
    with pytest.raises(ImportError, match=r"pip install .*\[atari\]"):
        register_envs("ALE/Pong-v5")
