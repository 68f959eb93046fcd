"""Exact distances of two reward tables: EPIC, DARD and STARC.

`epic_canonical`, `dard_canonical`         tables without potential shaping (EPIC, DARD)
`value_canonical`, `minimal_canonical`     tables without shaping and redistribution (STARC)
`exact_epic`, `exact_dard`, `exact_starc`  distances: 0 for equal, 1 for opposite rewards

EPIC is from Gleave et al. 2021 (arXiv 2006.13900), DARD from Wulfe et al. 2022 (arXiv 2201.10081),
STARC from Skalse et al. 2024 (arXiv 2309.15257).  All three are invariant to positive scale and to
adding `gamma phi(s') - phi(s)`.  EPIC compares all pairs of states, impossible ones included; DARD
compares reachable transitions; STARC compares only differences that change the returns of policies.

`reward` tables are [states, actions, next states].  An `mdp` argument provides dynamics and discount;
its own reward is ignored.  `epic` and `dard` compute the distances from samples.
"""

import numpy as np
from jaxtyping import Float

from rlpriors.evaluation.array_arguments import array_arguments
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
ROUNDING = 1e-10  # relative rounding error of a reward that is only shaping


@array_arguments(reward=3, state_weights=1, action_weights=1)
def epic_canonical(
    reward: Table,
    gamma: float,
    state_weights: Float[np.ndarray, " states"] | None = None,
    action_weights: Float[np.ndarray, " actions"] | None = None,
) -> Table:
    """Compute `R(s,a,s') + E[gamma R(s',A,S') - R(s,A,S') - gamma R(S,A,S')]` (EPIC, definition 4.1).

    S and S' are drawn from `state_weights` and A from `action_weights`, all independent; the default is
    uniform.
    """
    over_states = _probabilities("state_weights", state_weights, reward.shape[2])
    over_actions = _probabilities("action_weights", action_weights, reward.shape[1])
    mean = np.einsum("san,a,n->s", reward, over_actions, over_states)
    return np.asarray(reward + gamma * mean - mean[:, None, None] - gamma * over_states @ mean)


def dard_canonical(
    reward: Table, mdp: TabularMDP, action_weights: Float[np.ndarray, " actions"] | None = None
) -> Table:
    """Compute `R(s,a,s') + E[gamma R(s',A,S'') - R(s,A,S') - gamma R(S',A,S'')]` (DARD, definition 4).

    A is drawn from `action_weights` (uniform by default), S' follows (s, A) and S'' follows (s', A).
    All terms share one A, as in the published equation.
    """
    over_actions = _probabilities("action_weights", action_weights, reward.shape[1])
    mean = np.einsum("san,san,a->s", reward, mdp.transition, over_actions)
    cross = np.zeros(reward.shape[::2])
    for action, weight in enumerate(over_actions):
        step = mdp.transition[:, action]
        cross += weight * (step @ reward[:, action] @ step.T)  # [s, s']
    return np.asarray(reward + mdp.gamma * mean - mean[:, None, None] - mdp.gamma * cross[:, None])


def value_canonical(
    reward: Table, mdp: TabularMDP, policy: Float[np.ndarray, "states actions"] | None = None
) -> Float[np.ndarray, "states actions"]:
    """Compute the advantage of each action over `policy`: `E[R(s,a,S') - V(s) + gamma V(S')]`.

    This is STARC's value-adjusted leveling for any fixed `policy`, uniform by default.  The result does
    not depend on s' and has no such axis.
    """
    task = mdp.with_reward(reward)
    values = task.state_values(mdp.uniform_policy() if policy is None else policy)
    return np.asarray(task.expected_reward - values[:, None] + mdp.gamma * mdp.transition @ values)


def minimal_canonical(reward: Table, mdp: TabularMDP) -> Float[np.ndarray, "states actions"]:
    """Compute the smallest table of mean rewards, in the 2-norm, that shaping can make of `reward`.

    This is STARC's minimal canonicalization after averaging over next states: the residual of a
    least-squares fit by shaping terms.
    """
    states, actions = reward.shape[:2]
    shaping = mdp.gamma * mdp.transition - np.eye(states)[:, None]  # phi -> shaping of (s, a)
    matrix = shaping.reshape(states * actions, states)
    mean = mdp.with_reward(reward).expected_reward.ravel()
    potential, *_ = np.linalg.lstsq(matrix, mean, rcond=None)
    return np.asarray((mean - matrix @ potential).reshape(states, actions))


@array_arguments(reward_a=3, reward_b=3, coverage=3, state_weights=1, action_weights=1)
def exact_epic(
    reward_a: Table,
    reward_b: Table,
    gamma: float,
    *,
    coverage: Table | None = None,
    state_weights: Float[np.ndarray, "_"] | None = None,
    action_weights: Float[np.ndarray, "_"] | None = None,
) -> float:
    """Compute `sqrt((1 - rho) / 2)`, rho being the canonical rewards' correlation under `coverage`.

    `coverage` weighs transitions; by default all have equal weight, impossible ones included.

    Raises:
        ValueError: shapes disagree, weights are no probabilities, or a reward is only shaping there.
    """
    _same_shape(reward_a, reward_b)
    if not 0 <= gamma <= 1:
        raise ValueError(f"`gamma` must be in [0, 1]. Received {gamma}.")
    weights = np.ones(reward_a.shape) if coverage is None else coverage
    rewards = _scaled(reward_a), _scaled(reward_b)
    a, b = (epic_canonical(reward, gamma, state_weights, action_weights) for reward in rewards)
    return _distance(a, b, weights, 1.0, center=True)


@array_arguments(reward_a=3, reward_b=3)
def exact_dard(
    reward_a: Table,
    reward_b: Table,
    mdp: TabularMDP,
    *,
    coverage: Table | None = None,
    action_weights: Float[np.ndarray, "_"] | None = None,
) -> float:
    """Compute the distance of `exact_epic` for `dard_canonical` rewards.

    By default `coverage` weighs states and actions equally and next states by the dynamics.

    Raises:
        ValueError: see `exact_epic`.
    """
    _same_shape(reward_a, reward_b, mdp.reward)
    a, b = (dard_canonical(_scaled(reward), mdp, action_weights) for reward in (reward_a, reward_b))
    return _distance(a, b, mdp.transition if coverage is None else coverage, 1.0, center=True)


@array_arguments(reward_a=3, reward_b=3)
def exact_starc(
    reward_a: Table,
    reward_b: Table,
    mdp: TabularMDP,
    *,
    canonical: str = "value",
    metric: str = "norm",
) -> float:
    """Compute the distance of the standardized rewards, in [0, 1] (STARC, definition 2).

    `canonical` is "value" or "minimal"; each canonical reward is divided by its 2-norm.  `metric`
    "norm" is half the 2-norm of the difference, so that opposite rewards have distance 1 as in EPIC (the
    paper's values are twice these).  "angle" is the angle divided by pi.

    Raises:
        ValueError: shapes disagree, an argument is unknown, or all policies have equal returns.
    """
    _same_shape(reward_a, reward_b, mdp.reward)
    canonicalizations = {"value": value_canonical, "minimal": minimal_canonical}
    if canonical not in canonicalizations or metric not in ("norm", "angle"):
        raise ValueError(
            f'`canonical` must be "value" or "minimal" and `metric` "norm" or "angle". '
            f"Received {canonical!r} and {metric!r}."
        )
    a, b = (canonicalizations[canonical](_scaled(reward), mdp) for reward in (reward_a, reward_b))
    distance = _distance(a, b, np.ones(a.shape), 1 / (1 - mdp.gamma), center=False)
    return distance if metric == "norm" else float(2 * np.arcsin(distance) / np.pi)


def _distance(
    a: Float[np.ndarray, "*table"],
    b: Float[np.ndarray, "*table"],
    weights: Float[np.ndarray, "*table"],
    size: float,
    center: bool,
) -> float:
    """Compute half the distance of `a` and `b` scaled to norm 1: `sqrt((1 - cos) / 2)`.

    Norms of rounding errors, relative to `size`, count as 0.
    """
    if not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(
            "`coverage` must hold weights of at least 0, not all 0. "
            f"Received {weights.min():g} to {weights.max():g}."
        )
    share = weights / weights.sum()
    units = []
    for name, values in (("reward_a", a), ("reward_b", b)):
        level = values - (share * values).sum() * center
        norm = float(np.sqrt((share * level**2).sum()))
        if norm <= ROUNDING * size or norm == 0:
            raise ValueError(
                f"`{name}` must vary by more than shaping under this coverage. Received a constant; cover "
                "more transitions, or train the reward."
            )
        units.append(level / norm)
    away = float((share * (units[0] - units[1]) ** 2).sum())
    return float(np.clip(np.sqrt(away) / 2, 0.0, 1.0))


def _scaled(reward: Table) -> Table:
    """Return a reward divided by its largest size, so that no product of its numbers overflows."""
    return reward / (np.abs(reward.astype(np.float64)).max() or 1.0)


def _probabilities(name: str, weights: Float[np.ndarray, " n"] | None, n: int) -> Float[np.ndarray, " n"]:
    given = np.full(n, 1 / n) if weights is None else weights
    if given.shape != (n,) or not (given >= 0).all() or not np.isclose(given.sum(), 1):
        raise ValueError(
            f"`{name}` must hold {n} probabilities that add up to 1. "
            f"Received shape {given.shape}, sum {given.sum():g}."
        )
    return given


def _same_shape(*tables: np.ndarray) -> None:
    shapes = [table.shape for table in tables]
    if len(set(shapes)) != 1:
        raise ValueError(
            "`reward_a` and `reward_b` must be [states, actions, next states] of one process. "
            f"Received {shapes}."
        )
    for name, table in zip(("reward_a", "reward_b"), tables, strict=False):
        if not np.isfinite(table).all():
            raise ValueError(
                f"`{name}` must be finite. Received {int((~np.isfinite(table)).sum())} that are not."
            )
