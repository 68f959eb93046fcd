"""All environments of the benchmark, with their experts.

`TASKS`  environments and experts by name
"""

from benchmarks.own_data.environments import FIRST_TASKS
from benchmarks.own_data.harbor import HARBOR_TASKS

__all__ = ["TASKS"]

TASKS = FIRST_TASKS | HARBOR_TASKS
"""Environments and experts by name."""
