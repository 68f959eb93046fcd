"""Replay buffers as plain arrays, for checkpoints.

`dump_buffer`  all transitions of a buffer as arrays
`load_buffer`  those arrays back into a buffer
"""

from typing import Any

import numpy as np
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer

__all__ = ["dump_buffer", "load_buffer"]

KEYS = ("obs", "act", "rew", "terminated", "truncated", "done", "obs_next")


def dump_buffer(buffer: ReplayBuffer) -> dict[str, np.ndarray]:
    """Return all transitions, oldest first in each environment, with the environment's index in "env".

    An episode that has not ended is marked as truncated at its last transition.
    """
    indices = buffer.sample_indices(0)
    arrays = {key: np.ascontiguousarray(buffer.get(indices, key)) for key in KEYS}
    env = np.searchsorted(buffer.subbuffer_edges, indices, side="right") - 1
    cut = np.append(env[1:] != env[:-1], True) & ~arrays["done"]
    # A resumed run resets its environments: the next transition does not follow the last one.
    arrays["truncated"] = arrays["truncated"] | cut
    arrays["done"] = arrays["done"] | cut
    return {**arrays, "env": env.astype(np.int64)}


def load_buffer(buffer: VectorReplayBuffer, transitions: dict[str, np.ndarray]) -> None:
    """Add the output of `dump_buffer` to `buffer`, each transition to the part of its environment."""
    if not transitions:
        return
    env = transitions["env"]
    # The rank of each transition within its environment: transitions of one rank are added in one call.
    rank = np.arange(len(env)) - np.searchsorted(env, env)
    for k in range(int(rank.max()) + 1):
        rows = np.flatnonzero(rank == k)
        batch: Any = Batch({key: transitions[key][rows] for key in KEYS})
        buffer.add(batch, buffer_ids=env[rows])
