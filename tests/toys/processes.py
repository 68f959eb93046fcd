"""Processes of a group, to test that a command leaves none behind."""

import signal
import time
from collections.abc import Callable
from pathlib import Path


def running_processes(group: int) -> list[int]:
    """Return the processes of a process group that have not ended; Linux only."""
    running = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may contain spaces; state, parent and group follow it.
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended meanwhile
            continue
        if int(of) == group and state != "Z":
            running.append(int(stat.parent.name))
    return running


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until `condition` holds; fail after some time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.05)


def reset_interrupt() -> None:
    """Let a new process receive Ctrl-C, also if the tests run in the background of a shell, which ignores it.

    It is the `preexec_fn` of a `subprocess.Popen`.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
