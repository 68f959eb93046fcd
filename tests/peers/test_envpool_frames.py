"""Atari frames that EnvPool collects: the contract of `collect_atari`, and the commands that use it."""

import json
from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.envpool_games import envpool_task
from rlpriors.envs.atari.game import AtariSettings, rom_names
from rlpriors.envs.random_frames import collect_random_frames
from rlpriors.scripts.encoder_args import FrozenEncoderArgs
from rlpriors.scripts.probe.run import probe
from rlpriors.scripts.probe.settings import ProbeRunSettings

pytest.importorskip("envpool", reason="EnvPool is not installed: `make test-peers`")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:.*precision lowered by casting"),
]


def collect(folder: Path, n_steps: int = 900, seed: int = 0, n_workers: int = 2, **fields) -> FrameStore:
    return collect_atari(
        "pong",
        n_steps,
        seed,
        folder,
        AtariSettings(n_envs=3, **fields),
        n_workers=n_workers,
        progress=False,
        collector="envpool",
    )


def paddle_offsets(store: FrameStore, shift: int = 0) -> np.ndarray:
    """Return the distances of the player's paddle on the screen and in the RAM `shift` frames later.

    Address 51 of Pong's RAM is the player's row; the paddle is in columns 140 to 143.
    """
    offsets = []
    rams = np.roll(store.arrays["ram"][:, 51], -shift)
    for frame, row in zip(store.frames[:], rams, strict=True):
        court = frame[34:194, 140:144, 0]
        rows = np.flatnonzero((court != np.median(court)).all(1))  # the ball is narrower
        if 0 < len(rows) <= 20:
            offsets.append(rows.mean() - float(row))
    return np.array(offsets)


def test_frames_and_labels_are_those_of_ale_py(tmp_path: Path) -> None:
    found = collect(tmp_path / "envpool")
    expected = collect_atari("pong", 900, 0, tmp_path / "ale", AtariSettings(n_envs=3), progress=False)
    assert found.frames.shape[1:] == expected.frames.shape[1:] == (210, 160, 1)
    assert {name: (a.dtype, a.shape[1:]) for name, a in found.arrays.items()} == {
        name: (a.dtype, a.shape[1:]) for name, a in expected.arrays.items()
    }
    assert len(found.frames) == 900 + found.n_episodes
    # Each frame has the RAM that it was drawn from, in both.
    offsets, true_offsets = paddle_offsets(found), paddle_offsets(expected)
    assert len(offsets) > 500
    assert abs(np.median(offsets) - np.median(true_offsets)) <= 1
    spread, true_spread = (np.abs(x - np.median(x)).mean() for x in (offsets, true_offsets))
    assert spread < 1.2 * true_spread
    for shift in (-1, 1):  # the RAM of another frame does not fit
        others = paddle_offsets(found, shift)
        assert np.abs(others - np.median(others)).mean() > 1.5 * spread
    # Both draw the same colors and meet the same rewards.
    assert set(np.unique(found.frames[::50])) <= set(np.unique(expected.frames[:]))
    assert set(np.unique(found.arrays["rew"])) <= {-1, 0, 1}
    for episode in range(found.n_episodes):
        ends = found.episode(episode, "terminated") | found.episode(episode, "truncated")
        assert ends.tolist() == [False] * (len(ends) - 2) + [True, False]
    assert set(found.arrays["act"].tolist()) == set(range(6))


def test_an_episode_ends_with_a_life_and_sticky_actions_repeat(tmp_path: Path) -> None:
    settings = AtariSettings(n_envs=2, policy="sticky", stickiness=0.8, gray=False, image_size=(60, 50))
    store = collect_atari("breakout", 400, 1, tmp_path / "a", settings, progress=False, collector="envpool")
    assert store.frames.shape[1:] == (60, 50, 3)
    assert int(store.arrays["terminated"].sum()) > 3
    act = store.episode(0, "act")[:-1]
    assert 0.6 < np.mean(act[1:] == act[:-1]) <= 1


def test_the_store_depends_on_the_seed_alone(tmp_path: Path) -> None:
    first = collect(tmp_path / "a", n_steps=60)
    threads = collect(tmp_path / "b", n_steps=60, n_workers=1)
    other = collect(tmp_path / "c", n_steps=60, seed=1)
    np.testing.assert_array_equal(first.frames[:], threads.frames[:])
    assert not np.array_equal(first.frames[:], other.frames[:])


def test_the_store_names_its_collector(tmp_path: Path) -> None:
    collect(tmp_path / "a", n_steps=30)
    assert json.loads((tmp_path / "a" / "atari.json").read_text())["collector"] == "envpool"
    assert len(collect(tmp_path / "a", n_steps=30).frames) == 30 + 3  # opened
    with pytest.raises(ValueError, match=r"collector='envpool' \(now 'ale_py'\)"):
        collect_atari("pong", 30, 0, tmp_path / "a", AtariSettings(n_envs=3), progress=False)
    collect_atari("pong", 30, 0, tmp_path / "b", AtariSettings(n_envs=3), progress=False)
    assert "collector" not in json.loads((tmp_path / "b" / "atari.json").read_text())
    with pytest.raises(ValueError, match=r"collector='ale_py' \(now 'envpool'\)"):
        collect(tmp_path / "b", n_steps=30)


def test_what_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`noop_max` must be at least 1"):
        collect(tmp_path / "a", n_steps=30, noop_max=0)
    with pytest.raises(ValueError, match=r"must be one of EnvPool's\. Received 'no_game'"):
        envpool_task("no_game")
    assert envpool_task("ms_pacman") == "MsPacman-v5"
    missing = [rom for rom in ("pong", "breakout", "qbert", "space_invaders") if rom not in rom_names()]
    assert missing == []


def test_the_commands_collect_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ProbeRunSettings(
        game="pong",
        encoder=FrozenEncoderArgs("none"),
        n_steps=600,
        epochs=1,
        supervised_epochs=0,
        collector="envpool",
        device="cpu",
    )
    run = probe(settings)
    assert "random-cnn" in (run / "probe.csv").read_text()
    assert json.loads((run / "settings.json").read_text())["collector"] == "envpool"
    frames = tmp_path / "runs/frames/pong-random-gray-600-seed0-envpool"
    assert json.loads((frames / "atari.json").read_text())["collector"] == "envpool"
    store = collect_random_frames(
        "ALE/Pong-v5", 40, tmp_path / "p", seed=0, image_size=(40, 30), gray=True, collector="envpool"
    )
    assert store.frames.shape[1:] == (40, 30, 1)
