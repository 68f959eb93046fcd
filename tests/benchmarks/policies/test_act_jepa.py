"""Comparison of ACT-JEPA with ACT: demonstrations, the probe, a small cell, the table."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.policies import act_jepa
from benchmarks.policies.act_jepa_cells import METHODS, Budget, Cell, probe_r2, run_cell
from benchmarks.policies.act_jepa_worlds import MAZES, OBS_KEYS
from benchmarks.tables import read_csv

from rlpriors.data.episodes import Episode, EpisodeStore

SMALL = Budget(updates=2, first_updates=2, n_observed=2, n_episodes=2)


def test_demonstrations_reach_their_goals() -> None:
    data = MAZES["umaze-goals"].demonstrations(3, seed=0)
    ends = data.step_starts + data.lengths
    assert data.terminated[ends - 1].all()
    last = np.array([data.episode(i).obs[-1] for i in range(3)])
    assert np.linalg.norm(last[:, :2] - last[:, 4:], axis=1).max() <= 0.45
    assert data.obs_layout is not None
    assert data.obs_layout.keys == OBS_KEYS
    assert len(np.unique(last[:, 4])) == 3


def test_the_probe_by_hand() -> None:
    # The features hold the displacement of two steps, except for a term that is fresh in each observation.
    rng = np.random.default_rng(0)
    episodes, features = [], []
    for _ in range(30):
        xy = rng.normal(size=(40, 2))
        episodes.append(Episode(xy, np.zeros((39, 1)), *np.zeros((3, 39))))
        moved = np.zeros_like(xy)
        moved[:-2] = xy[2:] - xy[:-2]
        features.append(moved)
    data, exact = EpisodeStore.from_episodes(episodes), np.concatenate(features)
    assert probe_r2(exact, data, ahead=2) == pytest.approx(1, abs=1e-4)
    assert abs(probe_r2(rng.normal(size=exact.shape), data, ahead=2)) < 0.05
    # Noise of the variance of the displacement explains half of it.
    noisy = exact + np.sqrt(2) * rng.normal(size=exact.shape)
    assert probe_r2(noisy, data, ahead=2) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("method", METHODS)
def test_a_small_cell_has_its_values(tmp_path: Path, method: str) -> None:
    values = dict(run_cell(Cell("umaze-goals", method, 2, 0, SMALL), tmp_path))
    assert set(values) == set(act_jepa.METRICS)
    assert 0 <= values["success"] <= 1
    assert values["probe_r2"] <= 1


def test_a_finished_cell_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--envs", "umaze-goals", "--demos", "2", "--seeds", "0", "--methods", "act"]
    sizes = ["--updates", "2", "--n-episodes", "2"]
    paths = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "act_jepa.csv")]
    act_jepa.main([*arguments, *sizes, *paths])
    rows = read_csv(tmp_path / "act_jepa.csv")
    assert [row[:5] for row in rows] == [
        ["umaze-goals", "act", "2", "0", metric] for metric in sorted(act_jepa.METRICS)
    ]
    monkeypatch.setattr(act_jepa, "run_cell", lambda *arguments: pytest.fail("ran again"))
    act_jepa.main([*arguments, *sizes, *paths])
    assert read_csv(tmp_path / "act_jepa.csv") == rows


def test_the_table_compares_equal_seeds() -> None:
    rows = [
        ["umaze-goals", method, "10", seed, metric, value]
        for method, seed, value in (
            ("act", "0", "0.5"),
            ("act", "1", "0.7"),
            ("act", "2", "0.1"),
            ("act-jepa", "0", "0.7"),
            ("act-jepa", "1", "0.9"),
        )
        for metric in act_jepa.METRICS
    ]
    lines = act_jepa.table(rows).splitlines()
    assert "| success - act |" in lines[0]
    assert lines[2].startswith("| umaze-goals | 10 | act | 3 | 0.43")
    assert lines[2].endswith("| - |")
    assert lines[3].startswith("| umaze-goals | 10 | act-jepa | 2 | 0.80")
    assert lines[3].endswith("| 0.20 [0.20, 0.20] |")
