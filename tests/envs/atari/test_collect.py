"""Collecting Atari frames: pairs of frame and memory, ends of episodes, processes, and killed runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari import collect as atari
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.atari.ram_annotations import game_name, ram_labels

pytest.importorskip("ale_py")

FEW = AtariSettings(n_envs=3, noop_max=2)


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return collect_atari("Pong", 120, 5, tmp_path_factory.mktemp("pong") / "store", FEW, progress=False)


def test_every_step_has_its_frame_and_memory(pong: FrameStore) -> None:
    assert pong.frames.shape == (123, 210, 160, 1)
    assert pong.lengths.tolist() == [41, 41, 41]
    assert pong.arrays["ram"].shape == (123, 128)
    steps = pong.steps()
    assert {name: len(array) for name, array in steps.items()} == dict.fromkeys(steps, 120)
    assert np.flatnonzero(steps["truncated"]).tolist() == [39, 79, 119]
    assert set(np.unique(steps["act"]).tolist()) == set(range(6))  # waiting among them


def same(one: FrameStore, other: FrameStore) -> bool:
    arrays = all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    return arrays and np.array_equal(one.frames, other.frames)


@pytest.mark.slow
def test_collection_does_not_depend_on_processes(pong: FrameStore, tmp_path: Path) -> None:
    assert same(pong, collect_atari("pong", 120, 5, tmp_path / "a", FEW, n_workers=2, progress=False))


def test_collection_follows_the_seed_and_is_not_repeated(
    pong: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not same(pong, collect_atari("pong", 120, 6, tmp_path / "b", FEW, progress=False))
    monkeypatch.delattr(atari, "_collect_game")
    assert same(pong, collect_atari("ALE/Pong-v5", 120, 5, pong.folder, FEW, progress=False))


def test_a_killed_run_goes_on(pong: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []
    real = atari._collect_game

    def dies_in_the_third(*job: Any, **options: Any) -> None:
        played.append(job[3])
        if job[3] == 2 and len(played) == 3:
            FrameWriter(job[4])  # what a killed process leaves: files under a temporary name
            raise KeyboardInterrupt
        real(*job, **options)

    monkeypatch.setattr(atari, "_collect_game", dies_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        collect_atari("pong", 120, 5, tmp_path / "store", FEW, progress=False)
    assert not (tmp_path / "store").exists()
    with pytest.raises(ValueError, match=r"was collected with seed=5 \(now 6\)"):
        collect_atari("pong", 120, 6, tmp_path / "store", FEW, progress=False)
    store = collect_atari("pong", 120, 5, tmp_path / "store", FEW, progress=False)
    assert played == [0, 1, 2, 2]
    assert same(store, pong)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_episodes_end_with_lives_and_colors_and_size_are_kept(tmp_path: Path) -> None:
    settings = AtariSettings(n_envs=1, gray=False, image_size=(21, 16), policy="sticky", stickiness=0.5)
    store = collect_atari("breakout", 150, 0, tmp_path / "lives", settings, progress=False)
    assert store.frames.shape[1:] == (21, 16, 3)
    steps = store.steps()
    assert store.n_episodes > 2
    assert steps["terminated"].sum() == store.n_episodes - 1
    ram = store.arrays["ram"]  # the first frame of a life does not have the memory of the last one's end
    assert (ram[store.starts[1:]] != ram[store.starts[1:] - 1]).any(1).all()
    assert (ram_labels(store, "breakout")["ball_y"][store.starts] > 0).all()
    assert np.diff(steps["act"]).astype(bool).mean() < 0.6  # 3/4 of half of the steps
    whole = AtariSettings(n_envs=1, episodic_life=False)
    assert (
        collect_atari("breakout", 150, 0, tmp_path / "game", whole, progress=False).n_episodes
        < store.n_episodes
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda path: collect_atari("pongg", 10, 0, path),
            "`game` must be one of 108 games.*'pongg'.*'?pong",
        ),
        (
            lambda path: collect_atari("pong", 2, 0, path, FEW),
            "`n_steps` must be at least 3, the number",
        ),
        (lambda path: AtariSettings(stickiness=1.0), r"`stickiness` must be in \[0, 1\)"),
        (lambda path: AtariSettings(frame_skip=0), "`frame_skip` must be at least 1"),
        (lambda path: AtariSettings(image_size=(0, 3)), "`image_size` must be"),
        (lambda path: game_name("freway"), "Did you mean freeway"),
    ],
)
def test_what_cannot_be_collected_is_refused(call: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "new")


def test_folders_of_others_are_refused(pong: FrameStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`folder` must be new, or hold frames that `collect_atari` wrote"):
        collect_atari("pong", 120, 5, tmp_path, FEW, progress=False)
    shutil.copytree(pong.folder, tmp_path / "copy")
    with pytest.raises(ValueError, match=r"game='pong' .now 'breakout'."):
        collect_atari("breakout", 120, 5, tmp_path / "copy", FEW, progress=False)
    plan = json.loads((tmp_path / "copy" / "atari.json").read_text())
    assert plan["steps"] == 120
    with FrameWriter(tmp_path / "bare") as writer:
        writer.add_episode(np.zeros((3, 4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match=r"must hold the array `ram`.*has none"):
        ram_labels(FrameStore.open(tmp_path / "bare"), "pong")


def test_kills_around_the_last_rename(pong: FrameStore, tmp_path: Path) -> None:
    (tmp_path / ".store.parts").mkdir()  # killed before the settings were written
    store = collect_atari("pong", 120, 5, tmp_path / "store", FEW, progress=False)
    assert same(store, pong)
    (tmp_path / ".store.parts").mkdir()  # killed before the games were removed
    assert same(collect_atari("pong", 120, 5, tmp_path / "store", FEW, progress=False), pong)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
