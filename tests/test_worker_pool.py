"""Worker processes that end with their parent: after a Ctrl-C, an exception and a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import reset_interrupt, running_processes, wait_until

from rlpriors.worker_pool import WorkerPool

PROGRAM = """
import os, sys, time
from pathlib import Path
from rlpriors.worker_pool import WorkerPool

def work(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)

if __name__ == "__main__":
    try:
        with WorkerPool(2) as pool:
            list(pool.map(work, [sys.argv[1]] * 4))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""


@pytest.fixture
def program(tmp_path):
    file, started = tmp_path / "program.py", tmp_path / "started"
    file.write_text(PROGRAM)
    started.mkdir()
    process = subprocess.Popen(
        [sys.executable, file, started],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=reset_interrupt,
    )
    wait_until(lambda: len(list(started.iterdir())) == 2)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.skipif(not Path("/proc").exists(), reason="the state of processes is read from /proc")
def test_a_ctrl_c_ends_all_processes_without_a_traceback(program) -> None:
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does
    out, err = program.communicate(timeout=20)
    assert (program.returncode, out, err) == (130, "interrupted\n", "")
    wait_until(lambda: not running_processes(program.pid))


@pytest.mark.skipif(not Path("/proc").exists(), reason="the state of processes is read from /proc")
def test_workers_of_a_killed_parent_end(program) -> None:
    program.kill()
    wait_until(lambda: not running_processes(program.pid))


def fail(number: int) -> None:
    if number == 0:
        raise ArithmeticError("task 0")
    time.sleep(60)


def test_an_exception_does_not_wait_for_the_other_tasks() -> None:
    start = time.monotonic()
    with pytest.raises(ArithmeticError, match="task 0"), WorkerPool(2) as pool:
        list(pool.map(fail, range(4)))
    assert time.monotonic() - start < 40


def test_the_initializer_runs_in_each_worker() -> None:
    with WorkerPool(1, os.putenv, ("RLPRIORS_TEST", "1")) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
