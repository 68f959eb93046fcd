"""Cells of the preference benchmark: the order, the methods on a small world, the csv and the tables."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from benchmarks.preferences import run as command
from benchmarks.preferences.cells import COLUMNS, Cell, cells, collect_results, run_cell
from benchmarks.preferences.methods import BASELINES, PREFERENCES, QUICK, Budget, best_episodes, label_pairs
from benchmarks.preferences.report import policy_table, report, reward_table
from benchmarks.preferences.worlds import WORLDS, World, swing_up

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.rollout import rollout


def short_pendulum() -> World:
    """Pendulum with episodes of 20 steps, so that a cell takes a second."""

    def make() -> gym.Env[Any, Any]:
        return gym.make("Pendulum-v1", max_episode_steps=20)

    def collect(n: int, seed: int) -> Iterator[Episode]:
        return rollout(make, lambda: swing_up, n, seed)

    return World("pendulum", make, collect, n_episodes=8, length=3, n_evaluations=2)


def test_the_target_and_its_baselines_of_all_seeds_come_first() -> None:
    chosen = list(cells(["pendulum", "umaze"], [0, 1]))
    first = chosen[: 4 * (1 + len(BASELINES))]
    assert {cell.method for cell in first} == {PREFERENCES, *BASELINES}
    assert {(cell.n_pairs, cell.flips) for cell in first if cell.method == PREFERENCES} == {(500, 0.1)}
    rest = chosen[len(first) :]
    assert len(rest) == 2 * 8 * 4  # eight other labels, as rewards and then as policies
    assert [cell.policy for cell in rest] == [False] * 32 + [True] * 32
    assert len({cell.file for cell in chosen}) == len(chosen)


def test_every_method_has_a_cell() -> None:
    world = short_pendulum()
    stores = world.data(100)
    for method in BASELINES:
        numbers = run_cell(Cell("pendulum", method, 0, 0.0, 100), world, stores, QUICK)
        assert numbers["return"] < 0
        assert all(np.isfinite(value) for value in numbers.values())
    scored = run_cell(Cell("pendulum", PREFERENCES, 20, 0.1, 100, policy=False), world, stores, QUICK)
    assert set(scored) == {"spearman", "accuracy"}


def test_labels_err_as_often_as_stated() -> None:
    world = WORLDS["pendulum"]()
    rng = np.random.default_rng(0)
    n = 400
    store = EpisodeStore(
        np.zeros((n + 10, 3), np.float32),
        np.zeros((n, 1), np.float32),
        rng.normal(size=n).astype(np.float32),
        np.zeros(n, bool),
        np.zeros(n, bool),
        np.full(10, n // 10),
    )
    clean, noisy = (label_pairs(world, store, 500, flips, 0) for flips in (0.0, 0.4))
    assert np.array_equal(clean.clips, noisy.clips)
    assert 0.3 < (clean.labels != noisy.labels).mean() < 0.5


def test_experts_are_the_episodes_with_the_highest_returns() -> None:
    rew = np.repeat([1.0, 5.0, 3.0, 4.0], 2).astype(np.float32)
    zeros = np.zeros(8, bool)
    store = EpisodeStore(
        np.arange(12.0)[:, None], np.zeros((8, 1)), rew, zeros, zeros, np.full(4, 2, np.int64)
    )
    assert best_episodes(store, Budget(expert_fraction=0.5)).rew.tolist() == [5, 5, 4, 4]
    assert best_episodes(store, Budget()).rew.tolist() == [5, 5]


def write_cell(runs: Path, cell: Cell, metrics: dict[str, float]) -> None:
    runs.mkdir(exist_ok=True)
    (runs / cell.file).write_text(json.dumps({**cell._asdict(), "metrics": metrics}))


def test_returns_are_normalized_between_a_random_policy_and_the_true_rewards(tmp_path: Path) -> None:
    runs, results = tmp_path / "runs", tmp_path / "preferences.csv"
    write_cell(runs, Cell("umaze", "random_policy", 0, 0.0, 0), {"return": -300.0})
    write_cell(runs, Cell("umaze", "true_reward", 0, 0.0, 0), {"return": -100.0})
    write_cell(runs, Cell("umaze", PREFERENCES, 500, 0.1, 0), {"spearman": 0.9, "return": -150.0})
    write_cell(runs, Cell("umaze", PREFERENCES, 500, 0.1, 1), {"spearman": 0.5, "return": -150.0})
    write_cell(runs, Cell("umaze", PREFERENCES, 500, 0.1, 100), {"spearman": 0.1, "return": -1.0})
    collect_results(runs, results)
    with results.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(COLUMNS)
    assert ["umaze", PREFERENCES, "500", "0.1", "0", "normalized", "0.75"] in rows
    assert ["umaze", "true_reward", "0", "0", "0", "normalized", "1"] in rows
    assert not any(row[4] == "100" for row in rows)  # a development seed
    assert not any(row[4:6] == ["1", "normalized"] for row in rows)  # its ends are missing
    table = reward_table(rows[1:], "spearman")
    assert table.splitlines()[0] == "| pairs | wrong labels | umaze |"
    assert table.splitlines()[2].startswith("| 500 | 10 % | 0.70 [0.50, 0.90]")
    assert "| preferences, 500 pairs, 10 % wrong | 0.75 (1 seed) |" in policy_table(rows[1:])
    page = tmp_path / "page.md"
    page.write_text("<!-- spearman -->\n<!-- end of spearman -->\n")
    report(rows[1:], page)
    assert table in page.read_text()


def test_the_command_refuses_development_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--seeds", "100"])
    with pytest.raises(SystemExit):
        command.main()


def test_a_finished_cell_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"run --quick --development --seeds 100 --envs pendulum --limit 2 --runs {tmp_path}"
    monkeypatch.setitem(WORLDS, "pendulum", short_pendulum)
    monkeypatch.setattr(sys, "argv", words.split())
    command.main()
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert "pendulum-random_policy" in capsys.readouterr().out
    command.main()
    assert capsys.readouterr().out == ""
