"""Collecting Atari frames: pairs of frame and memory, ends of episodes, processes, and killed runs."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.envs.atari import collect as atari
from rlpriors.envs.atari.collect import AtariGame, AtariSettings, collect
from rlpriors.envs.atari.ram_annotations import CATEGORIES, GAMES, PAPER_GAMES, game_name, labels

pytest.importorskip("ale_py")

FEW = AtariSettings(environments=3, max_waiting=2)


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return collect("Pong", 120, 5, tmp_path_factory.mktemp("pong") / "store", FEW, progress=False)


def test_all_games_of_the_paper_are_known() -> None:
    assert len(GAMES) == 24
    assert sum(map(len, GAMES.values())) == 362
    assert len(PAPER_GAMES) == 22
    counts = {game: len(GAMES[game]) for game in ("asteroids", "berzerk", "pong", "seaquest", "qbert")}
    assert counts == {"asteroids": 41, "berzerk": 34, "pong": 8, "seaquest": 18, "qbert": 29}
    for variables in GAMES.values():
        for variable in variables.values():
            assert 0 <= variable.address < 128
            assert set(variable.categories) <= set(CATEGORIES)
    assert GAMES["pong"]["ball_x"] == (49, ("small_object_localization",))
    assert GAMES["asteroids"]["num_lives_direction"].categories == ("score_clock_lives_display", "misc")
    assert GAMES["qbert"]["tile_color_0"].categories == ()  # as in AtariARI, which leaves it out of its means


@pytest.mark.parametrize("name", ["Pong", "ALE/Pong-v5", "PongNoFrameskip-v4", "PONG"])
def test_games_have_many_spellings(name: str) -> None:
    assert game_name(name) == "pong"
    assert game_name("MontezumaRevenge") == game_name("montezuma_revenge") == "montezumarevenge"


def test_every_step_has_its_frame_and_memory(pong: FrameStore) -> None:
    assert pong.frames.shape == (123, 210, 160, 1)
    assert pong.lengths.tolist() == [41, 41, 41]
    assert pong.arrays["ram"].shape == (123, 128)
    steps = pong.steps()
    assert {name: len(array) for name, array in steps.items()} == dict.fromkeys(steps, 120)
    assert np.flatnonzero(steps["truncated"]).tolist() == [39, 79, 119]
    assert set(np.unique(steps["act"]).tolist()) == set(range(6))  # waiting among them


def test_memory_belongs_to_the_frame_beside_it(pong: FrameStore) -> None:
    """Pong's own paddle is the only green on the right: its brightest row follows `player_y`."""
    x = pong.frames[:, 34:194, 140:144, 0].astype(int)
    seen = np.array([frame.mean(1).argmax() if np.ptp(frame) else -1 for frame in x])
    known = labels(pong, "pong")["player_y"]
    there = (seen >= 0) & (known > 50) & (known < 180)
    assert there.sum() > 60
    assert np.corrcoef(seen[there], known[there])[0, 1] > 0.99


def same(one: FrameStore, other: FrameStore) -> bool:
    arrays = all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    return arrays and np.array_equal(one.frames, other.frames)


@pytest.mark.slow
def test_play_does_not_depend_on_processes(pong: FrameStore, tmp_path: Path) -> None:
    assert same(pong, collect("pong", 120, 5, tmp_path / "a", FEW, processes=2, progress=False))


def test_play_follows_the_seed_and_is_not_played_twice(
    pong: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not same(pong, collect("pong", 120, 6, tmp_path / "b", FEW, progress=False))
    monkeypatch.delattr(atari, "_play")
    assert same(pong, collect("ALE/Pong-v5", 120, 5, pong.folder, FEW, progress=False))


def test_a_killed_run_goes_on(pong: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []
    real = atari._play

    def dies_in_the_third(*job: Any, **options: Any) -> None:
        played.append(job[3])
        if job[3] == 2 and len(played) == 3:
            FrameWriter(job[4])  # what a killed process leaves: files under a temporary name
            raise KeyboardInterrupt
        real(*job, **options)

    monkeypatch.setattr(atari, "_play", dies_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        collect("pong", 120, 5, tmp_path / "store", FEW, progress=False)
    assert not (tmp_path / "store").exists()
    with pytest.raises(ValueError, match=r"was collected with seed=5 \(now 6\)"):
        collect("pong", 120, 6, tmp_path / "store", FEW, progress=False)
    store = collect("pong", 120, 5, tmp_path / "store", FEW, progress=False)
    assert played == [0, 1, 2, 2]
    assert same(store, pong)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_episodes_end_with_lives_and_colors_and_size_are_kept(tmp_path: Path) -> None:
    settings = AtariSettings(environments=1, gray=False, size=(21, 16), policy="sticky", stickiness=0.5)
    store = collect("breakout", 150, 0, tmp_path / "lives", settings, progress=False)
    assert store.frames.shape[1:] == (21, 16, 3)
    steps = store.steps()
    assert store.n_episodes > 2
    assert steps["terminated"].sum() == store.n_episodes - 1
    ram = store.arrays["ram"]  # the first frame of a life does not have the memory of the last one's end
    assert (ram[store.starts[1:]] != ram[store.starts[1:] - 1]).any(1).all()
    assert (labels(store, "breakout")["ball_y"][store.starts] > 0).all()
    assert np.diff(steps["act"]).astype(bool).mean() < 0.6  # 3/4 of half of the steps
    whole = AtariSettings(environments=1, episodic_life=False)
    assert collect("breakout", 150, 0, tmp_path / "game", whole, progress=False).n_episodes < store.n_episodes


def test_a_game_begins_by_firing() -> None:
    """In Breakout the ball is there (its height is not 0) only after FIRE."""
    for fire_reset in (True, False):
        game = AtariGame("breakout", 0, AtariSettings(fire_reset=fire_reset))
        game.begin()
        game.step(0)
        assert bool(game.ram()[101]) is fire_reset


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: collect("pongg", 10, 0, path), "`game` must be one of 108 games.*'pongg'.*'?pong"),
        (lambda path: collect("pong", 2, 0, path, FEW), "each of the 3 environments"),
        (lambda path: AtariSettings(stickiness=1.0), r"`stickiness` must be in \[0, 1\)"),
        (lambda path: AtariSettings(frame_skip=0), "`frame_skip` must be at least 1"),
        (lambda path: AtariSettings(size=(0, 3)), "`size` must be"),
        (lambda path: game_name("freway"), "Did you mean freeway"),
    ],
)
def test_what_cannot_be_played_is_refused(call: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "new")


def test_folders_of_others_are_refused(pong: FrameStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`folder` must be new, or hold frames that `collect` wrote"):
        collect("pong", 120, 5, tmp_path, FEW, progress=False)
    shutil.copytree(pong.folder, tmp_path / "copy")
    with pytest.raises(ValueError, match=r"game='pong' .now 'breakout'."):
        collect("breakout", 120, 5, tmp_path / "copy", FEW, progress=False)
    plan = json.loads((tmp_path / "copy" / "atari.json").read_text())
    assert plan["steps"] == 120
    with FrameWriter(tmp_path / "bare") as writer:
        writer.add_episode(np.zeros((3, 4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match=r"must hold the array `ram`.*has none"):
        labels(FrameStore.open(tmp_path / "bare"), "pong")


def test_a_life_that_was_won_can_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    game = AtariGame("breakout", 0, AtariSettings(episodic_life=True))
    game.begin()
    lives = iter((6, 5))  # Breakout begins with 5
    ale = SimpleNamespace(lives=lambda: next(lives), game_over=lambda: False, game_truncated=lambda: False)
    monkeypatch.setattr(game, "_ale", ale)
    monkeypatch.setattr(game, "_hold", lambda action: 0.0)
    assert [game.step(0)[1] for _ in range(2)] == [False, True]
