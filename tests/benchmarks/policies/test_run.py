"""The policy benchmark at a tiny size: environments, cells, the csv, the tables."""

import csv

import numpy as np
import pytest
from benchmarks.policies import cells, mazes
from benchmarks.policies.mazes import MazeWorld
from benchmarks.policies.report import table
from benchmarks.policies.run import main
from benchmarks.policies.speed import ms_per_action
from benchmarks.policies.worlds import Detour, Phase, record_detour, record_phase


def test_demonstrations_of_the_detour_take_both_sides() -> None:
    data = record_detour(40, seed=0)
    ends = np.cumsum(data.lengths) - 1
    assert (data.rew[ends] == 1).all()
    sides = [np.sign(data.episode(i).obs[np.abs(data.episode(i).obs[:, 0]).argmin(), 1]) for i in range(40)]
    assert 0.3 < np.mean(np.array(sides) > 0) < 0.7
    distance = np.linalg.norm(data.obs, axis=1)
    assert distance.min() > Detour.radius


def test_the_straight_way_ends_in_the_obstacle() -> None:
    env = Detour()
    env.reset(seed=0)
    done, steps = False, 0
    while not done:
        _, reward, terminated, truncated, _ = env.step(np.array([1.0, 0.0]))
        done, steps = terminated or truncated, steps + 1
    assert (reward, terminated) == (0.0, True)
    assert steps < 10


def test_demonstrations_of_the_phase_are_right_and_its_observations_say_little() -> None:
    data = record_phase(40, seed=0)
    assert (data.rew == 1).all()
    assert (data.lengths == Phase.length).all()
    at = data.obs_index(np.arange(data.n_steps))
    guessed = np.sign(data.obs[at, 1])  # the sine is positive in the first half
    assert 0.6 < (guessed == data.act[:, 0]).mean() < 0.85


def run(tmp_path, *arguments: str) -> dict[tuple[str, str], float]:
    folder = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "policies.csv")]
    main([*arguments, "--seeds", "0", "--small-updates", "4", "--updates", "4", *folder])
    with (tmp_path / "policies.csv").open() as file:
        return {(row["method"], row["metric"]): float(row["value"]) for row in csv.DictReader(file)}


@pytest.mark.slow
def test_cells_are_evaluated_once(tmp_path, capsys) -> None:
    small = ("--envs", "detour", "phase", "--demos", "6", "--n-episodes", "3")
    methods = ("--methods", "cloning", "beso", "past-tokens", "past-actions-given")
    values = run(tmp_path, *small, *methods)
    assert len(capsys.readouterr().out.splitlines()) == 4
    for method in ("cloning", "beso"):
        sides = values[method, "above"] + values[method, "below"]
        assert values[method, "success"] == pytest.approx(sides)
        assert values[method, "success"] + values[method, "collision"] <= 1
    assert {method for method, metric in values if metric == "accuracy"} == {
        "past-tokens",
        "past-tokens-verified",
        "past-actions-given",
    }
    assert run(tmp_path, *small, *methods) == values
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_mazes_are_evaluated_on_new_goals(tmp_path, monkeypatch) -> None:
    pytest.importorskip("gymnasium_robotics")
    full = mazes.MAZES["umaze"]
    short = full.task.changed()
    object.__setattr__(short, "max_episode_steps", 12)
    monkeypatch.setitem(cells.WORLDS, "umaze", MazeWorld(short, far=0.0))
    values = run(tmp_path, "--envs", "umaze", "--demos", "4", "--n-episodes", "6")
    variants = ("", "-1-steps", "-20-steps", "-guided")
    methods = {"cloning", *(f"beso{kind}{name}" for kind in ("", "-past", "-undropped") for name in variants)}
    methods -= {"beso-undropped-guided"}
    assert {method for method, _ in values} == methods
    for method in methods:
        assert values[method, "success"] == values[method, "success-far"]  # every goal counts as far
        assert 0 <= values[method, "steps"] <= 13


def test_more_steps_take_longer() -> None:
    assert ms_per_action(50, n_actions=5) > ms_per_action(1, n_actions=5) > 0


def test_the_table_has_a_line_for_each_method() -> None:
    rows = [["detour", "beso", "40", seed, "success", value] for seed, value in (("0", "0.5"), ("1", "1"))]
    rows += [["phase", "beso", "40", "0", "accuracy", "0.25"]]
    lines = table(rows, ("detour",), ("success", "collision")).splitlines()
    assert lines[0] == "| environment | method | demonstrations | seeds | success | collision |"
    assert lines[2].startswith("| detour | beso | 40 | 2 | 0.75")
    assert lines[2].endswith("| - |")
    assert len(lines) == 3


def test_lines_are_in_the_order_of_environments_and_numbers() -> None:
    methods = ("beso-20-steps", "beso-3-steps", "cloning", "beso")
    rows = [[env, name, "1", "0", "success", "1"] for env in ("ring", "umaze") for name in methods]
    lines = table(rows, ("umaze", "ring"), ("success",)).splitlines()[2:]
    names = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in lines]
    ordered = ["beso", "beso-3-steps", "beso-20-steps", "cloning"]
    assert names == [(env, name) for env in ("umaze", "ring") for name in ordered]
