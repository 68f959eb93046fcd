"""Worker processes of a benchmark: their results, and their end with the benchmark."""

import os
import subprocess
import sys
import time
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
BENCHMARK = """
import time
from pathlib import Path

from benchmarks.process_pool import make_process_pool


def write(folder, n):
    (folder / "started").touch()
    time.sleep(n)
    (folder / "written").touch()
    return n


if __name__ == "__main__":
    with make_process_pool(1) as pool:
        print(pool.submit(write, Path({folder!r}), {seconds}).result())
"""


def start(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    script = folder / "benchmark.py"
    script.write_text(BENCHMARK.format(folder=str(folder), seconds=seconds))
    env = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}
    return subprocess.Popen([sys.executable, str(script)], env=env, text=True, stdout=subprocess.PIPE)


def test_results_are_returned(tmp_path: Path) -> None:
    out, _ = start(tmp_path, 0).communicate(timeout=60)
    assert out == "0\n"


def test_workers_of_a_killed_benchmark_end(tmp_path: Path) -> None:
    benchmark = start(tmp_path, 3)
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    benchmark.kill()
    benchmark.communicate(timeout=60)
    time.sleep(4)
    assert not (tmp_path / "written").exists()
