"""Exact maximum-causal-entropy inverse reinforcement learning in tables, as ground truth.

`max_ent_irl`   reward whose soft-optimal policy visits states as often as the demonstrations
`MaxEntIRL`     result: reward table, policy and remaining difference
`state_visits`  discounted state distribution of recorded episodes

The principle is from Ziebart, Bagnell and Dey (ICML 2010) and Ziebart's thesis (2010); the discounted,
infinite form from Bloem and Bambos (CDC 2014).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize

from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP

__all__ = ["MaxEntIRL", "max_ent_irl", "state_visits"]


@dataclass(frozen=True, eq=False)
class MaxEntIRL:
    """Result of `max_ent_irl`."""

    reward: Float[np.ndarray, "states actions states"]
    """Learned reward of each transition, which depends on the next state only."""
    weights: Float[np.ndarray, " features"]
    """Weight of each feature."""
    policy: Float[np.ndarray, "*time states actions"]
    """Soft-optimal action probabilities; with a horizon, one table for each time."""
    visits: Float[np.ndarray, " states"]
    """State distribution of this policy, as in `state_visits`."""
    gap: float
    """Largest difference of a feature's expectation from the demonstrations."""


def max_ent_irl(
    mdp: TabularMDP,
    visits: Float[np.ndarray, " states"],
    *,
    features: Float[np.ndarray, "states features"] | None = None,
    horizon: int | None = None,
    temperature: float = 1.0,
    l2: float = 1e-4,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
) -> MaxEntIRL:
    """Compute the reward whose soft-optimal policy has the feature expectations of the demonstrations.

    The reward of arriving in s' is `features[s'] @ weights`.  The negative causal log-likelihood of the
    demonstrations is convex in the weights, with the gradient "expectation under the policy minus
    expectation under the demonstrations".  L-BFGS minimizes it, with exact soft values and state
    distributions.  The reward is determined up to changes that leave the policy unchanged, such as potential
    shaping.

    Args:
        mdp: process of the demonstrations; its own reward is ignored.
        visits: state distribution of the demonstrations from `state_visits`, with the same `gamma` and
            `horizon`.
        features: features of each state; by default one for each state.
        horizon: number of steps of each episode, whose policy depends on the time; None for episodes without
            end, whose policy does not.
        temperature: weight of the entropy, above 0.
        l2: weight of the squared norm of the weights, at least 0.  Above 0, `gap` stays above 0, and the
            weights of states that no demonstration visits stay finite.  0 fits exact visits of a policy.
        tolerance: largest absolute entry of the gradient at the end.
        max_iterations: bound on the iterations of L-BFGS.

    Raises:
        ValueError: an argument is out of bounds, or shapes disagree.
        RuntimeError: the gradient is above `tolerance` after `max_iterations`, for example because no policy
            of this process has these visits.

    Example:
        >>> forward, stay = np.array([[0, 1.0], [0, 1.0]])[:, None], np.eye(2)[:, None]
        >>> mdp = TabularMDP(np.concatenate([forward, stay], 1), np.zeros((2, 2, 2)), np.array([1.0, 0]), 0.5)
        >>> learned = max_ent_irl(mdp, np.array([0.25, 0.75]), l2=0.0)
        >>> learned.policy[0].round(3)  # .25 = .5 (p + .5 p^2 + ...) for staying with probability p
        array([0.6, 0.4])
    """
    phi = np.eye(len(mdp.start)) if features is None else np.asarray(features, np.float64)
    _check(mdp, visits, phi, horizon, temperature, l2, tolerance)
    expected = mdp.transition @ phi  # [states, actions, features]
    target = visits @ phi

    def loss_and_gradient(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, _, reached = _soft_optimal(mdp, expected @ weights, horizon, temperature)
        gradient = reached @ phi - target + 2 * l2 * weights
        return value - float(target @ weights) + l2 * float(weights @ weights), gradient

    found = minimize(
        loss_and_gradient,
        np.zeros(phi.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iterations, "maxfun": 4 * max_iterations, "gtol": tolerance, "ftol": 0.0},
    )
    steepness = float(np.abs(loss_and_gradient(found.x)[1]).max())
    if steepness > tolerance:
        raise RuntimeError(
            f"The gradient is {steepness:.3g} after {found.nit} iterations, above `tolerance` "
            f"{tolerance:.3g}. Pass `visits` that a policy of `mdp` can have (the same start states, `gamma` "
            "and `horizon`), or raise `l2`, `tolerance` or `max_iterations`."
        )
    _, policy, reached = _soft_optimal(mdp, expected @ found.x, horizon, temperature)
    table = np.tile(phi @ found.x, (*mdp.transition.shape[:2], 1))
    return MaxEntIRL(table, found.x, policy, reached, float(np.abs(reached @ phi - target).max()))


def state_visits(
    states: Int[np.ndarray, "episodes times"], n_states: int, gamma: float
) -> Float[np.ndarray, " states"]:
    """Compute the discounted distribution of the states after each step of recorded episodes.

    `states` holds the state numbers of episodes of equal length, the start included.  The state after step
    t (from 0) counts `gamma**t`, and the result adds up to 1.  Start states are not counted.

    Raises:
        ValueError: a number is no state, there is no step, or `gamma` is outside [0, 1].

    Example:
        >>> state_visits(np.array([[0, 1, 1], [0, 0, 1]]), n_states=2, gamma=0.5).round(3)
        array([0.333, 0.667])
    """
    if states.shape[0] < 1 or states.shape[1] < 2 or not 0 <= gamma <= 1:
        raise ValueError(
            "`states` must have at least one episode of one step, and `gamma` be in [0, 1]. Received shape "
            f"{states.shape} and {gamma}."
        )
    if states.min() < 0 or states.max() >= n_states:
        raise ValueError(
            f"`states` must be numbers in 0..{n_states - 1}. Received {states.min()} to {states.max()}."
        )
    steps = states.shape[1] - 1
    weights = np.broadcast_to(_discounts(gamma, steps), (len(states), steps)) / len(states)
    return np.bincount(states[:, 1:].ravel(), weights.ravel(), minlength=n_states)


def _soft_optimal(
    mdp: TabularMDP, reward: Float[np.ndarray, "states actions"], horizon: int | None, temperature: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the normalized soft value of the start, the policy, and the states that it reaches."""
    if horizon is None:
        policy, values = _soft_policy_iteration(mdp, reward, temperature)
        reached = np.einsum("sa,san->n", mdp.occupancy(policy), mdp.transition)
        return (1 - mdp.gamma) * float(mdp.start @ values), policy, reached
    weights, ways = _discounts(mdp.gamma, horizon), mdp.transition.reshape(-1, len(mdp.start))
    following, policies = np.zeros(len(mdp.start)), []
    for _ in range(horizon):
        table, following = _boltzmann(
            reward + mdp.gamma * (ways @ following).reshape(reward.shape), temperature
        )
        policies.append(table)
    policy = np.stack(policies[::-1])
    state, reached = mdp.start, np.zeros(len(mdp.start))
    for weight, table in zip(weights, policy, strict=True):
        state = (state[:, None] * table).ravel() @ ways
        reached = reached + weight * state
    return weights[0] * float(mdp.start @ following), policy, reached


def _soft_policy_iteration(
    mdp: TabularMDP, reward: Float[np.ndarray, "states actions"], temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the soft-optimal policy and its soft values, by Newton's method on the soft Bellman equation."""
    values = np.zeros(len(mdp.start))
    for _ in range(1000):
        policy, backed_up = _boltzmann(reward + mdp.gamma * mdp.transition @ values, temperature)
        under = np.einsum("sa,san->sn", policy, mdp.transition)
        change = np.linalg.solve(np.eye(len(values)) - mdp.gamma * under, backed_up - values)
        values = values + change
        if np.abs(change).max() <= 1e-12 * max(1.0, np.abs(values).max()):
            return policy, values
    raise RuntimeError(
        f"Soft policy iteration did not converge at `temperature` {temperature}. Raise `temperature`, "
        "or lower the discount of `mdp`."
    )


def _boltzmann(q: Float[np.ndarray, "states actions"], temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the soft-optimal action probabilities and the soft values of action values."""
    top = q.max(-1, keepdims=True)
    weights = np.exp((q - top) / temperature)
    total = weights.sum(-1, keepdims=True)
    return weights / total, (top + temperature * np.log(total))[:, 0]


def _discounts(gamma: float, steps: int) -> Float[np.ndarray, " steps"]:
    weights = float(gamma) ** np.arange(steps)
    return np.asarray(weights / weights.sum())


def _check(
    mdp: TabularMDP,
    visits: np.ndarray,
    features: np.ndarray,
    horizon: int | None,
    temperature: float,
    l2: float,
    tolerance: float,
) -> None:
    states = len(mdp.start)
    if visits.shape != (states,) or (visits < 0).any() or not np.isclose(visits.sum(), 1):
        raise ValueError(
            f"`visits` must hold {states} probabilities that add up to 1, one for each state. Received shape "
            f"{visits.shape} and a sum of {visits.sum():g}; `state_visits` computes them."
        )
    if features.ndim != 2 or len(features) != states or not np.isfinite(features).all():
        raise ValueError(
            f"`features` must hold finite rows, one for each of the {states} states. Received shape "
            f"{features.shape}."
        )
    if horizon is not None and horizon < 1:
        raise ValueError(f"`horizon` must be at least 1, or None. Received {horizon}.")
    if not (temperature > 0 and l2 >= 0 and tolerance > 0):
        raise ValueError(
            "`temperature` and `tolerance` must be above 0 and `l2` at least 0. Received "
            f"{temperature}, {tolerance} and {l2}."
        )
