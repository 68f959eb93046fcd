"""Methods of the benchmark: every objective and every baseline, on the same data and demonstrations.

`baselines`        behavior cloning, adversarial methods, SQIL and IQ-Learn
`knobs`            settings that a search chooses
`registry`         all methods by name
`reward_learning`  `DiffusionIRL` with each objective, and the original recipe
`setup_tables`     Markdown tables of data and knobs
`statistics`       rewards without training, and exact maximum-entropy IRL
"""

from benchmarks.irl.methods.knobs import KNOBS, chosen_knobs
from benchmarks.irl.methods.registry import MAIN, METHODS, VARIANTS, Method

__all__ = ["KNOBS", "MAIN", "METHODS", "VARIANTS", "Method", "chosen_knobs"]
