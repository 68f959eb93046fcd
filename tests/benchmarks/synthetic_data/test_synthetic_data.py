"""Benchmark of synthetic data: simulators, targets and tables by hand, and small cells."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from benchmarks.synthetic_data import cells, run
from benchmarks.synthetic_data.cells import CONTROL, METHODS, TRAINED, Budget, Cell
from benchmarks.synthetic_data.report import returns, samples
from benchmarks.synthetic_data.targets import log_likelihood, policy_target
from benchmarks.synthetic_data.tasks import TASKS
from benchmarks.tables import read_csv

from rlpriors.agents import OfflineSettings, make_offline_algorithm
from rlpriors.data.episodes import Episode, EpisodeStore

NO, END = np.zeros(1, bool), np.ones(1, bool)


def step(obs, act, obs_next) -> EpisodeStore:
    """Return one episode of one step."""
    return EpisodeStore.from_episodes([Episode(np.array([obs, obs_next]), np.array([act]), NO, NO, END)])


def test_the_pendulum_moves_as_its_equation() -> None:
    # At rest on the right: speed 0 + (15 sin(pi / 2) + 3 * 2) * 0.05 = 1.05, angle pi / 2 + 1.05 * 0.05.
    (found,) = TASKS["pendulum"].next_obs(np.array([[0.0, 2.0, 0.0]]), np.array([[2.0]]))
    angle = np.pi / 2 + 1.05 * 0.05
    np.testing.assert_allclose(found, [np.cos(angle), np.sin(angle), 1.05], atol=1e-6)


def test_the_error_of_dynamics_is_a_scaled_distance() -> None:
    task = TASKS["pendulum"]
    # At rest at the top nothing moves; the store says that the speed rises to 0.3.
    wrong = step([1.0, 0.0, 0.0], [0.0], [1.0, 0.0, 0.3])
    assert task.dynamics_error(wrong, np.array([1.0, 1.0, 0.5]), 10, 0) == pytest.approx(0.6)


@pytest.mark.parametrize("name", TASKS)
def test_recorded_steps_are_those_of_the_simulator(name: str) -> None:
    if name == "umaze":
        pytest.importorskip("gymnasium_robotics")
    task = TASKS[name]
    data = task.data(0, n_episodes=3)
    assert task.dynamics_error(data, data.obs.std(0), 100, 0) < 1e-4
    still = EpisodeStore.from_episodes(
        [data.episode(0)._replace(obs=np.repeat(data.episode(0).obs[:1], len(data.episode(0).obs), 0))]
    )
    assert task.dynamics_error(still, data.obs.std(0), 100, 0) > 1e-2


@pytest.mark.parametrize("name", ["td3-bc", "iql"])
def test_a_target_prefers_the_actions_of_its_policy(name) -> None:
    spaces = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-2, 2, (1,))
    settings = OfflineSettings(name, hidden=(8,), normalize_observations=False)
    policy = make_offline_algorithm(*spaces, settings, device="cpu").policy
    obs = torch.tensor([[0.3, -0.2, 0.9]])
    out = policy.actor(obs)[0]
    mean = float((out[0] if isinstance(out, tuple) else out).detach())
    target = policy_target(policy)
    # The policy's unit is 2: an action 1 away is 0.5 units away, -0.5^2 / 2 = -0.125.
    assert float(target(obs, torch.tensor([[2 * mean]]))) == pytest.approx(0, abs=1e-6)
    one = step(obs[0].numpy(), [2 * mean + 1], obs[0].numpy())
    assert log_likelihood(target, one) == pytest.approx(-0.125, abs=1e-5)


def test_tables_by_hand() -> None:
    rows = [
        ["pendulum", method, str(seed), metric, str(value)]
        for method, metric, values in (
            ("behavior", "return", (-600, -500)),
            ("td3-bc/real", "return", (-300, -200)),
            ("td3-bc/real", "log_likelihood", (-0.2, -0.1)),
            ("td3-bc/0", "return", (-310, -190)),
            ("td3-bc/0", "log_likelihood", (-0.2, -0.2)),
            ("td3-bc/0", "dynamics_error", (0.1, 0.2)),
            ("td3-bc/1", "log_likelihood", (-0.1, -0.1)),
            ("td3-bc/1", "dynamics_error", (0.15, 0.25)),
            (CONTROL, "return", (-250, -150)),
            (CONTROL, "log_likelihood", (-0.5, -0.5)),
        )
        for seed, value in enumerate(values)
    ]
    lines = samples(rows).splitlines()
    assert lines[2].startswith("| pendulum | td3-bc | real | 2 | -0.150 [-0.200, -0.100] | 0 |")
    # Ratios 1.5 and 1.25.
    assert lines[4].endswith("| 0.200 [0.150, 0.250] | 1.38 | 1.50 |")
    lines = returns(rows).splitlines()
    assert lines[2] == "| pendulum | recorded episodes |  | 2 | -550 [-600, -500] |  |"
    assert lines[4] == "| pendulum | td3-bc | real and unguided | 2 | -250 [-310, -190] | 0 [-10, 10] |"
    assert lines[5] == "| pendulum | td3-bc-40 | real | 2 | -200 [-250, -150] | 50 [50, 50] |"
    assert "td3-bc-40" not in samples(rows)


def test_policies_are_trained_at_strengths_that_are_sampled() -> None:
    assert set(TRAINED) < set(cells.STRENGTHS)
    assert TRAINED[0] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_cells_are_run_once_and_reach_the_csv(tmp_path, monkeypatch, capsys) -> None:
    tiny = Budget(horizon=8, prior_updates=4, policy_updates=4, n_trajectories=4, n_checked=20)
    monkeypatch.setattr(run, "BUDGET", tiny)
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.csv")
    chosen = ["behavior", "td3-bc/real", f"td3-bc/{TRAINED[1]:g}", "iql/3", CONTROL]
    arguments = ["--envs", "pendulum", "--seeds", "0", "100", "--runs", str(tmp_path / "runs")]
    arguments += ["--methods", *chosen]
    run.main(arguments)
    assert len(capsys.readouterr().out.splitlines()) == 10
    rows = read_csv(run.RESULTS)
    assert {row[2] for row in rows} == {"0"}  # seeds from 100 on are for the choice of settings
    assert [m for m in METHODS if m in {row[1] for row in rows}] == chosen
    values = {(row[1], row[3]): float(row[4]) for row in rows}
    assert values["behavior", "return"] < values["behavior", "expert_return"] < 0
    assert values["iql/3", "dynamics_error"] > 0
    assert ("iql/3", "return") not in values
    assert Cell("pendulum", "iql/3", 0, tiny).file == "pendulum-iql-3-seed0.json"
    run.main(arguments)
    assert capsys.readouterr().out == ""
