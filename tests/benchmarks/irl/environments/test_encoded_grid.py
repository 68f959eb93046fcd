"""Grid world observed through an encoder."""

import numpy as np
import pytest
from benchmarks.irl.environments.encoded_grid import CELL, EncodedGridEnvironment, render_states
from benchmarks.irl.environments.registry import make_environment

from rlpriors.envs.gridworld.gridworld import GridWorld


def test_frames_show_walls_and_the_agent() -> None:
    frames = render_states(GridWorld([[0, 1], [0, 0]]))
    assert frames.shape == (3, 2 * CELL, 2 * CELL, 3)
    assert frames[0, 4, 4].tolist() == [255] * 3
    assert frames[0, 4, CELL + 4].tolist() == [128] * 3
    assert frames[0, CELL + 4, CELL + 4].tolist() == [0] * 3
    assert frames[2, CELL + 4, CELL + 4].tolist() == [255] * 3


def test_observations_are_features_that_distinguish_all_states() -> None:
    environment = make_environment("gridworld-pixels", quick=True)
    assert isinstance(environment, EncodedGridEnvironment)
    states = np.arange(environment.grid.n_states)
    np.testing.assert_array_equal(environment.states_of(environment.state_obs), states)
    env = environment.flat_env()
    obs, info = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    np.testing.assert_array_equal(obs, environment.state_obs[info["state"]])
    data, demonstrations = environment.data(0, 0)
    assert data.obs.shape[1] == demonstrations.obs.shape[1] == 16


def test_exact_policies_are_normalized() -> None:
    environment = make_environment("gridworld-pixels", quick=True)
    data, _ = environment.data(0, 0)
    best = environment.score_trained_policy(environment.oracle(), data, 0, oracle=True)
    assert best["policy_normalized"] == pytest.approx(1)
    assert best["policy_regret"] == pytest.approx(0)
    assert best["policy_success"] > 0.9
    nothing = environment.score_trained_policy(lambda obs, *rest: 0 * obs[:, 0], data, 0, oracle=False)
    assert nothing["policy_normalized"] < 0.1
