"""Own-data benchmark: demonstrations, cells that are run once, and the table."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.own_data import run
from benchmarks.own_data.cells import Task, run_cell
from benchmarks.own_data.demonstrations import random_return, record
from benchmarks.own_data.report import report
from benchmarks.own_data.tasks import TASKS
from benchmarks.tables import read_csv
from line_env import TWO, Line
from puck_env import Puck, push

TINY = (
    *("--collect", "random:400", "--prior-updates", "20", "--reward-updates", "20"),
    *("--agreement-updates", "10", "--checkpoint-every", "10", "--policy-steps", "128"),
)


def test_demonstrations_are_whole_episodes(tmp_path: Path) -> None:
    mean = record(tmp_path / "demos.npz", Line(TWO), lambda obs: 1, 3, seed=5)
    arrays = np.load(tmp_path / "demos.npz")
    assert arrays["lengths"].tolist() == [10, 10, 10]
    obs = arrays["obs"].reshape(3, 11)
    np.testing.assert_allclose(np.diff(obs, axis=1), 0.2, rtol=1e-5)
    assert mean == pytest.approx(-obs[:, 1:].sum(1).mean(), rel=1e-5)
    record(tmp_path / "dict.npz", Puck(), push, 1, seed=5)
    assert set(np.load(tmp_path / "dict.npz")) == {
        "act",
        "lengths",
        "obs/position",
        "obs/velocity",
        "obs/wind",
        "terminated",
    }


def test_ends_of_demonstrations_are_recorded(tmp_path: Path) -> None:
    task = TASKS["tug"]
    record(tmp_path / "demos.npz", task.make(), task.act, 3, seed=0)
    arrays = np.load(tmp_path / "demos.npz")
    assert arrays["terminated"].tolist() == [True] * 3
    assert (arrays["lengths"] < 100).all()


def test_random_actions_have_a_seed() -> None:
    assert random_return(Line(TWO), 4, seed=1) == random_return(Line(TWO), 4, seed=1)
    assert random_return(Line(TWO), 4, seed=1) != random_return(Line(TWO), 4, seed=2)


@pytest.mark.parametrize("name", TASKS)
def test_experts_are_better_than_random_actions(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    assert record(tmp_path / "demos.npz", task.make(), task.act, 5, seed=0) > random_return(
        task.make(), 5, seed=0
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cell_is_the_command_and_runs_once(tmp_path: Path) -> None:
    toys = Path(__file__).parents[2] / "toys"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(toys), prepend=":")
        task = Task("puck_env:Puck-v0", Puck, push, "a puck")
        content = run_cell(task, 0, tmp_path / "cell", *TINY)
    numbers = content["numbers"]
    way = numbers["demonstrations"] - numbers["random"]
    assert numbers["fraction"] == pytest.approx((numbers["policy"] - numbers["random"]) / way)
    assert numbers["cpu_seconds"] > 1
    assert "closeness" in content["levels"]
    assert run_cell(task, 0, tmp_path / "cell") == content  # without a second command


def test_finished_cells_are_skipped(tmp_path: Path) -> None:
    results = tmp_path / "own.csv"
    name = next(iter(TASKS))
    results.write_text(f"env,seed,metric,value\n{name},0,fraction,0.5\n")
    run.run_cells({name: TASKS[name]}, [0], tmp_path, results)
    assert read_csv(results) == [[name, "0", "fraction", "0.5"]]


def test_the_table_has_means_and_the_lowest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- own data -->\n<!-- end of own data -->\n")
    rows = [
        ["lamp", str(seed), metric, str(value)]
        for seed, fraction in enumerate((1.0, 0.8))
        for metric, value in (
            *(("demonstrations", 10), ("random", 0), ("policy", 10 * fraction)),
            *(("fraction", fraction), ("seconds", 100), ("cpu_seconds", 90)),
        )
    ]
    report(rows, page, {"lamp": "two lamps"})
    assert "| lamp | two lamps | 2 | 0.90 | 0.80 | 90 |" in page.read_text()
    assert "| lamp | 1 | 10.0 | 0.0 | 8.0 | 0.80 | 90 |" in capsys.readouterr().out
