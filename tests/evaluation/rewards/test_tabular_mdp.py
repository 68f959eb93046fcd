import numpy as np
import pytest
import torch

from rlpriors.envs.gridworld.gridworld import GridWorld
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP, normalized_return, reward_table

STAY, SWITCH = 0, 1
# Two states; "switch" changes the state for sure.
TWO = np.array([[[1.0, 0], [0, 1]], [[0, 1.0], [1, 0]]])
AT_ONE = np.tile([0.0, 1.0], (2, 2, 1))  # 1 for arriving in state 1


def two(gamma=0.5, reward=AT_ONE, start=(1.0, 0.0)):
    return TabularMDP(TWO, reward, np.array(start), gamma)


def corridor(**changes):
    return GridWorld([[0, 0, 0]], **({"rewards": {(0, 2): 1.0}, "starts": [(0, 0)]} | changes))


def exact_table(reward, world, **options):
    return reward_table(reward, world.xy, world.action_data, **options)


def test_values_and_returns_by_hand():
    mdp = two()
    # Best: switch, then stay: 1 / (1 - .5) from both.
    assert mdp.value_iteration() == pytest.approx(np.array([[1.0, 2.0], [2.0, 1.0]]))
    assert mdp.optimal_policy().tolist() == [[0, 1], [1, 0]]
    assert mdp.policy_return(mdp.optimal_policy()) == pytest.approx(2.0)
    # Evenly: half the time in state 1: .5 / (1 - .5).
    assert mdp.state_values(mdp.uniform_policy()) == pytest.approx([1.0, 1.0])
    # Always stay: nothing from 0, all from 1.
    assert mdp.state_values(np.array([[1.0, 0], [1.0, 0]])) == pytest.approx([0.0, 2.0])


def test_soft_values_by_hand():
    # By symmetry V is the same in both: V = t log(exp((0 + V / 2) / t) + exp((1 + V / 2) / t)).
    mdp, t = two(), 0.5
    value = 2 * t * np.log(1 + np.exp(1 / t))
    assert mdp.value_iteration(t) == pytest.approx(
        np.array([[value / 2, 1 + value / 2], [1 + value / 2, value / 2]])
    )
    assert mdp.optimal_policy(t)[0, SWITCH] == pytest.approx(1 / (1 + np.exp(-1 / t)))


def test_occupancy_by_hand():
    mdp = two()
    # Switch once, then stay: (1 - .5) (1, .5, .25, ...).
    assert mdp.occupancy(mdp.optimal_policy()) == pytest.approx(np.array([[0, 0.5], [0.5, 0]]))
    assert mdp.occupancy(mdp.uniform_policy()) == pytest.approx(
        np.array([[0.5 + 0.25, 0.5 - 0.25]] * 2).T / 2
    )
    # The return is what the occupancy is paid, over 1 - gamma.
    policy = np.array([[0.3, 0.7], [0.6, 0.4]])
    paid = (mdp.occupancy(policy) * mdp.expected_reward).sum() / (1 - mdp.gamma)
    assert paid == pytest.approx(mdp.policy_return(policy))


def test_where_a_policy_gets_to():
    mdp = corridor(slip=0.0).to_mdp(gamma=0.9)
    right = np.tile([0.0, 1, 0, 0, 0], (3, 1))
    assert mdp.state_probabilities(right, 0).tolist() == [1, 0, 0]
    assert mdp.state_probabilities(right, 1).tolist() == [0, 1, 0]
    assert mdp.state_probabilities(right, 9).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="`n_steps` must be at least 0"):
        mdp.state_probabilities(right, -1)


def test_normalized_return_of_policies_that_other_rewards_made():
    mdp = corridor(slip=0.1).to_mdp(gamma=0.9)
    assert normalized_return(mdp, mdp.optimal_policy()) == pytest.approx(1.0)
    assert normalized_return(mdp, mdp.uniform_policy()) == pytest.approx(0.0, abs=1e-9)
    same = mdp.with_reward(3 * mdp.reward + 1)
    assert normalized_return(mdp, same.optimal_policy()) == pytest.approx(1.0)
    opposite = mdp.with_reward(-mdp.reward)
    assert normalized_return(mdp, opposite.optimal_policy()) < 0
    with pytest.raises(ValueError, match="that separates policies"):
        normalized_return(mdp.with_reward(np.ones((3, 5, 3))), mdp.uniform_policy())


def test_a_reward_transfers_to_another_map():
    world = GridWorld([[0, 0, 0], [0, 0, 0]], {(0, 2): 1.0}, starts=[(0, 0)])
    walled = world.changed(maze=[[0, 1, 0], [0, 0, 0]])
    table = exact_table(lambda obs, act, obs_next, end: obs_next[:, 0] + obs_next[:, 1], walled)
    true = walled.to_mdp(gamma=0.9)
    assert normalized_return(true, true.with_reward(table).optimal_policy()) == pytest.approx(1.0)


@pytest.mark.parametrize("actions", ["discrete", "vector"])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_reward_table_by_hand(actions, batch_size):
    def reward(obs, act, obs_next, terminated):
        assert not terminated.any()
        return 100 * obs[:, 0] + 10 * act[:, 0] + obs_next[:, 0]

    table = exact_table(reward, corridor(actions=actions), batch_size=batch_size)
    # From x = -1 to x = 1 by "left", number 2 or the vector (-1, 0).
    left = 2 if actions == "discrete" else -1
    assert table[0, 2, 2] == -100 + 10 * left + 1
    assert table[2, 0, 0] == 100 - 1


def test_the_worlds_own_reward_as_a_function():
    world = corridor(slip=0.2)
    table = exact_table(lambda obs, act, obs_next, end: (obs_next[:, 0] == 1).float(), world)
    assert (table == world.reward_table).all()


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (
            lambda obs, act, obs_next, end: obs_next,
            r"one number for each transition, shape \(45,\). Received \(45, 2\)",
        ),
        (
            lambda obs, act, obs_next, end: obs[:, 0] * torch.nan,
            "`reward` must return finite numbers. Received 45",
        ),
    ],
)
def test_bad_rewards(reward, message):
    with pytest.raises(ValueError, match=message):
        exact_table(reward, corridor())
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        exact_table(reward, corridor(), batch_size=0)


def test_bad_processes_and_policies():
    for changes, message in (
        ({"gamma": 1.0}, r"`gamma` must be in \[0, 1\)"),
        ({"start": (0.5, 0.4)}, "`start` must hold probabilities"),
        ({"reward": AT_ONE * np.nan}, "`reward` must be finite. Received 8"),
    ):
        with pytest.raises(ValueError, match=message):
            two(**changes)
    with pytest.raises(ValueError, match="`transition` must hold probabilities"):
        TabularMDP(TWO * 0.9, AT_ONE, np.array([1.0, 0]), 0.5)
    with pytest.raises(ValueError, match="`policy` must hold probabilities"):
        two().policy_return(np.ones((2, 2)))
