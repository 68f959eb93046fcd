from math import sqrt

import numpy as np
import pytest
import torch

from rlpriors.evaluation import canonical_reward, epic_distance, pearson, pearson_distance, spearman
from rlpriors.types import Transition

GAMMA = 0.9
TABLE = torch.tensor(  # r(s, a, s') of 3 states and 2 actions
    [
        [[1.0, 0.0, 2.0], [0.0, 3.0, -1.0]],
        [[0.5, 0.5, 0.0], [4.0, 0.0, 1.0]],
        [[-2.0, 1.0, 0.0], [0.0, 0.0, 5.0]],
    ]
)
POTENTIAL = torch.tensor([3.0, -7.0, 11.0])


def column(values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def tabular(table):
    def reward(obs, act, obs_next, terminated):
        assert not terminated.any()
        return table[obs[:, 0].long(), act[:, 0].long(), obs_next[:, 0].long()]

    return reward


def shaping(obs, obs_next):
    return GAMMA * POTENTIAL[obs_next[:, 0].long()] - POTENTIAL[obs[:, 0].long()]


def shaped(reward):
    return lambda obs, act, obs_next, end: reward(obs, act, obs_next, end) + shaping(obs, obs_next)


EVERY = [(s, a, n) for s in range(3) for a in range(2) for n in range(3)]
TRANSITIONS = Transition(
    column([s for s, _, _ in EVERY]),
    column([a for _, a, _ in EVERY]),
    column([n for _, _, n in EVERY]),
    torch.zeros(18, dtype=torch.bool),
)
CANONICAL = {
    "canonical_obs": column([n for n in range(3) for _ in range(2)]),
    "canonical_act": column([a for _ in range(3) for a in range(2)]),
    "gamma": GAMMA,
}


def distance(a, b, **changes):
    return epic_distance(a, b, TRANSITIONS, **(CANONICAL | changes))


def test_correlations_by_hand():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 9.0])
    # Deviations (-1, 0, 1) and (-3, -2, 5): 8 / sqrt(2 * 38).
    assert pearson(a, b) == pytest.approx(8 / sqrt(76))
    assert spearman(a, b) == pytest.approx(1.0)
    assert pearson_distance(a, b) == pytest.approx(sqrt((1 - 8 / sqrt(76)) / 2))
    assert pearson_distance(a, a) == pytest.approx(0.0, abs=1e-7)
    assert pearson_distance(a, -2 * a + 5) == pytest.approx(1.0)
    # Ranks (1, 2.5, 2.5, 4) and (1, 2, 3, 4): 4.5 / sqrt(4.5 * 5).
    assert spearman(np.array([0.0, 5.0, 5.0, 6.0]), np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(
        sqrt(0.9)
    )


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_the_scale_changes_no_correlation(scale):
    a, b = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, -1.0])  # deviations -1 0 1 and 0 1 -1
    assert pearson(scale * a, b) == pytest.approx(-0.5)
    assert pearson(a, scale * b) == pytest.approx(-0.5)


def test_canonical_reward_by_hand():
    # Means over A and S': state 0: 5/6, state 1: 1, state 2: 4/6.  For s=0, a=1, s'=1: 3 + .9 * 1 - 5/6.
    canonical = canonical_reward(tabular(TABLE), TRANSITIONS, **CANONICAL)
    assert canonical[EVERY.index((0, 1, 1))] == pytest.approx(3 + 0.9 - 5 / 6)
    assert canonical[EVERY.index((2, 0, 0))] == pytest.approx(-2 + 0.9 * 5 / 6 - 4 / 6)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100_000])
def test_batches_change_nothing(batch_size):
    whole = canonical_reward(tabular(TABLE), TRANSITIONS, **CANONICAL)
    parts = canonical_reward(tabular(TABLE), TRANSITIONS, **CANONICAL, batch_size=batch_size)
    np.testing.assert_allclose(parts, whole, rtol=1e-12)


def test_shaping_changes_a_canonical_reward_by_a_constant():
    base = canonical_reward(tabular(TABLE), TRANSITIONS, **CANONICAL)
    other = canonical_reward(shaped(tabular(TABLE)), TRANSITIONS, **CANONICAL)
    np.testing.assert_allclose(other - base, (other - base)[0], atol=1e-5)


def test_distance_ignores_shaping_scale_and_offset():
    reward = tabular(TABLE)
    assert distance(reward, reward) == pytest.approx(0, abs=1e-6)
    assert distance(reward, shaped(reward)) == pytest.approx(0, abs=1e-3)
    assert distance(reward, tabular(5 * TABLE)) == pytest.approx(0, abs=1e-3)
    assert distance(reward, shaped(tabular(5 * TABLE + 2))) == pytest.approx(0, abs=1e-3)
    assert distance(reward, tabular(-TABLE)) == pytest.approx(1, abs=1e-6)
    assert distance(reward, shaped(tabular(-TABLE))) == pytest.approx(1, abs=1e-6)


def test_distance_ignores_shaping_with_few_samples_of_some_transitions():
    few = Transition(*(column[::4] for column in TRANSITIONS))
    samples = {"canonical_obs": column([0, 2]), "canonical_act": column([1, 0]), "gamma": GAMMA}
    assert epic_distance(tabular(TABLE), shaped(tabular(TABLE)), few, **samples) == pytest.approx(0, abs=1e-3)


def test_distance_is_symmetric_and_between_0_and_1():
    other = TABLE.flip(0)
    there, back = distance(tabular(TABLE), tabular(other)), distance(tabular(other), tabular(TABLE))
    assert there == pytest.approx(back)
    assert 0.1 < there < 0.95


def test_distance_sees_another_discount_in_the_shaping():
    assert distance(tabular(TABLE), shaped(tabular(TABLE)), gamma=0.5) > 0.1


def test_rewards_of_the_state_alone_are_compared_where_a_transition_leads():
    a, b = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([2.0, 1.0, 4.0])
    states = TRANSITIONS.obs_next[:, 0].long()
    expected = pearson_distance(a[states].numpy(), b[states].numpy())
    of_state = [lambda obs, act, obs_next, end, r=r: r[obs[:, 0].long()] for r in (a, b)]
    of_next = [lambda obs, act, obs_next, end, r=r: r[obs_next[:, 0].long()] for r in (a, b)]
    assert distance(*of_state) == pytest.approx(expected, abs=1e-6)
    assert distance(*of_next) == pytest.approx(expected, abs=1e-6)


def test_no_gradient_is_kept():
    table = TABLE.clone().requires_grad_()
    assert canonical_reward(tabular(table), TRANSITIONS, **CANONICAL).shape == (18,)


@pytest.mark.cuda
def test_runs_on_cuda(cuda_device):
    there = Transition(*(column.to(cuda_device) for column in TRANSITIONS))
    samples = {name: x.to(cuda_device) if isinstance(x, torch.Tensor) else x for name, x in CANONICAL.items()}
    reward, other = tabular(TABLE.to(cuda_device)), tabular(-TABLE.to(cuda_device))
    assert epic_distance(reward, other, there, **samples) == pytest.approx(1, abs=1e-6)


VARIED = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("function", [pearson, spearman, pearson_distance])
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (VARIED, np.full(3, 0.1), r"`b` must vary.*constant 0.1"),
        (1e9 + 1e-8 * VARIED, VARIED, "`a` must vary"),
        (np.array([1.0, np.nan, np.inf]), VARIED, "`a` must be finite. Received 2"),
        (VARIED, VARIED[:2], "same length, at least 2. Received 3 and 2"),
        (VARIED[:1], VARIED[:1], "at least 2. Received 1 and 1"),
    ],
)
def test_no_correlation_of_what_does_not_vary(function, a, b, message):
    with pytest.raises(ValueError, match=message):
        function(a, b)


@pytest.mark.parametrize(
    ("reward", "changes", "message"),
    [
        (tabular(torch.full((3, 2, 3), 0.3)), {}, "`reward_b` must vary by more than shaping on the 18"),
        (shaped(tabular(torch.zeros(3, 2, 3))), {}, "`reward_b` must vary by more than shaping"),
        (tabular(TABLE * torch.nan), {}, "`reward` gave NaN or infinity"),
        (tabular(TABLE), {"gamma": 1.5}, r"`gamma` must be in \[0, 1\].*Received 1.5"),
        (tabular(TABLE), {"batch_size": 0}, "`batch_size` at least 1"),
        (tabular(TABLE), {"canonical_act": column([1])}, "same number of rows.*Received 6 and 1"),
    ],
)
def test_errors_say_what_to_do(reward, changes, message):
    with pytest.raises(ValueError, match=message):
        distance(tabular(TABLE), reward, **changes)
