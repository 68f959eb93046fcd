"""Experts: that they are, what is kept of them, and what is told where there is none."""

import json
import sys
from pathlib import Path

import gymnasium as gym
import imitation_world
import numpy as np
import pytest

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.frames import FrameStore
from rlpriors.envs import experts as imitation_experts
from rlpriors.envs.experts import EXPERTS, find_expert, replay
from rlpriors.envs.pixel_envs import AtariPixels, PixelEnvSpec
from rlpriors.scripts.demonstrate.run import demonstrate, play, random_player, returns_of
from rlpriors.scripts.demonstrate.settings import DemonstrateSettings
from rlpriors.scripts.main import main

LAMPS = "rlpriors-tests/Lamps-v0"


def worth(name, steps, seed=0):
    """The return of an expert that looks into an environment which need not be drawn."""
    world = PixelEnvSpec(name, size=8)
    env, player, paid = AtariPixels(name, 8) if world.is_atari else gym.make(name), find_expert(world)(), 0.0
    env.reset(seed=seed)
    for _ in range(steps):
        _, rew, terminated, truncated, _ = env.step(player(env))
        paid += float(rew)
        if terminated or truncated:
            break
    env.close()
    return paid


# ---------------------------------------------------------------- experts


def test_the_pole_stands():
    assert worth("InvertedPendulum-v5", 300) == 300


def test_the_arm_reaches():
    assert np.mean([worth("Reacher-v5", 50, seed) for seed in range(5)]) > -8  # random play: -43


def test_the_ball_comes_back():
    assert worth("pong", 150) >= 0  # random play: -2
    assert worth("breakout", 150) >= 2  # random play: 0


def test_the_chicken_goes_up():
    game = AtariPixels("freeway", 8)
    game.reset(seed=0)
    assert game.actions[find_expert(PixelEnvSpec("ALE/Freeway-v5"))()(game)] == "UP"


def test_a_ball_turns_round_at_both_walls():
    found = [imitation_experts._reflected(at, 10, 20) for at in (15.0, 23.0, 7.0, 31.0, 36.0)]
    assert found == [15, 17, 13, 11, 16]


def test_games_are_told_by_any_name_and_seeded():
    assert PixelEnvSpec("ALE/Pong-v5").name == PixelEnvSpec("pong").name == "pong"
    one, two = AtariPixels("pong", 16), AtariPixels("ALE/Pong-v5", 16)
    for env in (one, two):
        env.reset(seed=3)
        for act in (2, 3, 2, 0):
            env.step(np.int64(act))
    assert np.array_equal(one.ram(), two.ram())
    assert np.array_equal(one.render(), two.render())


def test_a_game_goes_on_with_the_next_life_and_begins_with_all():
    env, lives = AtariPixels("breakout", 8), 57
    env.reset(seed=0)
    assert env.ram()[lives] == 5
    for _ in range(60):  # who stands still loses the ball
        assert not env.step(0)[2]
    assert env.ram()[lives] < 5
    env.reset()
    assert env.ram()[lives] == 5


# ---------------------------------------------------------------- what is kept


def test_an_expert_is_recorded_with_what_it_is_worth(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(EXPERTS, PixelEnvSpec(LAMPS).name, lambda: imitation_world.press_the_lit)
    settings = DemonstrateSettings(LAMPS, episodes=2, size=12, random_episodes=3)
    folder = demonstrate(settings, folder=tmp_path / "demos", progress=False)
    store = FrameStore.open(folder)
    assert store.frames.shape == (14, 12, 12, 3)
    assert returns_of(store).tolist() == [6, 6]
    assert (store.frames[:, 0, 0, 0] < 100).tolist()[:6] == store.arrays["act"][:6].astype(bool).tolist()
    told = json.loads((folder / "demonstrations.json").read_text())
    assert told["expert"] == {"mean": 6, "std": 0, "low": 6, "high": 6, "episodes": 2}
    assert told["random"]["episodes"] == 3
    assert told["random"]["mean"] < 6
    assert "expert: return 6.00 ± 0.00 over 2 episodes" in capsys.readouterr().out
    with pytest.raises(ValueError, match="`folder` must be new"):
        demonstrate(settings, folder=folder, progress=False)


def test_with_noise_other_things_are_done_than_are_recorded():
    world = PixelEnvSpec(LAMPS, 12)
    calm, noisy = (
        list(play(world, lambda: imitation_world.press_the_lit, 5, 0, noise=noise)) for noise in (0.0, 0.5)
    )
    assert [episode.rew.sum() for episode in calm] == [6] * 5
    assert np.mean([episode.rew.sum() for episode in noisy]) < 6  # a quarter of the presses miss
    for episode in noisy:  # and still what is told is right
        bright = episode.obs[:-1, 0, 0, 0] < 100
        assert np.array_equal(bright, episode.act == 1)


def test_random_play_differs_between_episodes_and_not_between_runs():
    def acts():
        episodes = play(PixelEnvSpec(LAMPS, 12), random_player(0), 3, 0)
        return [episode.act.tolist() for episode in episodes]

    first = acts()
    assert first == acts()
    assert len({tuple(act) for act in first}) > 1


def test_a_recording_is_drawn_where_its_runner_ran(tmp_path):
    """Its first position is summed up from the speed: half a metre on, the floor has another place."""
    obs = np.zeros((4, 17), np.float32)
    obs[:, 8] = [10.0, 10.0, 0.0, 0.0]  # meters in a second; a step is a twentieth of one
    ends = np.array([False, False, True])
    episode = Episode(obs, np.zeros((3, 6), np.float32), np.ones(3, np.float32), ~ends & False, ends)
    path = EpisodeStore.from_episodes([episode]).save(tmp_path / "run.safetensors")
    drawn = next(replay(PixelEnvSpec("HalfCheetah-v5", 24, steps=3), path, 1))
    frames = drawn.obs.astype(int)
    assert frames.shape == (4, 24, 24, 3)
    assert np.abs(frames[1] - frames[0]).mean() > 0.2
    assert np.array_equal(frames[2], frames[3])  # it stands still
    assert drawn.truncated.tolist() == [False, False, True]
    assert next(replay(PixelEnvSpec("HalfCheetah-v5", 24, steps=2), path, 1)).rew.shape == (2,)
    with pytest.raises(ValueError, match=r"`episodes` must be at most .* 1\. Received 2"):
        next(replay(PixelEnvSpec("HalfCheetah-v5", 24), path, 2))
    with pytest.raises(ValueError, match=r"`recording` must hold .* its 11 positions"):
        next(replay(PixelEnvSpec("Hopper-v5", 24), path, 1))


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("Hopper-v5", r"`env` must have a scripted expert, as pong, .* or a `recording`.*'Hopper-v5'"),
        ("pogn", r"'pogn'\. Did you mean pong\?"),
        ("qbert", "`env` must have a scripted expert"),
    ],
)
def test_an_expert_for_an_unknown_game_is_told(tmp_path, env, message):
    with pytest.raises(ValueError, match=message):
        demonstrate(DemonstrateSettings(env), folder=tmp_path / "demos", progress=False)
    assert not (tmp_path / "demos").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episodes": 0}, "`episodes` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"noise": 1.0}, r"`noise` must be in \[0, 1\)"),
        ({"noise": 0.1, "recording": Path("some")}, "0 for a `recording`"),
    ],
)
def test_settings_are_bounded(changes, message):
    with pytest.raises(ValueError, match=message):
        DemonstrateSettings(LAMPS, **changes)


@pytest.mark.parametrize(("changes", "name"), [({"size": 4}, "size"), ({"steps": 0}, "steps")])
def test_worlds_are_bounded(changes, name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least"):
        PixelEnvSpec(LAMPS, **changes)


def test_what_cannot_be_rendered_is_told():
    gym.register("rlpriors-tests/Blind-v0", lambda: None)
    with pytest.raises(ValueError, match=r"`env` 'rlpriors-tests/Blind-v0' cannot be made to render"):
        PixelEnvSpec("rlpriors-tests/Blind-v0").make()


def test_help_teaches(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rlpriors", "demonstrate", "--help"])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().out
    assert all(word in told for word in ("--recording", "random play", "pong", "--folder"))
