"""Drift of a policy away from the demonstrations while its learned return rises (reward hacking).

`drift_finding`  finding on the training episodes of a policy
`Drift`          learned returns and distances between which a policy drifted
`find_drift`     drift in a sequence of training episodes, if there is one
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from rlpriors.evaluation.rewards.verdict import Finding

__all__ = ["Drift", "drift_finding", "find_drift"]

N_PARTS, LEAST_EPISODES = 10, 20
LEAST_RATIO, LEAST_DISTANCE, N_ERRORS = 1.25, 0.1, 3.0
LEAST_RISE = 0.05  # of the range of the learned returns


class Drift(NamedTuple):
    """Learned returns and distances between which a policy drifted."""

    distance: float
    """Distance to the demonstrations where it was smallest."""
    last_distance: float
    """Distance to the demonstrations at the end."""
    learned_return: float
    """Learned return where the distance was smallest."""
    last_return: float
    """Learned return at the end."""


def find_drift(
    learned_returns: Float[np.ndarray, " episodes"], distances: Float[np.ndarray, " distances"]
) -> Drift | None:
    """Return the drift of a policy, or None if there is none or if there are fewer than 20 episodes.

    The episodes are cut into ten parts in their order.  The policy drifts if the last part is farther from
    the demonstrations than the nearest part, by at least a quarter, 0.1 and three standard errors, and has a
    higher learned return, by at least 5 % of the range of the parts' returns.

    Args:
        learned_returns: return of each training episode by the learned reward, in their order.
        distances: mean distance of each episode to the demonstrations (`DemonstrationDistance`).

    Raises:
        ValueError: there is not one distance for each return.

    Example:
        >>> returns = np.arange(40.0)
        >>> find_drift(returns, np.abs(returns - 20)) is not None, find_drift(returns, 40 - returns)
        (True, None)
    """
    if learned_returns.shape != distances.shape:
        raise ValueError(
            f"`distances` must have one number for each episode, {len(learned_returns)}. Received "
            f"{len(distances)}."
        )
    if len(distances) < LEAST_EPISODES:
        return None
    parts = np.array_split(np.arange(len(distances)), N_PARTS)
    far = np.array([distances[part].mean() for part in parts])
    errors = np.array([distances[part].std() / np.sqrt(len(part)) for part in parts])
    paid = np.array([learned_returns[part].mean() for part in parts])
    near = int(far.argmin())
    moved = far[-1] - far[near]
    needed = (
        (LEAST_RATIO - 1) * far[near],
        LEAST_DISTANCE,
        N_ERRORS * np.hypot(errors[-1], errors[near]),
    )
    if moved <= max(needed) or paid[-1] - paid[near] <= LEAST_RISE * np.ptp(paid):
        return None
    return Drift(*map(float, (far[near], far[-1], paid[near], paid[-1])))


def drift_finding(
    learned_returns: Float[np.ndarray, " episodes"], distances: Float[np.ndarray, " distances"]
) -> Finding:
    """Return the finding on the training episodes of a policy; see `find_drift` for the arguments."""
    drift = find_drift(learned_returns, distances)
    value = "none" if drift is None else f"{drift.distance:.2f} to {drift.last_distance:.2f}"
    return Finding(
        "drift",
        value,
        "good" if drift is None else "bad",
        "Distance of training episodes to the demonstrations, in standard deviations of the data, from where "
        "it was smallest to the end, if the learned return rises meanwhile. The policy then collects reward "
        "where no demonstration goes (reward hacking). Learn the reward from more data of such states "
        "(--data), or stop the training earlier.",
    )
