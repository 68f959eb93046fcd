"""Exploration benchmark: tables and the choice of settings by hand, and one small cell of each method."""

import json
from pathlib import Path

import pytest
from benchmarks.exploration import cells as exploration
from benchmarks.exploration.methods import METHODS
from benchmarks.exploration.report import choice_table, table
from benchmarks.exploration.tasks import TASKS, make_task
from benchmarks.tables import read_csv


def test_the_table_of_exploration_by_hand() -> None:
    rows = [
        ["deep-sea", "epsilon-greedy", str(seed), metric, str(value)]
        for seed, first, solved in ((0, 11, 0.0), (1, 4, 0.5), (2, 11, 0.0))
        for metric, value in (
            ("first_solve", first), ("solved", solved), ("solved_late", 1.0), ("episodes", 10), ("seconds", 3)
        )
    ]  # fmt: skip
    line = table(rows).splitlines()[-1]
    assert line.startswith("| epsilon-greedy | 3 | 1 | never | 0.17 [")
    assert line.endswith("| 3 |")


def test_only_chosen_settings_and_final_seeds_reach_the_csv(tmp_path: Path) -> None:
    for value, seed, solved in (
        (0.1, 0, 0.25), (0.5, 0, 0.5), (0.1, 100, 0.3), (0.5, 100, 0.2), (0.1, 101, 0.2), (0.5, 101, 0.2)
    ):  # fmt: skip
        cell = exploration.Cell("deep-sea", "epsilon-greedy", value, seed)
        content = {**cell._asdict(), "metrics": {"solved": solved, "first_solve": 3}}
        (tmp_path / cell.file).write_text(json.dumps(content))
    files = tmp_path / "out.csv", tmp_path / "trials.csv"
    for _ in range(2):  # the second time from the csv files, too
        exploration.collect_results(tmp_path, *files)
        rows = [row for row in read_csv(files[0]) if row[3] == "solved"]
        assert rows == [["deep-sea", "epsilon-greedy", "0", "solved", "0.25"]]
        assert len(read_csv(files[1])) == 8
    chosen = exploration.chosen_values(read_csv(files[1]))
    assert chosen == {("deep-sea", "epsilon-greedy"): 0.1}
    assert "| deep-sea | epsilon-greedy | 0.1 | 2 | 3 | 0.250 |" in choice_table(read_csv(files[1]))
    (cell,) = exploration.chosen_cells(["deep-sea"], ["epsilon-greedy"], [4], chosen)
    assert cell == ("deep-sea", "epsilon-greedy", 0.1, 4)
    with pytest.raises(ValueError, match="The setting of 'disagreement' on 'deep-sea' must be chosen"):
        exploration.chosen_cells(["deep-sea"], ["disagreement"], [0], chosen)


def test_all_methods_of_a_task_have_equally_many_trials() -> None:
    assert {len(method.values) for method in METHODS.values()} == {2}
    assert make_task("deep-sea", 3).unwrapped.right.shape == (10, 10)
    assert TASKS["deep-sea"].training.env_steps == 10 * 300


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_small_cell_of_each_method(method: str, tmp_path: Path) -> None:
    cell = exploration.Cell("deep-sea", method, METHODS[method].values[0], 100)
    exploration.run_cells([cell], tmp_path, env_steps=40)
    metrics = json.loads((tmp_path / cell.file).read_text())["metrics"]
    assert metrics["episodes"] == 4
    assert metrics["first_solve"] <= 5
