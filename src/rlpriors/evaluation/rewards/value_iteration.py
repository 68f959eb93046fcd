"""Exact planning in tabular processes.

`value_iteration`  action values of the optimal policy, with or without an entropy bonus
`soft_policy`      greedy or Boltzmann policy of action values
"""

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp, softmax

from rlpriors.evaluation.array_arguments import array_arguments

__all__ = ["soft_policy", "value_iteration"]


@array_arguments(transition=3, reward=1)
def value_iteration(
    transition: Float[np.ndarray, "states actions states"],
    reward: Float[np.ndarray, "*stack"],
    *,
    gamma: float,
    temperature: float = 0.0,
    tolerance: float = 1e-9,
    max_iterations: int = 100_000,
) -> Float[np.ndarray, "*stack"]:
    """Compute the optimal Q of a discounted process for expected rewards [..., states, actions].

    Iterates `Q = reward + gamma E[V(s')]` with `V = max_a Q`, or with a `temperature` above 0
    `V = temperature log sum_a exp(Q / temperature)`, the values of maximum-entropy control (Haarnoja
    et al. 2017, arXiv 1702.08165, eq. 4 to 6; Ziebart 2010).  The iteration ends when all Q are within
    `tolerance` of the fixed point, by the bound of the contraction.

    Raises:
        ValueError: an argument is out of bounds, shapes disagree or a reward is not finite.
        RuntimeError: the iteration did not converge within `max_iterations`.
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"`gamma` must be in [0, 1), for values to be finite. Received {gamma}.")
    if temperature < 0 or tolerance <= 0:
        raise ValueError(
            "`temperature` must be at least 0 and `tolerance` above 0. "
            f"Received {temperature} and {tolerance}."
        )
    if reward.shape[-2:] != transition.shape[:2] or not np.isfinite(reward).all():
        raise ValueError(
            f"`reward` must hold finite numbers for each of the {transition.shape[:2]} states and actions. "
            f"Received shape {reward.shape}, {int((~np.isfinite(reward)).sum())} not finite; average over "
            "next states if the reward depends on them."
        )
    states, actions = transition.shape[:2]
    ways = transition.reshape(states * actions, states).T.astype(np.float64)
    q: np.ndarray = np.zeros(reward.shape)
    for _ in range(max_iterations):
        values = (
            q.max(-1) if temperature == 0 else temperature * np.asarray(logsumexp(q / temperature, axis=-1))
        )
        new = reward + gamma * (values @ ways).reshape(reward.shape)
        change = np.abs(new - q).max()
        q = new
        if change * gamma <= tolerance * (1 - gamma):
            return q
    raise RuntimeError(
        f"{max_iterations} iterations left a change of {change:.3g}. Raise `max_iterations` or `tolerance`, "
        f"or lower `gamma` ({gamma})."
    )


@array_arguments(q=2)
def soft_policy(
    q: Float[np.ndarray, "*goals states actions"], temperature: float
) -> Float[np.ndarray, "*goals states actions"]:
    """Return action probabilities `exp(Q / temperature)`, normalized; at 0 the best actions share evenly.

    Raises:
        ValueError: `temperature` is below 0.
    """
    if temperature < 0:
        raise ValueError(f"`temperature` must be at least 0. Received {temperature}.")
    if temperature > 0:
        probabilities: np.ndarray = softmax(q / temperature, axis=-1)
        return probabilities
    top = q.max(-1, keepdims=True)
    best = (q >= top - 1e-7 * np.maximum(1.0, np.abs(top))).astype(np.float64)  # rounding must not break ties
    shared: np.ndarray = best / best.sum(-1, keepdims=True)
    return shared
