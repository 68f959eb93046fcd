"""Random seeds that depend on a run's seed and the number of the update only.

`update_seed`  seed of one update
"""

import numpy as np

__all__ = ["update_seed"]


def update_seed(seed: int, update: int) -> int:
    """Return the seed of an update, a hash of the run's seed and the update's number.

    Each update has a random stream of its own, so a resumed run needs no saved generator state.

    Example:
        >>> update_seed(0, 5) == update_seed(0, 5), update_seed(0, 5) == update_seed(0, 6)
        (True, False)
    """
    (state,) = np.random.SeedSequence((seed, update)).generate_state(1, np.uint64)
    return int(state >> 1)
