"""Benchmark of verdicts: ways to spoil, cells and tables."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.own_data.cells import Task
from benchmarks.own_data.environments import FIRST_TASKS
from benchmarks.verdicts.cells import Cell, run_cell
from benchmarks.verdicts.plan import GOOD, SPOILED
from benchmarks.verdicts.report import report, verdicts
from benchmarks.verdicts.spoil import SPOILS
from puck_env import Puck, push

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import MLPReward, RewardSettings

ARRAYS = {
    "obs/a": np.array([[1.0, 2.0], [3.0, 4.0]]),
    "obs/b": np.array([[5.0], [6.0]]),
    "act": np.arange(8.0)[:, None],
    "lengths": np.array([8]),
}


def test_spoiled_arrays() -> None:
    def spoiled(name: str) -> dict[str, np.ndarray]:
        change = SPOILS[name].demonstrations
        assert change is not None
        return change(ARRAYS)

    np.testing.assert_allclose(spoiled("degrees")["obs/a"], [[57.29578, 2], [171.88734, 4]], rtol=1e-6)
    assert spoiled("degrees")["obs/b"].tolist() == [[5], [6]]
    assert spoiled("half")["obs/b"].tolist() == [[2.5], [3]]
    assert spoiled("half-entry")["obs/a"].tolist() == [[0.5, 2], [1.5, 4]]
    assert spoiled("half-actions")["act"].tolist() == (ARRAYS["act"] / 2).tolist()
    assert spoiled("shuffled")["act"].tolist() != ARRAYS["act"].tolist()
    assert sorted(spoiled("shuffled")["act"].tolist()) == ARRAYS["act"].tolist()
    assert spoiled("shuffled")["lengths"] is ARRAYS["lengths"]


def test_spoiled_rewards() -> None:
    torch.manual_seed(0)
    x = np.linspace(-1, 1, 41)
    act = np.zeros((40, 1))
    store = EpisodeStore.from_episodes([Episode(x[:, None], act, *np.zeros((3, 40)))])
    reward = MLPReward(RewardSettings(1, 1, hidden=()))
    with torch.no_grad():
        reward.net[0].weight.fill_(1.0)
        reward.net[0].bias.fill_(0.0)
    flat, linear = (SPOILS[name].reward for name in ("flat", "linear"))
    assert flat is not None
    assert linear is not None
    values = store.relabel(flat(reward, store, store)).rew
    middle = (-1.0 + 0.95) / 2
    np.testing.assert_allclose(values, np.minimum(x[:-1], middle), atol=0.1)
    assert np.ptp(values[25:]) < 0.1
    np.testing.assert_allclose(store.relabel(linear(reward, store, store)).rew, x[:-1], atol=0.02)


def test_a_cell_ends_before_the_training_if_the_demonstrations_are_bad(tmp_path: Path) -> None:
    toys = Path(__file__).parents[2] / "toys"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toys))
        task = Task("puck_env:Puck-v0", Puck, push, "a puck")
        cell = Cell("puck", 0, "half")
        content = run_cell(task, cell, tmp_path / "none", tmp_path / "cell")
    assert content["stage"] == "demonstrations"
    assert content["levels"]["scale"] == "bad"
    assert run_cell(task, cell, tmp_path / "none", tmp_path / "cell") == content
    assert not (tmp_path / "cell/run").exists()


def test_the_plan_names_known_cells() -> None:
    assert len(GOOD) == len(SPOILED) == len({*SPOILED}) == 10
    assert {cell.env for cell in (*GOOD, *SPOILED)} == set(FIRST_TASKS)
    assert {cell.spoil for cell in GOOD} == {""}
    assert {cell.spoil for cell in SPOILED} <= set(SPOILS)
    with_rewards = {(c.env, c.seed) for c in SPOILED if SPOILS[c.spoil].reward is not None}
    assert with_rewards <= {(c.env, c.seed) for c in GOOD}


def test_the_tables(tmp_path: Path) -> None:
    rows = [
        ["lamp", "0", "", "all", "range", "good"],
        ["lamp", "0", "", "all", "drift", "good"],
        ["lamp", "0", "half", "demonstrations", "range", "good"],
        ["lamp", "0", "half", "demonstrations", "scale", "bad"],
        ["lamp", "1", "flat", "all", "sharpness", "doubtful"],
        ["lamp", "2", "flat", "all", "sharpness", "good"],
    ]
    assert verdicts(rows)["lamp", "0", "half"] == {"range": "good", "scale": "bad"}
    page = tmp_path / "page.md"
    names = ("verdicts", "verdicts of all rewards")
    page.write_text("\n".join(f"<!-- {name} -->\n<!-- end of {name} -->" for name in names))
    report(rows, page)
    text = page.read_text()
    assert "| well learned | 1 | 0 | 0 |" in text
    assert "| spoiled | 1 | 1 | 1 |" in text
    assert "| lamp | 0 | observations in half units | bad | scale (bad); before the training |" in text
    assert "| lamp | 1 | flat around the goal | doubtful | sharpness (doubtful) |" in text
