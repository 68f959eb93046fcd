"""Action units: transitions in the environment's units, and the inverse of `map_action`."""

import numpy as np
from line_env import TWO, dqn, ppo, sac, seeded
from tianshou.data import Batch

from rlpriors.agents.online.action_units import to_policy_units, to_transition


def test_transitions_contain_the_actions_of_the_environment() -> None:
    policy = seeded(sac).policy
    batch = Batch(
        obs=np.zeros((2, 1)), obs_next=np.ones((2, 1)), act=np.full((2, 1), 0.5), terminated=[False, False]
    )
    transition = to_transition(batch, policy)
    assert transition.act.tolist() == [[1.0], [1.0]]  # half of the way to the bound of 2
    assert to_policy_units(policy, transition.act.numpy()).tolist() == [[0.5], [0.5]]
    discrete = Batch(obs=np.zeros((2, 1)), obs_next=np.ones((2, 1)), act=np.array([1, 0]), terminated=[1, 0])
    transition = to_transition(discrete, seeded(dqn).policy)
    assert transition.act.tolist() == [[1.0], [0.0]]
    assert transition.terminated.tolist() == [True, False]


def test_actions_outside_the_bounds_and_under_a_tanh_are_inverted() -> None:
    policy = seeded(ppo).policy
    assert to_policy_units(policy, np.array([[9.0], [-2.0], [1.0]])).tolist() == [[1.0], [-1.0], [0.5]]
    policy.action_bound_method = "tanh"
    back = policy.map_action(to_policy_units(policy, np.array([[2.0], [-2.0], [0.4]])))
    np.testing.assert_allclose(back, [[2.0], [-2.0], [0.4]], atol=1e-5)
    assert to_policy_units(seeded(ppo, TWO).policy, np.array([1, 0])).tolist() == [1, 0]


def test_leaves_of_dictionary_observations() -> None:
    obs = Batch(xy=np.array([[1.0, 2.0]]), goal=np.array([[3.0]]))
    batch = Batch(obs=obs, obs_next=obs, act=np.zeros((1, 1)), terminated=np.zeros(1, bool))
    transition = to_transition(batch, seeded(sac).policy, ("goal", "xy"))
    assert transition.obs.tolist() == [[3.0, 1.0, 2.0]]
