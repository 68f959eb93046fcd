"""Experts: that they are, what is kept of them, and what is output where there is none."""

import json
import sys
from pathlib import Path

import lamp_env
import pytest

from rlpriors.data.frames import FrameStore
from rlpriors.envs.experts import EXPERTS
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.scripts.demonstrate.run import demonstrate, episode_returns
from rlpriors.scripts.demonstrate.settings import DemonstrateSettings
from rlpriors.scripts.main import main

LAMPS = "rlpriors-tests/Lamps-v0"


def test_an_expert_is_recorded_with_its_returns(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(EXPERTS, PixelEnvSpec(LAMPS).name, lambda: lamp_env.press_the_lit)
    settings = DemonstrateSettings(LAMPS, n_episodes=2, image_size=12, n_random_episodes=3)
    folder = demonstrate(settings, folder=tmp_path / "demos", progress=False)
    store = FrameStore.open(folder)
    assert store.frames.shape == (14, 12, 12, 3)
    assert episode_returns(store).tolist() == [6, 6]
    assert (store.frames[:, 0, 0, 0] < 100).tolist()[:6] == store.arrays["act"][:6].astype(bool).tolist()
    output = json.loads((folder / "demonstrations.json").read_text())
    assert output["expert"] == {"mean": 6, "std": 0, "low": 6, "high": 6, "episodes": 2}
    assert output["random"]["episodes"] == 3
    assert output["random"]["mean"] < 6
    assert "expert: return 6.00 ± 0.00 over 2 episodes" in capsys.readouterr().out
    with pytest.raises(ValueError, match="`folder` must be new"):
        demonstrate(settings, folder=folder, progress=False)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("Hopper-v5", r"`env` must be one of pong, .*scripted expert.* `recording`.*'Hopper-v5'"),
        ("pogn", r"'pogn'\. Did you mean pong\?"),
        ("qbert", "`env` must be one of pong, .*scripted expert"),
    ],
)
def test_an_expert_for_an_unknown_game_is_refused(tmp_path, env, message):
    with pytest.raises(ValueError, match=message):
        demonstrate(DemonstrateSettings(env), folder=tmp_path / "demos", progress=False)
    assert not (tmp_path / "demos").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_episodes": 0}, "`n_episodes` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"action_noise": 1.0}, r"`action_noise` must be in \[0, 1\)"),
        ({"action_noise": 0.1, "recording": Path("some")}, "0 for a `recording`"),
    ],
)
def test_settings_are_bounded(changes, message):
    with pytest.raises(ValueError, match=message):
        DemonstrateSettings(LAMPS, **changes)


def test_help_teaches(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rlpriors", "demonstrate", "--help"])
    with pytest.raises(SystemExit):
        main()
    output = capsys.readouterr().out
    assert all(word in output for word in ("--recording", "random policy", "pong", "--folder"))
