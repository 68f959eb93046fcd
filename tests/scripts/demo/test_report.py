"""The demo's numbers, from rewards whose quality is known, and the words it ends with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rlpriors.data import EpisodeStore
from rlpriors.envs.maze.point_maze import PointMazeTask, make_task
from rlpriors.rewards import RewardModel
from rlpriors.scripts.demo.report import print_report, reward_quality, score_at_rest


class Formula(RewardModel):
    """A reward that is a function of the transition, without weights."""

    obs_dim, act_dim, obs_keys = 4, 2, None

    def __init__(self, formula: Callable[..., Tensor]) -> None:
        super().__init__()
        self.formula = formula

    @classmethod
    def from_settings(cls, settings: Any) -> "Formula":
        raise NotImplementedError

    def forward(self, obs, act, obs_next, terminated):
        return self.formula(obs, act, obs_next, terminated)


@pytest.fixture(scope="module")
def task() -> PointMazeTask:
    return make_task(max_episode_steps=150)


@pytest.fixture(scope="module")
def data(task) -> EpisodeStore:
    return task.data(6, seed=0, n_workers=0)


# ---------------------------------------------------------------- numbers


def test_the_distance_itself_is_perfect(task, data) -> None:
    quality = reward_quality(Formula(task.oracle(3.0)), task, data, seed=0)
    assert set(quality) == {"spearman", "pearson", "spearman_data", "pearson_data", "epic"}
    assert quality["epic"] == pytest.approx(0, abs=1e-3)
    for name in ("spearman", "pearson", "spearman_data", "pearson_data"):
        assert quality[name] == pytest.approx(1, abs=2e-3), name


def test_the_distances_opposite_is_the_worst(task, data) -> None:
    quality = reward_quality(Formula(task.oracle(-1.0)), task, data, seed=0)
    assert quality["epic"] == pytest.approx(1, abs=1e-3)
    assert quality["spearman"] == pytest.approx(-1, abs=2e-3)
    assert quality["pearson_data"] == pytest.approx(-1, abs=2e-3)


def test_shaping_changes_correlations_but_not_epic(task, data) -> None:
    oracle = task.oracle(1.0)

    def shaped(obs, act, obs_next, terminated):
        potential = 40 * (obs_next[:, 1] * 0.99 - obs[:, 1])
        return oracle(obs, act, obs_next, terminated) + potential

    quality = reward_quality(Formula(shaped), task, data, seed=0)
    assert quality["epic"] == pytest.approx(0, abs=1e-3)
    assert quality["spearman_data"] < 0.95


def test_another_goals_distance_is_in_between(task, data) -> None:
    other = make_task((-1.0, 1.0), max_episode_steps=150)
    quality = reward_quality(Formula(other.oracle()), task, data, seed=0)
    assert quality["spearman"] < 0
    assert 0.5 < quality["epic"] < 1
    assert quality == reward_quality(Formula(other.oracle()), task, data, seed=0)


def test_a_reward_that_learnt_nothing_is_refused(task, data) -> None:
    with pytest.raises(ValueError, match="constant"):
        reward_quality(Formula(lambda obs, *rest: torch.zeros(len(obs))), task, data, seed=0)


def test_at_rest_nothing_moves() -> None:
    def everything(obs, act, obs_next, terminated):
        assert not act.any()
        assert not terminated.any()
        assert torch.equal(obs, obs_next)
        return obs @ torch.tensor([1.0, 10.0, 100.0, 1000.0])

    given = score_at_rest(Formula(everything), np.array([[1.0, 2.0], [0.5, -1.0]]))
    assert given.tolist() == [21.0, -9.5]


# ---------------------------------------------------------------- words


RESULTS = {
    "seed": 7,
    "seconds": 123.4,
    "reward_inputs": "position",
    "reach_unguided": 0.11,
    "stay_unguided": 0.12,
    "reach_guided": 0.21,
    "stay_guided": 0.22,
    "reach_best_of_16": 0.31,
    "stay_best_of_16": 0.32,
    "reach_oracle": 0.41,
    "stay_oracle": 0.42,
    "spearman": 0.9811,
    "pearson": 0.9722,
    "spearman_data": 0.9633,
    "pearson_data": 0.9544,
    "epic": 0.1055,
}


def test_the_report_has_every_number(tmp_path, capsys) -> None:
    print_report(RESULTS, tmp_path, "Verdict: good.")
    shown = capsys.readouterr().out
    for row in (
        ("prior alone, no reward", "0.11", "0.12"),
        ("DiffusionIRL, N = 1 ", "0.21", "0.22"),
        ("DiffusionIRL, best of N = 16", "0.31", "0.32"),
        ("true distance as reward, best of N = 16", "0.41", "0.42"),
        ("a grid of the maze", "0.981", "0.972"),
        ("the data", "0.963", "0.954", "0.105"),
    ):
        assert any(all(cell in line for cell in row) for line in shown.splitlines()), row
    assert "(seed 7)" in shown
    assert "Without the true reward: Verdict: good. (report.md)" in shown
    assert "For your own environment: rlpriors learn-reward" in shown
    assert "123 seconds" in shown
    assert f'    env = LearnedReward(make_point_maze(), "{tmp_path / "reward"}")\n' in shown


@pytest.mark.parametrize("name", ["run[red]2[/]", "a:key:b", "long-" * 40])
def test_the_last_line_is_the_folder_as_it_is_called(name, tmp_path, capsys) -> None:
    print_report(RESULTS, tmp_path / name, "Verdict: good.")
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == str(tmp_path / name)
    assert f"tensorboard --logdir {tmp_path / name / 'tensorboard'}\n" in shown
    assert f'"{tmp_path / name / "reward"}"' in shown
