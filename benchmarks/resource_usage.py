"""Time and memory of calls in this process.

`measure_times`      processor and wall seconds of repeated calls
`reset_peak_memory`  start of a new measurement of the peak
`peak_memory`        highest memory since then
"""

import ctypes
import gc
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["measure_call", "measure_times", "peak_memory", "reset_peak_memory"]


def measure_call(job: Callable[[], object]) -> tuple[float, float]:
    """Return the processor seconds of all threads and the wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    job()
    return time.process_time() - cpu, time.perf_counter() - wall


def measure_times(job: Callable[[], object], seconds: float) -> list[tuple[float, float]]:
    """Return the times of 3 to 15 calls in about `seconds` of processor time, after one discarded call.

    A call of 10 seconds or more is only measured once, or as often as `seconds` allows.
    """
    first, _ = measure_call(job)
    minimum = 3 if first < 10 else 1
    return list(_repeat(job, min(15, max(minimum, int(seconds / first)))))


def _repeat(job: Callable[[], object], n: int) -> Iterator[tuple[float, float]]:
    for _ in range(n):
        yield measure_call(job)


def reset_peak_memory() -> float:
    """Reset the peak and return the memory of the process, in MiB.  Works on Linux only."""
    gc.collect()
    # Freed memory that the allocator retains would be reused and not be counted.
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak_memory() -> float:
    """Return the peak memory since the last reset, in MiB."""
    return _status("VmHWM")


def _status(name: str) -> float:
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) / 1024
