"""Distances of two reward tables, exact.

`epic_canonical`, `dard_canonical`           without potential shaping (EPIC, DARD)
`value_canonical`, `minimal_canonical`       also without what the dynamics average away (STARC)
`exact_epic`, `exact_dard`, `exact_starc`    the distances: 0 for the same, 1 for opposite rewards

EPIC is from Gleave et al. 2021 (arXiv 2006.13900), DARD from Wulfe et al. 2022 (arXiv 2201.10081),
STARC from Skalse et al. 2024 (arXiv 2309.15257).  None is moved by positive scale or by adding
`gamma phi(s') - phi(s)`.  EPIC asks about every pair of states, whether the dynamics allow it or not;
DARD asks where they lead; STARC sees only what changes the returns of policies.

`reward` tables are [states, actions, next states]; every `mdp` argument lends its dynamics and
discount, and its own reward does not matter.  For samples see `reward_distance.py` and `dard.py`.
"""

import numpy as np
from jaxtyping import Float

from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP

__all__ = [
    "dard_canonical",
    "epic_canonical",
    "exact_dard",
    "exact_epic",
    "exact_starc",
    "minimal_canonical",
    "value_canonical",
]

Table = Float[np.ndarray, "_ _ _"]  # [states, actions, next states], checked by _same_shape
ROUNDING = 1e-10  # what is left of a reward that is shaping only, relative to its size


def epic_canonical(
    reward: Table,
    gamma: float,
    state_weights: Float[np.ndarray, " states"] | None = None,
    action_weights: Float[np.ndarray, " actions"] | None = None,
) -> Table:
    """`R(s,a,s') + E[gamma R(s',A,S') - R(s,A,S') - gamma R(S,A,S')]` (EPIC, definition 4.1).

    S and S' come from `state_weights` and A from `action_weights`, all independent; by default each
    is as likely as any other.
    """
    over_states = _chances("state_weights", state_weights, reward.shape[2])
    over_actions = _chances("action_weights", action_weights, reward.shape[1])
    mean = np.einsum("san,a,n->s", reward, over_actions, over_states)
    return np.asarray(reward + gamma * mean - mean[:, None, None] - gamma * over_states @ mean)


def dard_canonical(
    reward: Table, mdp: TabularMDP, action_weights: Float[np.ndarray, " actions"] | None = None
) -> Table:
    """`R(s,a,s') + E[gamma R(s',A,S'') - R(s,A,S') - gamma R(S',A,S'')]` (DARD, definition 4).

    A comes from `action_weights` (by default evenly), S' follows (s, A) and S'' follows (s', A):
    one A in all terms, as the equation is written.
    """
    over_actions = _chances("action_weights", action_weights, reward.shape[1])
    mean = np.einsum("san,san,a->s", reward, mdp.transition, over_actions)
    cross = np.zeros(reward.shape[::2])
    for action, weight in enumerate(over_actions):
        ways = mdp.transition[:, action]
        cross += weight * (ways @ reward[:, action] @ ways.T)  # [s, s']
    return np.asarray(reward + mdp.gamma * mean - mean[:, None, None] - mdp.gamma * cross[:, None])


def value_canonical(
    reward: Table, mdp: TabularMDP, policy: Float[np.ndarray, "states actions"] | None = None
) -> Float[np.ndarray, "states actions"]:
    """Advantage of each action over `policy`: `E[R(s,a,S') - V(s) + gamma V(S')]`.

    STARC's value-adjusted leveling; `policy` is any fixed one, by default the uniform.  The value
    does not depend on s' and is given without it.
    """
    paid = mdp.with_reward(reward)
    values = paid.state_values(mdp.uniform_policy() if policy is None else policy)
    return np.asarray(paid.expected_reward - values[:, None] + mdp.gamma * mdp.transition @ values)


def minimal_canonical(reward: Table, mdp: TabularMDP) -> Float[np.ndarray, "states actions"]:
    """The smallest table of mean rewards (in the 2-norm over s and a) that shaping can make of `reward`.

    STARC's minimal canonicalization, after averaging over next states: the residual of a least
    squares fit by shaping terms.
    """
    states, actions = reward.shape[:2]
    shaping = mdp.gamma * mdp.transition - np.eye(states)[:, None]  # phi -> shaping of (s, a)
    matrix = shaping.reshape(states * actions, states)
    mean = mdp.with_reward(reward).expected_reward.ravel()
    potential, *_ = np.linalg.lstsq(matrix, mean, rcond=None)
    return np.asarray((mean - matrix @ potential).reshape(states, actions))


def exact_epic(
    reward_a: Table,
    reward_b: Table,
    gamma: float,
    *,
    coverage: Table | None = None,
    state_weights: Float[np.ndarray, "_"] | None = None,
    action_weights: Float[np.ndarray, "_"] | None = None,
) -> float:
    """`sqrt((1 - rho) / 2)` of the canonical rewards' Pearson correlation under `coverage`, in [0, 1].

    `coverage` weighs transitions; by default all are equal, also those that cannot happen.

    Raises:
        ValueError: shapes disagree, weights are not chances, or a reward is nothing but shaping there.
    """
    _same_shape(reward_a, reward_b)
    if not 0 <= gamma <= 1:
        raise ValueError(f"`gamma` must be in [0, 1]. Received {gamma}.")
    weights = np.ones(reward_a.shape) if coverage is None else coverage
    a, b = (epic_canonical(reward, gamma, state_weights, action_weights) for reward in (reward_a, reward_b))
    sizes = np.abs(reward_a).max(), np.abs(reward_b).max()
    return _distance(a, b, weights, sizes, center=True)


def exact_dard(
    reward_a: Table,
    reward_b: Table,
    mdp: TabularMDP,
    *,
    coverage: Table | None = None,
    action_weights: Float[np.ndarray, "_"] | None = None,
) -> float:
    """As `exact_epic`, of `dard_canonical` rewards.

    By default every state and action is equal in `coverage`, and next states come as the dynamics say.

    Raises:
        ValueError: as `exact_epic`.
    """
    _same_shape(reward_a, reward_b, mdp.reward)
    a, b = (dard_canonical(reward, mdp, action_weights) for reward in (reward_a, reward_b))
    sizes = np.abs(reward_a).max(), np.abs(reward_b).max()
    return _distance(a, b, mdp.transition if coverage is None else coverage, sizes, center=True)


def exact_starc(
    reward_a: Table,
    reward_b: Table,
    mdp: TabularMDP,
    *,
    canonical: str = "value",
    metric: str = "norm",
) -> float:
    """Distance of the standardized rewards, in [0, 1] (STARC, definition 2).

    `canonical` is "value" or "minimal"; each canonical reward is divided by its 2-norm.  `metric`
    "norm" is half the 2-norm of the difference (half, so that opposite rewards are at 1 as in EPIC;
    the paper's figures are twice these), "angle" the angle over pi.

    Raises:
        ValueError: shapes disagree, an argument is unknown, or a reward makes all policies equal.
    """
    _same_shape(reward_a, reward_b, mdp.reward)
    ways = {"value": value_canonical, "minimal": minimal_canonical}
    if canonical not in ways or metric not in ("norm", "angle"):
        raise ValueError(
            f'`canonical` must be "value" or "minimal" and `metric` "norm" or "angle". '
            f"Received {canonical!r} and {metric!r}."
        )
    a, b = (ways[canonical](reward, mdp) for reward in (reward_a, reward_b))
    sizes = tuple(np.abs(reward).max() / (1 - mdp.gamma) for reward in (reward_a, reward_b))
    distance = _distance(a, b, np.ones(a.shape), (sizes[0], sizes[1]), center=False)
    return distance if metric == "norm" else float(2 * np.arcsin(distance) / np.pi)


def _distance(
    a: Float[np.ndarray, "*table"],
    b: Float[np.ndarray, "*table"],
    weights: Float[np.ndarray, "*table"],
    sizes: tuple[float, float],
    center: bool,
) -> float:
    """Half the distance of `a` and `b` once scaled to norm 1: `sqrt((1 - cos) / 2)`."""
    if not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(
            "`coverage` must hold weights of at least 0, not all 0. "
            f"Received {weights.min():g} to {weights.max():g}."
        )
    share = weights / weights.sum()
    units = []
    for name, values, size in (("reward_a", a, sizes[0]), ("reward_b", b, sizes[1])):
        level = values - (share * values).sum() * center
        norm = float(np.sqrt((share * level**2).sum()))
        if norm <= ROUNDING * size or norm == 0:
            raise ValueError(
                f"`{name}` is constant or nothing but shaping under this coverage: a distance has no "
                "meaning. Cover more transitions, or train the reward."
            )
        units.append(level / norm)
    away = float((share * (units[0] - units[1]) ** 2).sum())
    return float(np.clip(np.sqrt(away) / 2, 0.0, 1.0))


def _chances(name: str, weights: Float[np.ndarray, " n"] | None, n: int) -> Float[np.ndarray, " n"]:
    chances = np.full(n, 1 / n) if weights is None else weights
    if chances.shape != (n,) or not (chances >= 0).all() or not np.isclose(chances.sum(), 1):
        raise ValueError(
            f"`{name}` must hold {n} chances that add up to 1. "
            f"Received shape {chances.shape}, sum {chances.sum():g}."
        )
    return chances


def _same_shape(*tables: np.ndarray) -> None:
    shapes = [table.shape for table in tables]
    if len(set(shapes)) != 1:
        raise ValueError(
            "`reward_a` and `reward_b` must be [states, actions, next states] of one world. "
            f"Received {shapes}."
        )
    for name, table in zip(("reward_a", "reward_b"), tables, strict=False):
        if not np.isfinite(table).all():
            raise ValueError(
                f"`{name}` must be finite. Received {int((~np.isfinite(table)).sum())} that are not."
            )
