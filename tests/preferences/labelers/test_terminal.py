"""Answers of a person in a terminal."""

from io import StringIO
from pathlib import Path

import pytest
from comparisons import counting_store, image_store
from PIL import Image

from rlpriors.preferences import (
    ClipPainter,
    Label,
    PreferenceSet,
    TerminalLabeler,
    collect_preferences,
    cut_clip,
    uniform_pairs,
)

STORE = counting_store()
PAIRS = uniform_pairs(STORE, 4, 3, seed=1)


def test_a_session_with_undo_and_stop(tmp_path: Path) -> None:
    path, screen = tmp_path / "labels.jsonl", StringIO()
    keys = "1\n2\nu\n0\nhm\n\n 1 \nQ\n"
    labeler = TerminalLabeler(stdin=StringIO(keys), stdout=screen)
    labels = collect_preferences(labeler, STORE, PAIRS, 3, "count up", path)
    assert labels.labels.tolist() == PreferenceSet.load(path).labels.tolist() == [0, -1, 0]
    shown = screen.getvalue()
    assert [line for line in shown.splitlines() if "of 4: count up" in line] == [
        f"{number} of 4: count up" for number in (1, 2, 3, 2, 3, 4)
    ]
    assert shown.count("1 first, 2 second, 0 neither, u undo, q stop") == 8  # unknown keys repeat it
    e, s = PAIRS[0, 0].tolist()
    numbers = [100 * e + s, 100 * e + s + 3]
    assert f"first  3 steps, from [{numbers[0]}, -{numbers[0]}] to [{numbers[1]}, -{numbers[1]}]" in shown


def test_the_end_of_the_input_stops() -> None:
    labeler = TerminalLabeler(stdin=StringIO("1\n"), stdout=StringIO())
    assert len(collect_preferences(labeler, STORE, PAIRS, 3)) == 1


def test_the_terminal_is_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("2\n"))
    clips = [cut_clip(STORE, 0, start, 3) for start in (0, 1)]
    assert TerminalLabeler()("", *clips) == Label(1)
    assert "which one is better?" in capsys.readouterr().out


def test_pictures_are_files(tmp_path: Path) -> None:
    store, screen = image_store(), StringIO()
    labeler = TerminalLabeler(ClipPainter(store), tmp_path / "pair", StringIO("1\n"), screen)
    labeler("", cut_clip(store, 0, 0, 2), cut_clip(store, 0, 1, 3))
    for name, n_frames in (("first", 3), ("second", 4)):
        path = tmp_path / "pair" / f"{name}.gif"
        assert str(path) in screen.getvalue()
        with Image.open(path) as film:
            assert getattr(film, "n_frames", 0) == n_frames
    drawn = TerminalLabeler(ClipPainter(STORE), tmp_path / "pair", StringIO("1\n"), screen)
    drawn("", cut_clip(STORE, 0, 0, 2), cut_clip(STORE, 0, 1, 2))
    with Image.open(tmp_path / "pair" / "first.png") as image:
        assert image.size == (468, 468)


def test_pictures_need_a_folder() -> None:
    with pytest.raises(ValueError, match="`paint` and `folder` must be given together"):
        TerminalLabeler(ClipPainter(STORE))
