"""Interrupts of commands by Ctrl-C at random times, and comparison of the resumed runs with undisturbed ones.

    nice -n 19 python -m benchmarks.robustness.interrupts --interrupts 20

Each trial starts a command in a session of its own, as a terminal does, sends SIGINT to all its processes at
a random time, and checks how it ends: by exit code 130, by one line that names the command to resume, without
a traceback, and without a process that is left.  Then it runs that command.  The run's folder must be equal
to the folder of an undisturbed run, byte by byte, except for times.  A trial that is interrupted before the
run has a folder is started anew.

The rows of `results/robustness_interrupts.csv` (run, trial, seconds, outcome) are kept: a later call
continues.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.robustness.run_files import differences, read_run
from benchmarks.robustness.small_runs import RUNS, make_inputs
from benchmarks.tables import make_parser, markdown, read_csv, write_csv

RESULTS = Path(__file__).parents[1] / "results" / "robustness_interrupts.csv"
COLUMNS = ("run", "trial", "seconds", "outcome")
NAMES = ("demo", "learn-reward", "train-policy sac", "pretrain")
SECONDS = 600.0
"""Time after which a command counts as hanging."""
GRACE = 10.0
"""Seconds after which processes that a command left count as orphans."""


class Trials:
    """Interrupted runs in one folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder.resolve(), seed
        self.inputs = self.folder / "inputs"
        self.seconds: dict[str, float] = {}

    def start(self, names: list[str]) -> None:
        """Write the inputs and the undisturbed runs, whose times bound the times of interrupts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        make_inputs(self.inputs)
        for name in names:
            folder = self._new_folder(name, "whole")
            begin = time.monotonic()
            process = self._start(self._words(name), folder)
            if process.wait(SECONDS):
                raise RuntimeError(f"{name} failed; see {folder}/output.txt.")
            self.seconds[name] = time.monotonic() - begin
            print(f"{name}: {self.seconds[name]:.1f} s undisturbed", flush=True)

    def run_trial(self, name: str, trial: int) -> tuple[float, str]:
        """Return the time of the interrupt in seconds, and "equal", "ended before" or the fault."""
        rng = np.random.default_rng([self.seed, sorted(RUNS).index(name), trial])
        delay = float(rng.uniform(0.3, self.seconds[name]))
        folder = self._new_folder(name, f"trial{trial}")
        words = self._words(name)
        process = self._start(words, folder)
        try:
            code: int | None = process.wait(delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
            code = None
        if code is not None:
            return delay, "ended before" if code == 0 else f"fails: exit code {code}"
        fault = self._end_of(
            process, folder / "output.txt", begun=(folder / "run" / "settings.json").exists()
        )
        if fault:
            return delay, fault
        resumed = [*words, "--resume"] if (folder / "run").exists() else words
        if self._start(resumed, folder).wait(SECONDS):
            return delay, "fails when resumed"
        expected = self.folder / name.replace(" ", "-") / "whole" / "run"
        changed = differences(read_run(expected), read_run(folder / "run"))
        if changed:
            return delay, f"differs: {' '.join(changed)}"
        shutil.rmtree(folder)
        return delay, "equal"

    def _end_of(self, process: "subprocess.Popen[bytes]", output: Path, *, begun: bool) -> str:
        """Return the fault of an interrupted command's end; "" if there is none."""
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "hangs"
        if code != 130:
            return f"exit code {code}"
        deadline = time.monotonic() + GRACE
        while left := _processes_of(process.pid):
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                return f"leaves {len(left)} processes"
            time.sleep(0.1)
        lines = output.read_text(errors="replace").replace("\r", "\n").strip().splitlines()
        last = lines[-1] if lines else ""
        if any("Traceback" in line for line in lines):
            return "prints a traceback"
        if not last.startswith("Stopped.") or (begun and not last.endswith("--resume")):
            return f"ends with {last[:80]!r}"
        return ""

    def _words(self, name: str) -> list[str]:
        words = [*shlex.split(RUNS[name].format(inputs=self.inputs)), "--folder", "run"]
        if "--n-workers" in words:
            words[words.index("--n-workers") + 1] = "2"  # which must end, too
        return words

    def _start(self, words: list[str], folder: Path) -> "subprocess.Popen[bytes]":
        environment = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        with open(folder / "output.txt", "ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "rlpriors.scripts.main", *words],
                cwd=folder,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,
                # A shell's background jobs ignore SIGINT, and their children inherit it.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )

    def _new_folder(self, name: str, trial: str) -> Path:
        folder = self.folder / name.replace(" ", "-") / trial
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


def _processes_of(session: int) -> list[int]:
    """Return the processes of a session that have not ended (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended meanwhile
            continue
        if int(its_session) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def report(rows: list[list[str]]) -> str:
    """Return a table with the interrupts and faults of each run."""
    interrupts, faults = Counter[str](), Counter[str]()
    for name, _, _, outcome in rows:
        interrupts[name] += outcome != "ended before"
        faults[name] += outcome not in ("equal", "ended before")
    lines = [[name, str(interrupts[name]), str(faults[name])] for name in sorted(interrupts)]
    return markdown(
        [
            ["run", "interrupts", "faults"],
            *lines,
            ["all", str(interrupts.total()), str(faults.total())],
        ]
    )


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--interrupts", type=int, default=20, help="number of interrupts of all runs")
    parser.add_argument("--runs", nargs="+", choices=NAMES, default=list(NAMES), help="names of small runs")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the times")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/robustness-interrupts"), help="folder of the runs"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the trials")
    args: argparse.Namespace = parser.parse_args()
    rows = read_csv(args.results)
    trials = Trials(args.folder, args.seed)
    trial = 0
    while sum(row[3] != "ended before" for row in rows) < args.interrupts:
        for name in args.runs:
            if any(row[:2] == [name, str(trial)] for row in rows):
                continue
            if not trials.seconds:
                trials.start(args.runs)
            seconds, outcome = trials.run_trial(name, trial)
            print(f"{name}, trial {trial}: {seconds:.1f} s, {outcome}", flush=True)
            rows.append([name, str(trial), f"{seconds:.2f}", outcome])
            write_csv(args.results, COLUMNS, rows)
        trial += 1
    print(report(rows))


if __name__ == "__main__":
    main()
