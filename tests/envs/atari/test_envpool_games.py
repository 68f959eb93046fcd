"""Collection with EnvPool where it is not installed; `tests/peers/test_envpool_frames.py` runs it."""

import sys
from pathlib import Path

import pytest

from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.envpool_games import envpool_task

pytest.importorskip("ale_py", reason="Atari comes with the extra `atari`")


def test_without_envpool_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "envpool", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r'Received "envpool"; pip install envpool\.'):
        envpool_task("pong")
    with pytest.raises(ValueError, match=r"pip install envpool\."):
        collect_atari("pong", 30, 0, tmp_path / "a", progress=False, collector="envpool")
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_another_collector_is_refused(tmp_path: Path, without_type_checks: None) -> None:
    with pytest.raises(
        ValueError, match=r"`collector` must be one of \['ale_py', 'envpool'\]\. Received 'a'"
    ):
        collect_atari("pong", 30, 0, tmp_path / "a", collector="a")  # type: ignore[arg-type]
