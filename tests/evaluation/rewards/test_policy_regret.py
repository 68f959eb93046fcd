"""Regret of planning with a learned reward: by hand, and its invariances."""

import numpy as np
import pytest

from rlpriors.envs.gridworld.gridworld import GridWorld, four_rooms
from rlpriors.evaluation.rewards.policy_regret import policy_regret
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP

TWO = np.array([[[1.0, 0], [0, 1]], [[0, 1.0], [1, 0]]])  # stay or switch between two states
AT_ONE = np.tile([0.0, 1.0], (2, 2, 1))


@pytest.fixture(scope="module")
def mdp():
    return GridWorld(four_rooms(5), {(0, 4): 1.0, (4, 0): -1.0}, slip=0.1).to_mdp(0.9)


def shaping(mdp, scale=5.0):
    phi = scale * np.random.default_rng(0).normal(size=len(mdp.start))
    return np.broadcast_to(mdp.gamma * phi - phi[:, None, None], mdp.reward.shape)


def test_by_hand():
    mdp = TabularMDP(TWO, AT_ONE, np.array([1.0, 0.0]), 0.5)
    # The best policy returns 2 and the uniform one 1.
    assert policy_regret(mdp, AT_ONE, 7 * AT_ONE) == 0
    assert policy_regret(mdp, AT_ONE, np.zeros((2, 2, 2))) == 1  # without preference, all actions share
    assert policy_regret(mdp, AT_ONE, -AT_ONE) == 2  # it stays in state 0 and returns 0
    pays_staying = np.zeros((2, 2, 2))
    pays_staying[1, 0] = 1.0  # staying in state 1: switch, then stay
    assert policy_regret(mdp, AT_ONE, pays_staying) == 0


def test_scale_and_shaping_do_not_matter(mdp):
    rng = np.random.default_rng(1)
    for learned in (mdp.reward, rng.normal(size=mdp.reward.shape)):
        regret = policy_regret(mdp, mdp.reward, learned)
        assert policy_regret(mdp, mdp.reward, 3 * learned + shaping(mdp)) == pytest.approx(regret, abs=1e-6)
    assert policy_regret(mdp, mdp.reward, mdp.reward) == 0
    assert regret > 0.3


def test_at_a_temperature_the_truth_has_no_regret(mdp):
    assert policy_regret(mdp, mdp.reward, mdp.reward, temperature=0.2) == 0
    shaped = mdp.reward + shaping(mdp)
    assert policy_regret(mdp, mdp.reward, shaped, temperature=0.2) == pytest.approx(0, abs=1e-6)
    assert policy_regret(mdp, mdp.reward, 0.1 * mdp.reward, temperature=0.2) > 0.1


def test_a_reward_without_preference_is_refused(mdp):
    with pytest.raises(ValueError, match="`true_reward` must separate policies"):
        policy_regret(mdp, np.ones_like(mdp.reward), mdp.reward)
