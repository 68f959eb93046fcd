"""Later steps of the same episode from a Tianshou replay buffer.

`FutureSteps`   actions and later observations of steps, with a mask
`future_steps`  these steps from the indices of a buffer
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped
from tianshou.data import ReplayBuffer

__all__ = ["FutureSteps", "future_steps"]


class FutureSteps(NamedTuple):
    """Steps that follow in the same episode."""

    act: Shaped[np.ndarray, "batch steps *act"]
    """Action of each step; the first is that of the given index."""
    obs_next: Shaped[np.ndarray, "batch steps *obs"]
    """Observation after each step."""
    mask: Bool[np.ndarray, "batch steps"]
    """True where the step is in the episode; other rows repeat the last step."""


def future_steps(buffer: ReplayBuffer, indices: Int[np.ndarray, " batch"], n_steps: int) -> FutureSteps:
    """Return `n_steps` steps from each index on, none of another episode or from before the write position.

    The observation after the last step of an episode is its own final observation, not the first of the next
    episode.

    Raises:
        ValueError: `buffer` does not store the observations after its steps.

    Example:
        >>> from tianshou.data import Batch
        >>> buffer = ReplayBuffer(8)
        >>> for t in range(4):  # an episode of 3 steps and the start of another
        ...     _ = buffer.add(Batch(
        ...         obs=t, act=t, rew=0.0, terminated=t == 2, truncated=False, obs_next=t + 1, info={}))
        >>> steps = future_steps(buffer, np.array([1, 3]), 3)
        >>> steps.mask
        array([[ True,  True, False],
               [ True, False, False]])
        >>> steps.obs_next[0, :2]
        array([2, 3])
    """
    if buffer.options["ignore_obs_next"]:
        raise ValueError(
            "`buffer` must store `obs_next`, the final observations of episodes. Received one with "
            "ignore_obs_next=True; create it without."
        )
    at, inside = [np.asarray(indices)], [np.ones(len(indices), np.bool_)]
    for _ in range(n_steps - 1):
        after = buffer.next(at[-1])
        inside.append(inside[-1] & (after != at[-1]))
        at.append(after)
    rows = np.stack(at, 1)
    flat = rows.reshape(-1)
    parts = [np.asarray(buffer.get(flat, name)) for name in ("act", "obs_next")]
    act, obs_next = (part.reshape(*rows.shape, *part.shape[1:]) for part in parts)
    return FutureSteps(act, obs_next, np.stack(inside, 1))
