"""Rows of a replay buffer that were added since the last look.

`NewRows`  tracker of a buffer's new rows
"""

import weakref

import numpy as np
from jaxtyping import Int
from tianshou.data import ReplayBuffer

__all__ = ["NewRows"]


class NewRows:
    """Tracker of the rows that a replay buffer received since the last call of `take`.

    Each row is returned once.  The first call returns all rows.  A buffer with several environments has a
    part for each; rows are those of each part, oldest first.  A part must receive fewer rows between two
    calls than it can hold, because older ones are overwritten.

    Example:
        >>> from tianshou.data import Batch
        >>> step = Batch(obs=0, act=0, rew=0.0, terminated=False, truncated=False, obs_next=0)
        >>> buffer, tracker = ReplayBuffer(3), NewRows()
        >>> _ = buffer.add(step), buffer.add(step)
        >>> tracker.take(buffer), tracker.take(buffer)
        (array([0, 1]), array([], dtype=int64))
        >>> _ = buffer.add(step), buffer.add(step)
        >>> tracker.take(buffer)
        array([2, 0])
    """

    def __init__(self) -> None:
        self._buffer: weakref.ref[ReplayBuffer] | None = None
        self._last: list[int] = []
        self._sizes: list[int] = []

    def is_tracking(self, buffer: ReplayBuffer) -> bool:
        """Return True if the last call of `take` was for this buffer."""
        return self._buffer is not None and self._buffer() is buffer

    def take(self, buffer: ReplayBuffer) -> Int[np.ndarray, " rows"]:
        """Return the new rows, and remember them as known; all rows of another buffer are new."""
        sizes = [len(part) for part in getattr(buffer, "buffers", [buffer])]
        last = [int(index) for index in buffer.last_index]
        edges = [0, *(int(edge) for edge in buffer.subbuffer_edges if edge > 0)]
        if not self.is_tracking(buffer):
            self._buffer, self._last, self._sizes = weakref.ref(buffer), last, [0] * len(sizes)
        rows = []
        for part, (now, before) in enumerate(zip(sizes, self._sizes, strict=True)):
            start, capacity = edges[part], edges[part + 1] - edges[part]
            # The first rows, or those of a buffer that was emptied, else the difference.
            is_fresh = before == 0 or now < before
            n_new = now if is_fresh else (last[part] - self._last[part]) % capacity
            rows.append(start + (last[part] - start - np.arange(n_new)[::-1]) % capacity)
        self._last, self._sizes = last, sizes
        return np.concatenate(rows).astype(np.int64)
