"""Worker processes of benchmarks.

`make_process_pool`  pool whose processes end with the benchmark, even when it is killed
"""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

__all__ = ["make_process_pool"]


def make_process_pool(n_workers: int, **options: Any) -> ProcessPoolExecutor:
    """Return a pool of `n_workers` fresh processes.

    Workers of Python's own pool finish their task after the benchmark is killed, and would then write
    results at the same time as the next start.  `options` are passed to `ProcessPoolExecutor`.
    """
    return ProcessPoolExecutor(n_workers, get_context("spawn"), initializer=_end_with_parent, **options)


def _end_with_parent() -> None:
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # no process is left to receive a result
