"""Rewards of the benchmark of verdicts.

`GOOD`     well-learned rewards, cells of `benchmarks.own_data`
`SPOILED`  spoiled rewards
"""

from benchmarks.verdicts.cells import Cell

__all__ = ["GOOD", "SPOILED"]

GOOD = (
    *(Cell("ferry", seed, "") for seed in range(3)),
    *(Cell("kiln", seed, "") for seed in range(3)),
    *(Cell("balloon", seed, "") for seed in range(4)),
)
"""Well-learned rewards."""
SPOILED = (
    Cell("greenhouse", 0, "shuffled"),
    Cell("greenhouse", 0, "half"),
    Cell("ferry", 0, "flat"),
    Cell("crane", 0, "degrees"),
    Cell("crane", 0, "half-actions"),
    Cell("kiln", 0, "linear"),
    Cell("crane", 1, "30-updates"),
    Cell("balloon", 0, "half-entry"),
    Cell("balloon", 0, "support"),
    Cell("balloon", 0, "flat"),
)
"""Spoiled rewards."""
