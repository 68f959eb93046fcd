"""Time of the encode wrapper: by backend, against TorchRL, and with its frame stacks and caches.

    pip install -c constraints.txt torchrl        # optional: for the rows of TorchRL
    pip install onnx onnxruntime                  # optional: for the rows of ONNX Runtime
    OMP_NUM_THREADS=1 python -m benchmarks.speed.encode
    python -m benchmarks.speed.encode --report

Frames of ALE/Breakout-v5, 210 x 160 in color, are recorded from random actions first, so that the time of the
emulator does not count.  Groups of cases, all with the same weights:

`backends`   ResNet-18 (random weights, BatchNorm statistics of the frames) and EfficientNet-Lite0 (ImageNet)
             as `VectorEncodeObservation` by each backend, as TorchRL's R3MTransform with the same network,
             size and normalization, and the network alone on preprocessed frames, also by ONNX Runtime
`wrapper`    ResNet-18: one call for each environment, stacks that encode each frame once or four times, and
             PEARL's readout "crops(1,2,4)" without and with a cache (smallest size, 16 environments)
`encoders`   every bundled encoder and every network of this library at its own size

Cases take turns in every round, so that other load on the machine slows all of them equally.  With one thread
on a CPU the clock is CPU time of the process, which other programs do not change much; otherwise it is wall
time.  Ratios are medians over rounds of the ratio within a round, to the eager path (`wrapper` by `torch`,
with channels last) and to TorchRL, at the same encoder, size and number of environments.  `frames_per_s` is a
median, too.
`cosine` is the smallest cosine between the features of a frame and those of the eager path; for
`centered_cosine` the mean over the frames is subtracted first.  `memory_mb` is the peak memory of a process
that runs this case alone.  The rows replace earlier rows of the same cases on this machine in
`results/encode.csv`, or in the file of `--csv`.
"""

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.resource_usage import peak_memory
from benchmarks.speed.encode_cases import Case, Job, make_job, make_noise, record_frames, save_encoder
from benchmarks.speed.encode_report import report
from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.device import resolve_device
from rlpriors.encoders import ENCODERS
from rlpriors.encoders.backbones.bundled import bundled_names
from rlpriors.worker_pool import WorkerPool

RESULTS = Path(__file__).parents[1] / "results" / "encode.csv"
PAGE = Path(__file__).parents[2] / "docs" / "results" / "speed.md"
COLUMNS = (
    *("machine", "encoder", "case", "backend", "size", "n_envs", "frames_per_s", "ratio_to_eager"),
    *("ratio_to_torchrl", "cosine", "centered_cosine", "memory_mb"),
)
GROUPS = ("backends", "wrapper", "encoders")
CROPS = ["crops", "crops, cache"]
EAGER, TORCHRL = ("wrapper", "torch"), ("batch", "torchrl")
NETWORKS = [name for name, spec in ENCODERS.items() if spec.source == "network"]


def make_cases(
    group: str, sizes: Sequence[int], n_envs: Sequence[int], compiled: bool, amp: str
) -> list[Case]:
    """Return the cases of a group."""
    if group == "encoders":
        names = [*bundled_names(), *NETWORKS, "efficientnet-lite0"]
        return [Case(name, "wrapper", backend, 0, 16) for name in names for backend in ("torch", "openvino")]
    if group == "wrapper":
        names = ["one call per environment", "stack 4, each frame once", "stack 4, each frame four times"]
        return [
            Case("resnet18", name, "torch", size, n)
            for size in sizes
            for n in n_envs
            for name in ["wrapper", *names, *(CROPS if (size, n) == (min(sizes), 16) else [])]
        ]
    backends = ["torch", f"torch {amp}", *(["torch compiled"] * compiled), "openvino", "openvino bf16"]
    pairs = [("wrapper", backend) for backend in backends]
    pairs += [TORCHRL, ("network", "torch"), ("network", "openvino"), ("network", "onnxruntime")]
    return [
        Case(encoder, *pair, size, n)
        for encoder in ("resnet18", "efficientnet-lite0")
        for size in sizes
        for n in n_envs
        for pair in pairs
    ]


def measure_seconds(job: Job, device: torch.device) -> float:
    """Return the time of one call: CPU time with one thread on a CPU, otherwise wall time."""
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = clock()
    job.run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def compare(found: Any, expected: Any) -> tuple[str, str]:
    """Return the smallest cosine of two features, as they are and around the mean of the second."""
    cells = []
    for mean in (0.0, expected.mean(0)):
        cosine = torch.nn.functional.cosine_similarity(found.float() - mean, expected.float() - mean)
        cells.append(f"{float(cosine.min()):.5f}")
    return cells[0], cells[1]


def measure_memory(case: Case, folder: Path, device: str) -> str:
    """Return the peak memory in MiB of this process, which has not run another case; Linux only."""
    torch.set_num_threads(1)
    job = make_job(case, folder, make_noise(max(64, case.n_envs)), resolve_device(device))
    for _ in range(3):
        assert job is not None
        job.run()
    return f"{peak_memory():.0f}"


def measure(
    cases: Sequence[Case],
    folder: Path,
    frames: np.ndarray,
    device: torch.device,
    rounds: int,
    memory: Callable[[Case], str],
) -> list[list[str]]:
    """Return the columns from `encoder` on for cases of one encoder, size and number of environments."""
    jobs: dict[Case, Job] = {}
    features: dict[Case, Any] = {}
    for case in cases:
        try:
            job = make_job(case, folder, frames, device)
        except (ValueError, ImportError) as error:  # of a backend
            print(f"{case.encoder} by {case.backend} is left out: {error}", flush=True)
            continue
        if job is not None:
            jobs[case] = job
            features[case] = None if job.features is None else job.features().cpu()
    times: dict[Case, list[float]] = {case: [] for case in jobs}
    for number in range(rounds + 2):  # two to warm up
        for case, job in jobs.items():
            spent = measure_seconds(job, device)
            if number >= 2:
                times[case].append(spent)
    by_pair = {(case.name, case.backend): case for case in jobs}
    rows = []
    for case in jobs:
        ratios = []
        for other in (by_pair.get(EAGER), by_pair.get(TORCHRL)):
            pairs = zip(times[case], times[other] if other else (), strict=False)
            values = [theirs / ours for ours, theirs in pairs]
            ratios.append(f"{statistics.median(values):.3f}" if values else "")
        found, expected = features[case], features[by_pair[EAGER]]
        cosines = ("", "") if found is None else compare(found, expected)
        rate = f"{case.n_envs / statistics.median(times[case]):.1f}"
        rows.append([case.encoder, case.name, case.backend, str(case.size), str(case.n_envs), rate, *ratios])
        rows[-1] += [*cosines, memory(case)]
        print("  ".join(rows[-1]), flush=True)
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Print the table and write the csv."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="auto", help="device of the network")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS, help="groups of cases")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[84, 224], help="height and width of the network's input"
    )
    parser.add_argument("--n-envs", type=int, nargs="+", default=[1, 16, 64], help="numbers of environments")
    parser.add_argument("--rounds", type=int, default=5, help="number of measured rounds")
    parser.add_argument("--amp", choices=["bf16", "fp16"], default="bf16", help="half precision of torch")
    parser.add_argument(
        "--frames", choices=["breakout", "noise"], default="breakout", help="noise needs no emulator"
    )
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True, help="the cases that compile"
    )
    parser.add_argument(
        "--memory", action=argparse.BooleanOptionalAction, default=True, help="memory of each case on a CPU"
    )
    parser.add_argument("--csv", type=Path, default=RESULTS, help="file for the table")
    parser.add_argument("--report", action="store_true", help="write the page from the csv and run nothing")
    settings = parser.parse_args(arguments)
    if settings.report:
        report(read_csv(settings.csv), PAGE)
    else:
        run(settings)


def run(settings: argparse.Namespace) -> None:
    """Measure the cases and write the csv after each group of comparable ones."""
    device = resolve_device(settings.device)
    cores = f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}"
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else cores
    frames = record_frames(2000) if settings.frames == "breakout" else make_noise(200)
    print(f"{machine}\n{'  '.join(COLUMNS[1:])}")
    groups: dict[tuple[str, int, int], list[Case]] = {}
    for group in settings.groups:
        for case in make_cases(group, settings.sizes, settings.n_envs, settings.compile, settings.amp):
            together = groups.setdefault((case.encoder, case.size, case.n_envs), [])
            together += [case] if case not in together else []
    with tempfile.TemporaryDirectory() as temporary:
        for (encoder, size, _), cases in groups.items():
            folder = Path(temporary) / f"{encoder}-{size}".replace("/", "_")
            if not folder.exists():
                save_encoder(encoder, size, frames, folder)

            def memory(case: Case, folder: Path = folder) -> str:
                if not settings.memory or device.type == "cuda":
                    return ""
                with WorkerPool(1) as pool:
                    return str(pool.submit(measure_memory, case, folder, settings.device).result())

            measured = measure(cases, folder, frames, device, settings.rounds, memory)
            rows = {(machine, *row[:5]): [machine, *row] for row in measured}
            earlier = {(*row[:6],): row for row in read_csv(settings.csv)}
            if settings.groups == ["wrapper"]:  # the eager path is only the reference
                rows |= {key: row for key, row in earlier.items() if key[2:4] == EAGER}
            write_csv(settings.csv, COLUMNS, ({**earlier, **rows}).values())


if __name__ == "__main__":
    main()
