"""The planning-speed benchmark at a tiny size: cells, the csv, the table."""

import gymnasium as gym
import numpy as np
import pytest
from benchmarks.planning_speed import methods, run
from benchmarks.planning_speed.methods import METHODS
from benchmarks.planning_speed.report import table
from benchmarks.tables import read_csv
from tianshou.data import Batch

from rlpriors.agents import FlowPolicy, FlowSettings, save_prior
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device


class Clock:
    """A clock of CPU time that advances by 10 ms at each reading."""

    now = 0.0

    def process_time(self) -> float:
        self.now += 0.01
        return self.now


def test_the_rate_counts_actions_per_second_of_the_clock(monkeypatch) -> None:
    policy = FlowPolicy(
        action_space=gym.spaces.Box(-1, 1, (1,)),
        obs=Normalizer.identity(2),
        act=Normalizer.identity(1),
        settings=FlowSettings(horizon=2, hidden=(4,)),
        device="cpu",
    )
    monkeypatch.setattr(run, "time", Clock())
    # A round starts at one reading, and ends at the 4th after it, when 40 ms have passed: 3 times 48 actions.
    assert run.actions_per_second(policy, np.zeros(2, np.float32), 0.035, 1) == pytest.approx(3 * 48 / 0.04)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_cells_are_evaluated_once(tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("gymnasium_robotics")
    from dataclasses import replace

    from rlpriors.scripts.demo.run import make_policy

    full = methods.make_task(layout="umaze")
    task = replace(full, max_episode_steps=140)
    monkeypatch.setattr(methods, "make_task", lambda layout: task)
    rate = run.actions_per_second
    monkeypatch.setattr(run, "actions_per_second", lambda policy, obs: rate(policy, obs, 0.01, 1))
    prior = make_policy(task.data(3, 0, 0), task, resolve_device("cpu"), 0)
    save_prior(prior, tmp_path / "prior-0")
    args = ["--methods", "diffuser-2/16", "distilled/1", "proposal/16", "cloned/16", "--seeds", "0"]
    args += ["--prior", str(tmp_path / "prior-{seed}"), "--reward", "true", "--states", "12"]
    args += ["--updates", "2", "--n-episodes", "2"]
    args += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "speed.csv")]
    run.main(args)
    assert len(capsys.readouterr().out.splitlines()) == 4
    run.main(args)
    assert capsys.readouterr().out == ""
    rows = read_csv(tmp_path / "speed.csv")
    assert [row[1] for row in rows] == [m for m in METHODS if m in args]
    assert all(float(row[3]) > 0 and 0 <= float(row[4]) <= 1 for row in rows)


def test_methods_name_their_decisions() -> None:
    for method in METHODS:
        name, every = method.split("/")
        assert int(every) in (1, 4, 16)
        assert name in {*methods.PLANNERS, "distilled", "proposal", "cloned"}


def test_a_table_has_medians_and_means_over_seeds() -> None:
    rows = [["umaze", "diffuser-8/4", str(i), rate, "0.5"] for i, rate in enumerate(("100", "400", "1600"))]
    line = table(rows).splitlines()[2]
    assert line.startswith("| umaze | diffuser-8 | 4 | 3 | 400 | 10.0 | 0.50")


def test_a_decision_is_made_at_each_step_if_configured() -> None:
    policy = FlowPolicy(
        action_space=gym.spaces.Box(-1, 1, (1,)),
        obs=Normalizer.identity(2),
        act=Normalizer.identity(1),
        settings=FlowSettings(horizon=4, hidden=(4,), replan_every=1),
        device="cpu",
    )
    seen = []
    chunk = policy.chunk
    policy.chunk = lambda obs: seen.append(len(obs)) or chunk(obs)  # type: ignore[method-assign,func-returns-value]
    batch, state = Batch(obs=np.zeros((1, 2), np.float32), info={}), None
    for _ in range(5):
        state = policy(batch, state).state
    assert seen == [1] * 5
