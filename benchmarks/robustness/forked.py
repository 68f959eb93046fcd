"""Jobs in forked processes of one prepared process.

`restart_with_one_thread`  new process with one thread for each numerical library
`check_fork`               error if this process has more than one thread
`start`                    start a job in a forked process
`wait`                     exit status of a job, after a kill at a deadline

The imports of the library take seconds.  A forked process inherits them.  A fork copies only the calling
thread, so the forking process must have no other one.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

__all__ = ["check_fork", "restart_with_one_thread", "start", "wait"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def restart_with_one_thread(module: str) -> None:
    """Run the command `module` again in this process with one thread, unless it already runs so."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])


def check_fork() -> None:
    """Check that this process may fork.

    Raises:
        RuntimeError: this process has several threads.
    """
    tasks = Path("/proc/self/task")
    if tasks.exists() and len(list(tasks.iterdir())) > 1:
        raise RuntimeError("A process with several threads cannot fork safely. Start the command anew.")


def start(job: Callable[[], None], output: Path) -> int:
    """Start `job` in a forked process, with its output in a file, and return the process id.

    The exit status is 0 after `job` returned, and 1 after an exception.
    """
    check_fork()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(file, 1)
        os.dup2(file, 2)
        job()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # the parent's handlers and threads are not this process's


def wait(process: int, seconds: float) -> int:
    """Return the exit status of a process, or -9 after killing it when `seconds` have passed."""
    end = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        left = end - time.monotonic()
        if left <= 0:
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            return os.waitstatus_to_exitcode(status)
        time.sleep(min(left, 0.002))
