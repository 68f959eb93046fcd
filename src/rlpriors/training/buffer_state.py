"""The steps of a buffer as plain arrays, to be saved, and back.

`stored`  all steps of a buffer
`fill`    put them into another
"""

from typing import Any

import numpy as np
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer

__all__ = ["fill", "stored"]

STORED = ("obs", "act", "rew", "terminated", "truncated", "done", "obs_next")


def stored(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """All steps, oldest first in each environment, and whose they are; episodes under way are cut."""
    indices = buffer.sample_indices(0)
    arrays = {key: np.ascontiguousarray(buffer.get(indices, key)) for key in STORED}
    owner = np.searchsorted(buffer.subbuffer_edges, indices, side="right") - 1
    cut = np.append(owner[1:] != owner[:-1], True) & ~arrays["done"]
    # Resumed, the environment begins anew: what comes next is not what followed.
    arrays["truncated"] = arrays["truncated"] | cut
    arrays["done"] = arrays["done"] | cut
    return {**arrays, "env": owner.astype(np.int64)}


def fill(buffer: VectorReplayBuffer, steps: dict[str, np.ndarray]) -> None:
    """Add what `stored` gave, each to its environment's part."""
    if not steps:
        return
    owner = steps["env"]
    # The rank of each step among those of its environment: steps of one rank are added together.
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    for when in range(int(rank.max()) + 1):
        rows = np.flatnonzero(rank == when)
        row: Any = Batch({key: steps[key][rows] for key in STORED})
        buffer.add(row, buffer_ids=owner[rows])
