"""Kills of runs at random times, and comparison of the resumed runs with undisturbed ones.

    nice -n 19 python -m benchmarks.robustness.kills --kills 100
    python -m benchmarks.robustness.kills --kills 3 --runs encode pretrain

Each trial starts a command that has `--resume` at its smallest size, ends it by SIGKILL at a random time,
resumes it, and so on, a few times.  Then it lets the run finish.  The folder must be equal to the folder of
an undisturbed run, byte by byte: weights, results without their times, figures.  A temporary file that a
kill left is a difference, too.

Online training (`train-policy`, GAIL) cannot store the state of environments.  Its runs have
`--exact-resume`, with which all runs begin new episodes at each checkpoint.  Resumed or not, they must be
equal.

The processes are forks of one process that has imported and compiled everything, so that a start takes
milliseconds instead of seconds.  Trials go round the commands until the number of kills is reached.  The
rows of `results/robustness_kills.csv` (run, trial, kills, outcome) are kept: a later call continues.
"""

import os
import re
import shutil
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.robustness.forked import restart_with_one_thread, start, wait
from benchmarks.robustness.run_files import differences, read_run
from benchmarks.robustness.small_runs import RUNS, call, make_inputs, prepare
from benchmarks.tables import make_parser, markdown, read_csv, write_csv

RESULTS = Path(__file__).parents[1] / "results" / "robustness_kills.csv"
RUN_FOLDER = Path("runs") / "robustness-kills"
COLUMNS = ("run", "trial", "kills", "outcome")
MOST_KILLS = 4
"""Largest number of kills of one trial."""
SECONDS = 900.0
"""Time after which a run counts as hanging."""
KILLED = -9


class Campaign:
    """Trials of small runs in one folder."""

    def __init__(self, folder: Path, names: list[str], seed: int) -> None:
        self.folder, self.names, self.seed = folder.resolve(), names, seed
        self.inputs = self.folder / "inputs"
        self.seconds: dict[str, float] = {}

    def start(self) -> None:
        """Write the inputs and the undisturbed runs, whose times bound the times of kills."""
        prepare()
        self.folder.mkdir(parents=True, exist_ok=True)
        process = start(partial(make_inputs, self.inputs), self.folder / "inputs.txt")
        if wait(process, SECONDS):
            raise RuntimeError(f"The inputs failed; see {self.folder}/inputs.txt.")
        for name in self.names:
            folder = self._new_folder(name, "whole")
            begin = time.monotonic()
            if wait(self._start(name, folder), SECONDS):
                raise RuntimeError(f"{name} failed without a kill; see {folder}/output.txt.")
            self.seconds[name] = time.monotonic() - begin
            print(f"{name}: {self.seconds[name]:.1f} s undisturbed", flush=True)

    def run_trial(self, name: str, trial: int, most_kills: int = MOST_KILLS) -> tuple[int, str]:
        """Return the number of kills of a trial, and "equal" or the fault."""
        number = sorted(RUNS).index(name)
        rng = np.random.default_rng([self.seed, number, trial])
        folder = self._new_folder(name, f"trial{trial}")
        kills, wanted = 0, int(rng.integers(1, most_kills + 1))
        expected = self.folder / _slug(name) / "whole" / "run"
        while True:
            delay = rng.uniform(0, self.seconds[name] / (kills + 1)) if kills < wanted else SECONDS
            status = wait(self._start(name, folder), delay)
            if status == KILLED and kills < wanted:
                kills += 1
                continue
            if status == KILLED:
                return kills, "hangs"
            if status:
                return kills, f"fails: {_last_line(folder / 'output.txt')}"
            changed = differences(read_run(expected), read_run(folder / "run"))
            others = [path.name for path in folder.iterdir() if path.name not in {"run", "output.txt"}]
            if changed or others:
                return kills, f"differs: {' '.join([*changed, *others])}"
            shutil.rmtree(folder)
            return kills, "equal"

    def _start(self, name: str, folder: Path) -> int:
        """Start or resume a run."""
        resumes = "encode" not in name and (folder / "run").exists()
        options = ["--folder", "run", *(["--resume"] if resumes else [])]

        def job() -> None:
            os.chdir(folder)
            call(name, self.inputs, *options)

        return start(job, folder / "output.txt")

    def _new_folder(self, name: str, trial: str) -> Path:
        folder = self.folder / _slug(name) / trial
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() or ["no output"]
    return lines[-1][:200]


def report(rows: list[list[str]]) -> str:
    """Return a table with the trials, kills and faults of each run."""
    trials, kills, faults = Counter[str](), Counter[str](), Counter[str]()
    for name, _, n_kills, outcome in rows:
        trials[name] += 1
        kills[name] += int(n_kills)
        faults[name] += outcome != "equal"
    lines = [[name, *(str(count[name]) for count in (trials, kills, faults))] for name in sorted(trials)]
    sums = ["all", *(str(count.total()) for count in (trials, kills, faults))]
    return markdown([["run", "trials", "kills", "faults"], *lines, sums])


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--kills", type=int, default=100, help="number of kills in all runs together")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS), help="names of small runs")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the times")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/robustness-kills"), help="folder of the runs"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the trials")
    args = parser.parse_args()
    restart_with_one_thread("benchmarks.robustness.kills")
    rows = read_csv(args.results)
    campaign = Campaign(args.folder, args.runs, args.seed)
    trial = 0
    while sum(int(row[2]) for row in rows) < args.kills:
        for name in args.runs:
            if any(row[:2] == [name, str(trial)] for row in rows):
                continue
            if not campaign.seconds:
                campaign.start()
            kills, outcome = campaign.run_trial(name, trial)
            print(f"{name}, trial {trial}: {kills} kills, {outcome}", flush=True)
            rows.append([name, str(trial), str(kills), outcome])
            write_csv(args.results, COLUMNS, rows)
        trial += 1
    print(report(rows))


if __name__ == "__main__":
    main()
