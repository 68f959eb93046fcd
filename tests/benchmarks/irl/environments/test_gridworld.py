"""Grid world of reward learning."""

import json
from pathlib import Path

import pytest
from benchmarks.irl.environments import return_correlation
from benchmarks.irl.environments.registry import make_environment


def test_trajectory_sets_of_full_runs_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(return_correlation, "FOLDER", tmp_path)
    whole, few = (make_environment("gridworld", quick=quick) for quick in (False, True))
    assert [one.store.n_episodes for one in few.trajectory_sets] == [6, 6, 6]
    assert not list(tmp_path.iterdir())  # quick runs are no results
    sets = whole.trajectory_sets
    saved = json.loads((tmp_path / "gridworld.json").read_text())
    assert saved["stores"].keys() == {"base", "expert", "perturbed"}
    assert all(store["episodes"] == 500 for store in saved["stores"].values())
    assert [*saved["coverages"]] == ["base", "mixed", "perturbed"]
    for one in sets:
        assert saved["coverages"][one.name]["episode"] == one.episode.tolist()
        assert saved["coverages"][one.name]["source"] == list(one.source)
