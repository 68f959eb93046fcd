"""Cells of the benchmark of learned worlds: rewards, controllers, tiny cells, the csv and the tables."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.tables import read_csv
from benchmarks.world_models.cells import Budget, Cell, collect_results, run_cell, run_cells
from benchmarks.world_models.report import returns, table
from benchmarks.world_models.tasks import TASKS, action_errors, record

from rlpriors.training.rollout import evaluate_policy

TINY = Budget(n_steps=100, updates=10, n_episodes=2)


@pytest.mark.parametrize("name", ["pendulum", "double-pendulum", "cart-pole"])
def test_rewards_are_those_of_the_simulator(name: str) -> None:
    if name == "double-pendulum":
        pytest.importorskip("mujoco")
    task = TASKS[name]
    store = evaluate_policy(task.policies()["noise 0"], task.make, 3, seed=1)
    np.testing.assert_allclose(task.reward(*store.transitions()), store.rew, atol=1e-4)
    assert store.lengths.min() == 100
    assert len(task.policies()) == 12


def test_experts_are_better_than_noise() -> None:
    task = TASKS["cart-pole"]
    policies = task.policies()
    lengths = [
        evaluate_policy(policies[name], task.make, 8, seed=1).lengths.mean()
        for name in ("noise 0", "angle only", "reversed")
    ]
    assert lengths[0] > 2 * lengths[1] > 4 * lengths[2]


def test_data_have_equal_parts_of_each_noise() -> None:
    task = TASKS["pendulum"]
    data = record(task, (0.0, 1.0), 400, seed=0)
    assert data.n_steps == 400
    errors = action_errors({"expert": task.policies()["noise 0"]}, record(task, (0.0,), 200, seed=0))
    assert errors == pytest.approx([0.0], abs=1e-10)


def test_a_tiny_cell(tmp_path: Path) -> None:
    cell = Cell("cart-pole", "expert", 0, TINY)
    run_cells([cell], tmp_path)
    rows = json.loads((tmp_path / cell.file).read_text())["rows"]
    found = {(method, metric): value for method, metric, value in rows}
    assert found["return:real", "noise 0"] == 100.0
    assert found["model", "spearman"] == 0.0  # a world without terminations: each policy lasts
    assert found["return:model", "reversed"] == 100.0
    assert -1 <= found["action-mse", "spearman"] <= 1
    assert run_cell(cell, tmp_path) == [tuple(row) for row in rows]  # continues after the last update


def test_rows_and_tables(tmp_path: Path) -> None:
    budget = Budget()
    for seed, value in ((0, 0.5), (1, 1.0)):
        for data in ("diverse", "expert"):
            cell = Cell("pendulum", data, seed, budget)
            rows = [("model", "spearman", value), ("model", "pearson", value), ("model", "mmrv", 0.25)]
            rows += [(f"return:{kind}", "noise 0", -100.0 * value) for kind in ("real", "model")]
            (tmp_path / cell.file).write_text(json.dumps({**cell._asdict(), "rows": rows}))
    other = Cell("pendulum", "expert", 2, TINY)
    (tmp_path / other.file).write_text(json.dumps({**other._asdict(), "rows": [("model", "spearman", 0.0)]}))
    results = tmp_path / "results.csv"
    collect_results(tmp_path, results, budget)
    rows = read_csv(results)
    assert {row[3] for row in rows} == {"0", "1"}
    assert table(rows).splitlines()[2] == (
        "| diverse | return in the model | 2 | 0.75 [0.50, 1.00] | 0.50 | 0.75 [0.50, 1.00] | 0.25 [0.25, "
        "0.25] |"
    )
    assert returns(rows).splitlines()[2] == "| noise 0 | -75 | -75 | -75 |"
