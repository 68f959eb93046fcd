from math import sqrt

import numpy as np
import pytest
import torch

from rlpriors.evaluation.rewards.dard import dard_distance, dynamics_canonical_rewards
from rlpriors.evaluation.rewards.epic import epic_distance
from rlpriors.evaluation.rewards.tabular_distances import (
    dard_canonical,
    epic_canonical,
    exact_dard,
    exact_epic,
    exact_starc,
    minimal_canonical,
    value_canonical,
)
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP
from rlpriors.types import Transition

# Two states; action 0 stays and action 1 switches for sure.
TWO = np.array([[[1.0, 0], [0, 1]], [[0, 1.0], [1, 0]]])
AT_ONE = np.tile([0.0, 1.0], (2, 2, 1))  # 1 for arriving in state 1
SWITCHING = np.tile(np.array([0.0, 1.0])[None, :, None], (2, 1, 2))  # 1 for switching
LEAVING_ONE = SWITCHING * np.array([0.0, 1.0])[:, None, None]  # 1 for switching in state 1


def two(gamma=0.5):
    return TabularMDP(TWO, AT_ONE, np.array([1.0, 0.0]), gamma)


def random_mdp(seed=0, states=4, actions=3, gamma=0.8):
    rng = np.random.default_rng(seed)
    transition = rng.dirichlet(np.ones(states), (states, actions))
    return TabularMDP(transition, rng.normal(size=transition.shape), np.full(states, 1 / states), gamma)


def shaping(mdp, seed=5):
    phi = np.random.default_rng(seed).normal(size=len(mdp.start)) * 3
    return np.tile((mdp.gamma * phi - phi[:, None])[:, None], (1, mdp.transition.shape[1], 1))


DISTANCES = {
    "epic": lambda a, b, mdp: exact_epic(a, b, mdp.gamma),
    "dard": exact_dard,
    "starc value norm": exact_starc,
    "starc value angle": lambda a, b, mdp: exact_starc(a, b, mdp, metric="angle"),
    "starc minimal norm": lambda a, b, mdp: exact_starc(a, b, mdp, canonical="minimal"),
    "starc minimal angle": lambda a, b, mdp: exact_starc(a, b, mdp, canonical="minimal", metric="angle"),
}
every_distance = pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)


# Canonical rewards by hand, gamma = .5


def test_epic_canonical_by_hand():
    # Means over A and S' are 0 in state 0 and .5 in state 1; over all of them .25.
    # (1, switch, 0): 1 + .5 * 0 - .5 - .5 * .25.   (0, stay, 1): 0 + .5 * .5 - 0 - .125.
    canonical = epic_canonical(LEAVING_ONE, 0.5)
    assert canonical[1, 1, 0] == pytest.approx(0.375)
    assert canonical[0, 0, 1] == pytest.approx(0.125)
    # With all weight on state 1 and on switching the means are 0, 1 and 1.
    weighted = epic_canonical(LEAVING_ONE, 0.5, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert weighted[1, 1, 0] == pytest.approx(1 - 1 - 0.5)


def test_dard_canonical_by_hand():
    # Means are 0 and .5 as above.  R(S',A,S''): staying pays 0; switching pays 1 where s = 0, since
    # then S' = 1.  So the last term is .5 * .5 in state 0 and 0 in state 1.
    canonical = dard_canonical(LEAVING_ONE, two())
    assert canonical[1, 1, 0] == pytest.approx(1 + 0 - 0.5 - 0)
    assert canonical[0, 1, 1] == pytest.approx(0 + 0.25 - 0 - 0.25)
    assert canonical[0, 0, 0] == pytest.approx(-0.25)


def test_value_canonical_by_hand():
    # The uniform policy is worth .5 / (1 - .5) = 1 everywhere: rewards -1 + .5.
    assert value_canonical(AT_ONE, two()) == pytest.approx(np.array([[-0.5, 0.5], [0.5, -0.5]]))
    # Always staying is worth 0 and 2: (0, switch): 1 - 0 + 1; (1, switch): 0 - 2 + 0.
    stay = np.array([[1.0, 0], [1.0, 0]])
    assert value_canonical(AT_ONE, two(), stay) == pytest.approx(np.array([[0.0, 2.0], [0.0, -2.0]]))


def test_minimal_canonical_by_hand():
    # r = (0, 1, 1, 0); shaping by phi_0: (-.5, -1, 0, .5), by phi_1: (0, .5, -.5, -1).
    # The normal equations [[1.5, -1], [-1, 1.5]] phi = (-1, 0) give phi = (-1.2, -.8).
    assert minimal_canonical(AT_ONE, two()) == pytest.approx(np.array([[-0.6, 0.2], [0.6, -0.2]]))


def test_distances_by_hand():
    # Advantages (-.5, .5, .5, -.5) and (-.5, .5, -.5, .5) are at right angles.
    assert exact_starc(AT_ONE, SWITCHING, two()) == pytest.approx(sqrt(0.5))
    assert exact_starc(AT_ONE, SWITCHING, two(), metric="angle") == pytest.approx(0.5)
    # EPIC of arriving in 1 and of switching: independent over all eight transitions.
    assert exact_epic(AT_ONE, SWITCHING, 0.5) == pytest.approx(sqrt(0.5))
    # On the one state where switching means arriving they agree, on the other they oppose.
    only = np.zeros((2, 2, 2))
    only[0] = TWO[0]
    assert exact_epic(AT_ONE, SWITCHING, 0.0, coverage=only) == pytest.approx(0.0, abs=1e-7)
    only = np.zeros((2, 2, 2))
    only[1] = TWO[1]
    assert exact_epic(AT_ONE, SWITCHING, 0.0, coverage=only) == pytest.approx(1.0)
    assert exact_dard(AT_ONE, SWITCHING, two(0.0), coverage=only) == pytest.approx(1.0)
    # DARD's canonical forms of both are the rewards less a half: independent over what can happen.
    assert exact_dard(AT_ONE, SWITCHING, two()) == pytest.approx(sqrt(0.5))


@every_distance
def test_shaped_is_0_scaled_is_0_negated_is_1(distance):
    mdp = random_mdp()
    reward, shape = mdp.reward, shaping(mdp)
    assert distance(reward, reward, mdp) == pytest.approx(0.0, abs=1e-6)
    assert distance(reward, reward + shape, mdp) == pytest.approx(0.0, abs=1e-6)
    for scale in (7, 1e300, 1e-300):
        assert distance(reward, scale * reward, mdp) == pytest.approx(0.0, abs=1e-6)
        assert distance(-scale * reward, reward, mdp) == pytest.approx(1.0, abs=1e-6)
    assert distance(reward, 2 * reward - 3 * shape + 4, mdp) == pytest.approx(0.0, abs=1e-6)
    assert distance(reward, -reward, mdp) == pytest.approx(1.0, abs=1e-6)
    assert distance(reward, -2 * reward + shape, mdp) == pytest.approx(1.0, abs=1e-6)


@every_distance
def test_a_distance_is_one(distance):
    mdp = random_mdp()
    a, b, c = (random_mdp(seed).reward for seed in (0, 1, 2))
    there, back = distance(a, b, mdp), distance(b, a, mdp)
    assert there == pytest.approx(back)
    assert 0.2 < there < 0.9
    assert distance(a, c, mdp) <= there + distance(b, c, mdp)


def test_starc_alone_ignores_what_policies_cannot_tell():
    mdp = two()
    impossible = AT_ONE + 5 * (TWO == 0) * np.random.default_rng(0).normal(size=(2, 2, 2))
    for canonical in ("value", "minimal"):
        assert exact_starc(AT_ONE, impossible, mdp, canonical=canonical) == pytest.approx(0.0, abs=1e-6)
    assert exact_epic(AT_ONE, impossible, 0.5) > 0.3
    # Also moving reward between the next states of a chance move.
    chance = random_mdp()
    moved = np.zeros((4, 3, 4))
    moved[..., 0], moved[..., 1] = chance.transition[..., 1], -chance.transition[..., 0]
    assert exact_starc(chance.reward, chance.reward + 5 * moved, chance) == pytest.approx(0.0, abs=1e-6)
    assert exact_dard(chance.reward, chance.reward + 5 * moved, chance) > 0.1


def test_angle_and_norm_agree():
    mdp = random_mdp()
    a, b = mdp.reward, random_mdp(3).reward
    angle = exact_starc(a, b, mdp, metric="angle") * np.pi
    x, y = value_canonical(a, mdp).ravel(), value_canonical(b, mdp).ravel()
    assert np.cos(angle) == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    assert exact_starc(a, b, mdp) == pytest.approx(np.sin(angle / 2))


# Samples against tables


def column(values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def function(table):
    def reward(obs, act, obs_next, terminated):
        assert not terminated.any()
        return torch.tensor(table)[obs[:, 0].long(), act[:, 0].long(), obs_next[:, 0].long()]

    return reward


def every_transition(states, actions):
    s, a, n = np.indices((states, actions, states)).reshape(3, -1).tolist()
    return Transition(column(s), column(a), column(n), torch.zeros(len(s), dtype=torch.bool))


def test_epic_from_samples_is_the_exact_one():
    mdp = random_mdp()
    a, b = mdp.reward, random_mdp(1).reward
    pairs = np.indices((4, 3)).reshape(2, -1).tolist()
    sampled = epic_distance(
        function(a),
        function(b),
        every_transition(4, 3),
        canonical_obs=column(pairs[0]),
        canonical_act=column(pairs[1]),
        gamma=0.8,
    )
    assert sampled == pytest.approx(exact_epic(a, b, 0.8))


def switch(obs, act):
    return torch.where(act > 0, 1 - obs, obs)


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_dard_from_samples_is_the_exact_one_when_nothing_is_random(batch_size):
    sampling = {"sample_next": switch, "canonical_act": column([0, 1]), "gamma": 0.5}
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 2, 2))
    every = every_transition(2, 2)
    canonical = dynamics_canonical_rewards(
        [function(a), function(b)], every, **sampling, batch_size=batch_size
    )
    np.testing.assert_allclose(canonical[0], dard_canonical(a, two()).ravel(), atol=1e-12)
    np.testing.assert_allclose(canonical[1], dard_canonical(b, two()).ravel(), atol=1e-12)
    possible = [0, 3, 5, 6]
    some = Transition(*(part[possible] for part in every))
    assert TWO.ravel()[possible].tolist() == [1, 1, 1, 1]
    assert dard_distance(function(a), function(b), some, **sampling) == pytest.approx(exact_dard(a, b, two()))


def test_dard_from_samples_of_a_random_world():
    mdp = random_mdp()
    rng = np.random.default_rng(1)
    cumulative = mdp.transition.cumsum(-1)

    def sample_next(obs, act):
        chances = cumulative[obs[:, 0].long().numpy(), act[:, 0].long().numpy()]
        return column(((chances < rng.random((len(obs), 1))).sum(1)).clip(max=3).tolist())

    acts = column(np.tile(np.arange(3), 600).tolist())
    canonical = dynamics_canonical_rewards(
        [function(mdp.reward)], every_transition(4, 3), sample_next=sample_next, canonical_act=acts, gamma=0.8
    )
    np.testing.assert_allclose(canonical[0], dard_canonical(mdp.reward, mdp).ravel(), atol=0.15)
    # Shaping cancels whatever was drawn: both rewards meet the same draws.
    few = {"sample_next": sample_next, "canonical_act": column([0, 2]), "gamma": 0.8}
    plain, shaped = function(mdp.reward), function(mdp.reward + shaping(mdp))
    assert dard_distance(plain, shaped, every_transition(4, 3), **few) == pytest.approx(0, abs=1e-6)
    negated = function(-mdp.reward)
    assert dard_distance(plain, negated, every_transition(4, 3), **few) == pytest.approx(1, abs=1e-6)


# What cannot be compared


@every_distance
def test_nothing_but_shaping(distance):
    mdp = random_mdp()
    with pytest.raises(ValueError, match="`reward_b` must vary by more than shaping"):
        distance(mdp.reward, shaping(mdp), mdp)
    with pytest.raises(ValueError, match="`reward_a` must vary by more than shaping"):
        distance(np.zeros((4, 3, 4)), mdp.reward, mdp)
    with pytest.raises(ValueError, match="of one process"):
        distance(mdp.reward, mdp.reward[:, :2], mdp)
    with pytest.raises(ValueError, match=r"`reward_b` must be finite\. Received 48"):
        distance(mdp.reward, mdp.reward * np.inf, mdp)


def test_bad_arguments():
    mdp = two()
    with pytest.raises(ValueError, match='`canonical` must be "value" or "minimal"'):
        exact_starc(AT_ONE, SWITCHING, mdp, canonical="none")
    with pytest.raises(ValueError, match="`coverage` must hold weights"):
        exact_epic(AT_ONE, SWITCHING, 0.5, coverage=-AT_ONE)
    with pytest.raises(ValueError, match="`coverage` must hold weights"):
        exact_dard(AT_ONE, SWITCHING, mdp, coverage=0 * AT_ONE)
    with pytest.raises(ValueError, match="`action_weights` must hold 2 probabilities"):
        exact_dard(AT_ONE, SWITCHING, mdp, action_weights=np.array([0.5, 0.6]))
    with pytest.raises(ValueError, match=r"`gamma` must be in \[0, 1\]"):
        exact_epic(AT_ONE, SWITCHING, 1.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": -0.1}, r"`gamma` must be in \[0, 1\].*Received -0.1"),
        ({"canonical_act": column([0])[:0]}, "at least one.*0 actions"),
        ({"sample_next": lambda obs, act: obs[:1]}, r"`sample_next` must return.*Received \(1, 1\)"),
        ({"reward_b": function(AT_ONE * np.nan)}, "`rewards` gave NaN or infinity"),
        ({"reward_b": function(AT_ONE * 0 + 1)}, "`reward_b` must vary"),
    ],
)
def test_bad_samples(changes, message):
    sampling = {"sample_next": switch, "canonical_act": column([0, 1]), "gamma": 0.5}
    rewards = {"reward_a": function(AT_ONE), "reward_b": function(SWITCHING)}
    with pytest.raises(ValueError, match=message):
        dard_distance(**(rewards | sampling | changes), transitions=every_transition(2, 2))
