"""Exact maximum-causal-entropy IRL: visits that are recovered, by hand and in a grid world."""

import numpy as np
import pytest

from rlpriors.envs.gridworld.gridworld import GridWorld, four_rooms
from rlpriors.envs.gridworld.trajectories import demonstrations
from rlpriors.evaluation.rewards.max_ent_irl import max_ent_irl, state_visits
from rlpriors.evaluation.rewards.policy_regret import policy_regret
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP

TWO = np.array([[[1.0, 0], [0, 1]], [[0, 1.0], [1, 0]]])  # stay or switch between two states


def two(gamma=0.5):
    return TabularMDP(TWO, np.zeros((2, 2, 2)), np.array([1.0, 0.0]), gamma)


@pytest.fixture(scope="module")
def world():
    return GridWorld(four_rooms(5), {(0, 4): 1.0, (4, 0): -1.0}, slip=0.1, max_episode_steps=25)


def visits_of(mdp, policy):
    return np.einsum("sa,san->n", mdp.occupancy(policy), mdp.transition)


def test_a_reward_by_hand():
    """After one step, state 1 is visited with probability p = sigmoid(r_1 - r_0): r_1 - r_0 = log 3."""
    learned = max_ent_irl(two(), np.array([0.25, 0.75]), horizon=1, l2=0.0, tolerance=1e-9)
    assert learned.weights[1] - learned.weights[0] == pytest.approx(np.log(3), abs=1e-6)
    assert learned.policy[0, 0] == pytest.approx([0.25, 0.75], abs=1e-6)
    hot = max_ent_irl(two(), np.array([0.25, 0.75]), horizon=1, l2=0.0, tolerance=1e-9, temperature=2.0)
    assert hot.weights[1] - hot.weights[0] == pytest.approx(2 * np.log(3), abs=1e-5)


@pytest.mark.parametrize("horizon", [None, 3])
def test_the_gradient_is_that_of_the_likelihood(horizon):
    """At the optimum of the convex dual, no other reward has a higher causal likelihood."""
    target = np.array([0.3, 0.7])
    learned = max_ent_irl(two(), target, horizon=horizon, l2=0.0, tolerance=1e-8)
    assert learned.visits == pytest.approx(target, abs=1e-7)
    assert learned.gap < 1e-7


def test_soft_values_agree_with_value_iteration(world):
    mdp = world.to_mdp(0.9)
    target = visits_of(mdp, mdp.optimal_policy(0.3))
    learned = max_ent_irl(mdp, target, temperature=0.3, l2=0.0, tolerance=1e-5)
    again = mdp.with_reward(learned.reward).optimal_policy(0.3)
    assert learned.policy == pytest.approx(again, abs=1e-7)
    assert learned.visits == pytest.approx(visits_of(mdp, again), abs=1e-7)


def test_it_recovers_the_visits_of_an_expert(world):
    mdp = world.to_mdp(0.9)
    expert = mdp.optimal_policy(0.3)
    target = visits_of(mdp, expert)
    learned = max_ent_irl(mdp, target, l2=0.0, tolerance=1e-5)
    assert learned.gap < 1e-5
    assert learned.visits == pytest.approx(target, abs=1e-5)
    assert learned.policy == pytest.approx(expert, abs=0.01)
    assert policy_regret(mdp, mdp.reward, learned.reward) == pytest.approx(0, abs=1e-6)


def test_recorded_demonstrations_are_enough(world):
    mdp, steps = world.to_mdp(0.9), world.max_episode_steps
    store = demonstrations(world, 100, seed=0, gamma=0.9)
    states = world.state_of(store.obs).reshape(100, steps + 1)
    learned = max_ent_irl(mdp, state_visits(states, world.n_states, 0.9))
    assert policy_regret(mdp, mdp.reward, learned.reward) < 0.02


def test_features_are_matched_instead_of_states(world):
    mdp = world.to_mdp(0.9)
    goal = np.arange(world.n_states)[:, None] == [world.state_of_cell((0, 4)), world.state_of_cell((4, 0))]
    target = visits_of(mdp, mdp.optimal_policy(0.3))
    learned = max_ent_irl(mdp, target, features=goal.astype(float), temperature=0.3, l2=0.0)
    # the true reward is linear in these features: its two weights are determined
    assert learned.weights == pytest.approx([1, -1], abs=0.01)
    assert learned.reward[0, 0] == pytest.approx(goal @ learned.weights)


def test_visits_by_hand():
    states = np.array([[0, 1, 1, 0], [1, 0, 1, 1]])
    # weights 1, .5, .25 over 1.75, half for each episode
    assert state_visits(states, 3, 0.5) == pytest.approx(np.array([1 + 0.25, 1 + 0.5 * 2 + 0.25, 0]) / 3.5)
    assert state_visits(states, 2, 1.0) == pytest.approx([2 / 6, 4 / 6])


def test_impossible_visits_are_reported():
    to_one = TabularMDP(np.array([[[0, 1.0]], [[0, 1.0]]]), np.zeros((2, 1, 2)), np.array([1.0, 0]), 0.5)
    with pytest.raises(
        RuntimeError, match=r"The gradient is .* Pass `visits` that a policy of `mdp` can have"
    ):
        max_ent_irl(to_one, np.array([0.5, 0.5]), l2=0.0)


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"visits": np.array([0.5, 0.6])}, "`visits` must hold 2 probabilities .* a sum of 1.1"),
        ({"visits": np.ones(3) / 3}, r"`visits` must hold 2 .* Received shape \(3,\)"),
        ({"features": np.ones((3, 1))}, r"`features` must hold finite rows, .* Received shape \(3, 1\)"),
        ({"horizon": 0}, "`horizon` must be at least 1, or None. Received 0"),
        ({"temperature": 0.0}, "`temperature` and `tolerance` must be above 0"),
        ({"l2": -1.0}, "`l2` at least 0"),
    ],
)
def test_arguments_have_bounds(arguments, message):
    with pytest.raises(ValueError, match=message):
        max_ent_irl(two(), **{"visits": np.array([0.5, 0.5]), **arguments})


def test_states_are_checked():
    with pytest.raises(ValueError, match=r"`states` must be numbers in 0\.\.1\. Received 0 to 2"):
        state_visits(np.array([[0, 2]]), 2, 0.5)
    with pytest.raises(ValueError, match=r"at least one episode of one step.*Received shape \(1, 1\)"):
        state_visits(np.array([[0]]), 2, 0.5)
