"""The zero-shot benchmark at a tiny size: cells, the csv, normalized returns, the table."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.zero_shot import worlds
from benchmarks.zero_shot.report import normalized, table
from benchmarks.zero_shot.run import main
from benchmarks.zero_shot.worlds import WORLDS

pytest.importorskip("gymnasium_robotics")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cells_are_evaluated_once_and_normalized(tmp_path, monkeypatch, capsys) -> None:
    full = WORLDS["umaze"]()
    task = replace(full.task, max_episode_steps=20)
    small = full._replace(task=task, n_episodes=4, corners={"goal-distance": (-1.0, -1.0)})
    monkeypatch.setitem(worlds.WORLDS, "umaze", lambda: small)
    args = ["--methods", "random-actions", "iql", "goal-cloning", "identity", "--seeds", "0"]
    args += ["--updates", "4", "--iql-updates", "4", "--n-goals", "12", "--n-episodes", "2"]
    args += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "zero_shot.csv")]
    main(args)
    assert len(capsys.readouterr().out.splitlines()) == 4
    main(args)
    assert capsys.readouterr().out == ""
    with (tmp_path / "zero_shot.csv").open() as file:
        rows = list(csv.DictReader(file))
    tasks = {(row["features"], row["task"], row["metric"]) for row in rows}
    assert ("identity", "goal", "success") in tasks
    assert ("goal-cloning", "goal-opposite", "success") in tasks
    assert ("iql", "reward:east", "return") in tasks
    assert ("goal-cloning", "reward:east", "return") not in tasks


def test_goals_are_free_places_and_far_ones_are_opposite() -> None:
    world = WORLDS["umaze"]()
    goals = world.goals(40, seed=0)
    assert goals.shape == (40, 4)
    assert world.task.maze.is_free(goals[:, :2].astype(np.float64)).all()
    starts = np.array([[-1.0, 1.0], [1.0, 0.0]])
    end = np.tile(np.array([[-1.0, -1.0, 0.0, 0.0]]), (2, 1))
    assert world.opposite(starts, end).tolist() == [True, False]


def test_returns_lie_between_random_actions_and_iql() -> None:
    values = {"hilp": "5", "iql": "9", "random-actions": "1"}
    rows = [["umaze", name, "reward:east", "0", "return", value] for name, value in values.items()]
    worse = [["umaze", n, "reward:west", "0", "return", v] for n, v in (*values.items(), ("iql", "0"))]
    found = normalized([*rows, *worse])
    assert found == [["umaze", "hilp", "reward:east", "0", "normalized", "0.5"]]
    goals = [["umaze", "hilp", "goal", seed, "success", value] for seed, value in (("0", "0.5"), ("1", "1"))]
    lines = table([*goals, *found]).splitlines()
    assert lines[0] == "| environment | task | seeds | hilp |"
    assert lines[2].startswith("| umaze | goal | 2 | 0.75")
    assert lines[3] == "| umaze | reward:east | 1 | 0.50 |"
