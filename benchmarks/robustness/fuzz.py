"""Calls of the library with hostile values and files.

    nice -n 19 python -m benchmarks.robustness.fuzz --calls 20000 --seed 0
    python -m benchmarks.robustness.fuzz --calls 200 --kinds evaluation

Each call takes valid arguments and replaces one to three of them by hostile values: wrong types, NaN,
infinity, negative, huge and empty values, other shapes, numpy's scalars, other libraries' arrays.  Loaders
read truncated, damaged and foreign files.  A call must return finite numbers, or raise a ValueError,
TypeError, OSError or ImportError that names an argument.  Faults are all other errors, errors that name no
argument, results with NaN or nothing, accepted values that cannot be right, and calls of more than 20 s.

The calls run in forked processes of a batch each, so that a crash of the interpreter is found, too.  The
kinds take turns by the shares in `SHARES`.  `results/robustness_fuzz.csv` has the number of calls by kind,
target and outcome (kind, target, outcome, calls); the faults are printed, each once with an example.
"""

import json
import os
import resource
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.robustness.forked import restart_with_one_thread, start, wait
from benchmarks.robustness.fuzz_constructors import constructor_targets, settings_targets
from benchmarks.robustness.fuzz_evaluation import evaluation_targets
from benchmarks.robustness.fuzz_files import loaders, spoil, write_originals
from benchmarks.robustness.fuzz_inputs import Target, is_optional, takes_number
from benchmarks.robustness.fuzz_outcome import FAULTS, Outcome, run_call
from benchmarks.robustness.fuzz_values import hostile_value
from benchmarks.tables import make_parser, markdown, write_csv

RESULTS = Path(__file__).parents[1] / "results" / "robustness_fuzz.csv"
COLUMNS = ("kind", "target", "outcome", "calls")
SHARES = {"settings": 0.25, "constructor": 0.25, "evaluation": 0.3, "loader": 0.2}
BATCH = 100
MEMORY = 6 * 2**30
"""Bytes of memory beyond which a call fails with a MemoryError."""
Record = tuple[str, str, str, str]
"""Kind, target, outcome, and an example of a fault."""


def fuzz_function(target: Target, rng: np.random.Generator) -> Record:
    """Call a target with hostile arguments."""
    arguments = target.arguments()
    count = min(len(arguments), int(rng.choice([1, 1, 1, 2, 3])))
    chosen = rng.choice(list(arguments), count, replace=False).tolist()
    values = {
        name: hostile_value(arguments[name], rng, is_optional(target.function, name)) for name in chosen
    }
    arguments |= {name: hostile.value for name, hostile in values.items()}
    refused = any(
        hostile.refused
        and hostile.name not in target.accepts
        and not (hostile.name == "number" and takes_number(target.function, name))
        for name, hostile in values.items()
    )
    # An error of a path may name the path instead of the argument.
    paths = [f"{hostile.value} is" for hostile in values.values() if isinstance(hostile.value, str | Path)]
    names = [*arguments, *target.aliases, *paths]
    outcome = run_call(lambda: target.use(target.function(**arguments)), names, refused)
    if target.may_be_empty and outcome.detail.startswith("an empty array"):
        outcome = Outcome("accepted")
    text = ", ".join(f"{name}: {hostile.name}" for name, hostile in values.items())
    return target.kind, target.name, outcome.kind, f"({text}) {outcome.detail}"


def fuzz_file(name: str, original: Path, loader: Any, folder: Path, rng: np.random.Generator) -> Record:
    """Load a damaged copy of a file or a folder."""
    copy = folder / f"copy{rng.integers(2**40)}{original.suffix}"
    change = spoil(original, copy, rng)
    outcome: Outcome = run_call(lambda: loader(copy), [copy.name, str(copy)], False)
    return "loader", name, outcome.kind, f"({change}) {outcome.detail}"


class Campaign:
    """Batches of calls, each determined by the seed and its number."""

    def __init__(self, folder: Path, seed: int, kinds: list[str], only: str = "") -> None:
        self.folder, self.seed, self.kinds = folder, seed, kinds
        self.targets: dict[str, list[Target]] = {}
        for target in [*evaluation_targets(), *constructor_targets(), *settings_targets()]:
            if only in target.name:
                self.targets.setdefault(target.kind, []).append(target)
        if wait(start(partial(write_originals, folder), folder / "output.txt"), 600):
            raise RuntimeError(f"The files failed: {(folder / 'output.txt').read_text()}")
        self.originals = loaders(folder)
        self.targets["loader"] = []

    def run_batch(self, number: int, n_calls: int) -> list[Record]:
        """Return the records of a batch that runs in a forked process."""
        results = self.folder / f"batch{number}.jsonl"
        process = start(partial(self._call, number, n_calls, results), self.folder / "output.txt")
        status = wait(process, 60.0 + 25.0 * n_calls)
        lines = results.read_text().splitlines() if results.exists() else []
        results.unlink(missing_ok=True)
        records: list[Record] = [json.loads(line) for line in lines]
        if status:
            text = (self.folder / "output.txt").read_text(errors="replace")[-300:]
            records.append(("unknown", "interpreter", "raw error", f"batch {number}, {status}: {text}"))
        return records

    def _call(self, number: int, n_calls: int, results: Path) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        rng = np.random.default_rng([self.seed, number])
        torch.manual_seed(int(rng.integers(2**31)))
        shares = np.array([SHARES[kind] for kind in self.kinds])
        with results.open("w") as file:
            for _ in range(n_calls):
                kind = self.kinds[rng.choice(len(self.kinds), p=shares / shares.sum())]
                if kind == "loader":
                    names = list(self.originals)
                    name = names[rng.integers(len(names))]
                    with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                        record = fuzz_file(name, *self.originals[name], Path(folder), rng)
                elif self.targets.get(kind):
                    targets = self.targets[kind]
                    record = fuzz_function(targets[rng.integers(len(targets))], rng)
                else:
                    continue
                file.write(json.dumps(record) + "\n")
                file.flush()


def report(counts: Counter[tuple[str, str, str]]) -> str:
    """Return a table of the numbers of calls by kind and outcome."""
    outcomes = ["accepted", "refused", *FAULTS]
    sums: Counter[tuple[str, str]] = Counter()
    for (kind, _, outcome), n in counts.items():
        sums[kind, outcome] += n
        sums["all", outcome] += n
    kinds = [*sorted({kind for kind, _ in sums} - {"all"}), "all"]
    lines = [[kind, *(str(sums[kind, outcome]) for outcome in outcomes)] for kind in kinds]
    return markdown([["kind", *outcomes], *lines])


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--calls", type=int, default=20_000, help="number of calls")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the arguments")
    parser.add_argument("--kinds", nargs="+", choices=SHARES, default=list(SHARES), help="kinds of targets")
    parser.add_argument("--only", default="", help="part of the names of the functions to call")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the counts")
    args = parser.parse_args()
    restart_with_one_thread("benchmarks.robustness.fuzz")
    os.environ["HF_HUB_OFFLINE"] = "1"
    counts: Counter[tuple[str, str, str]] = Counter()
    shown: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder), args.seed, args.kinds, args.only)
        for number in range(-(-args.calls // BATCH)):
            for kind, target, outcome, example in campaign.run_batch(
                number, min(BATCH, args.calls - number * BATCH)
            ):
                counts[kind, target, outcome] += 1
                if outcome in FAULTS and (target, example) not in shown:
                    shown.add((target, example))
                    print(f"{outcome}: {target} {example}", flush=True)
            rows = [[*key, n] for key, n in sorted(counts.items())]
            write_csv(args.results, COLUMNS, rows)
    print(report(counts))


if __name__ == "__main__":
    main()
