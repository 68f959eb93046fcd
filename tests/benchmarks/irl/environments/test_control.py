"""Control tasks: rewards from observations, data, and coverages."""

import numpy as np
import pytest
from benchmarks.irl.environments.registry import make_environment

from rlpriors.data.episodes import EpisodeStore

TASKS = ("reacher", "doublependulum", "fetchreach", "lunarlander")


@pytest.fixture(params=TASKS)
def environment(request: pytest.FixtureRequest, tmp_path, monkeypatch: pytest.MonkeyPatch):
    if request.param == "lunarlander":
        pytest.importorskip("Box2D")
        pytest.importorskip("pygame")
    monkeypatch.chdir(tmp_path)  # the coverages are stored in the folder of the runs
    environment = make_environment(request.param, quick=True)
    environment.seed = 0
    return environment


def test_true_rewards_are_those_of_the_environment(environment) -> None:
    data, demonstrations = environment.data(0, 0)
    for store in (data, demonstrations):
        reward = environment.true_reward(*store.transitions()).numpy()
        # The speeds of the double pendulum are observed up to 10.
        inside = np.abs(store.transitions().obs_next.numpy()).max(1) < 9.9
        np.testing.assert_allclose(reward[inside], store.rew[inside], atol=0.02, rtol=1e-3)
        assert inside.mean() > 0.5


def test_experts_are_better_than_the_data_of_the_prior(environment) -> None:
    data, demonstrations = environment.data(0, 0)
    assert environment.true_return(demonstrations) > environment.true_return(data)
    assert demonstrations.n_episodes == environment.n_demonstrations
    again, _ = environment.data(0, 0)
    np.testing.assert_array_equal(again.act, data.act)


def test_coverages_are_new_episodes_and_stored(environment) -> None:
    base, mixed = environment.trajectory_sets
    data, _ = environment.data(0, 0)
    assert base.store.n_episodes == environment.budget.trajectories
    assert mixed.source.count("expert") == environment.budget.trajectories // 2
    assert base.store.act[:5].tobytes() != data.act[:5].tobytes()
    new = make_environment(environment.name, quick=True)
    np.testing.assert_array_equal(new.trajectory_sets[1].store.obs, mixed.store.obs)


def test_random_data_have_the_steps_of_the_budget(environment) -> None:
    store = environment.random_data(0)
    assert isinstance(store, EpisodeStore)
    before_the_last = store.n_steps - store.lengths[-1]
    assert before_the_last < environment.budget.reference_steps <= store.n_steps


def test_the_true_reward_agrees_with_itself(environment) -> None:
    metrics = environment.score_truths(environment.true_reward)
    assert metrics["step_pearson"] == pytest.approx(1)
    assert metrics["step_spearman_mixed"] == pytest.approx(1)
    assert metrics["step_epic"] == pytest.approx(0, abs=1e-3)
    assert metrics["progress_pearson"] < 1
    assert "progress_epic" not in metrics  # it needs a function
