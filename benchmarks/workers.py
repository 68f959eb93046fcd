"""Processes of benchmarks.

`processes`   a pool whose processes end with the benchmark, even where it is killed
"""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

__all__ = ["processes"]


def processes(count: int, **options: Any) -> ProcessPoolExecutor:
    """`count` fresh processes at a time.

    Python's own go on with what they have begun when the benchmark is killed, and would then write
    beside those of the next start.  `options` are those of `ProcessPoolExecutor`.
    """
    return ProcessPoolExecutor(count, get_context("spawn"), initializer=_end_with_parent, **options)


def _end_with_parent() -> None:
    Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody waits for an answer
