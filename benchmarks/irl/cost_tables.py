"""Cases of `benchmarks.irl.cost` and the tables of their costs.

`Case`        method, denoiser and sizes of a measurement
`Cost`        time and memory of a case
`all_costs`   Markdown table of all cases
`page_costs`  Markdown table of the cases in the documentation
`ratios`      Markdown table of the costs of the original recipe, relative to those of the default objective
`read_rows`   rows of the csv
"""

import csv
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from benchmarks.tables import markdown, write_csv

__all__ = [
    "ORIGINAL_RECIPES",
    "Case",
    "Cost",
    "Row",
    "all_costs",
    "page_costs",
    "ratios",
    "read_rows",
    "write_rows",
]

ORIGINAL_RECIPES = {"original recipe umaze": "umaze", "original recipe large": "large"}


@dataclass(frozen=True)
class Case:
    """Method, denoiser and sizes of a measurement."""

    method: str
    denoiser: str = "mlp"
    batch_size: int = 64
    noise_levels: int = 50
    denoising_steps: int = 8

    @property
    def window(self) -> tuple[int, int]:
        """Horizon of a window, and environment steps between two of its time steps."""
        return (128, 1) if self.denoiser == "unet 128" else (32, 4)


@dataclass(frozen=True)
class Cost:
    """Time and memory of a case."""

    parameters: int
    n_updates: int
    update_ms: float
    update_wall_ms: float
    plan_ms: float
    plan_wall_ms: float
    steps_per_plan: int
    step_ms: float
    memory_mib: float
    setup_ms: float


Row = tuple[Case, Cost]


def write_rows(path: Path, rows: list[Row], machine: str) -> None:
    """Write the csv, with two decimals."""
    records: list[dict[str, Any]] = [
        {"machine": machine, **asdict(case), **asdict(cost)} for case, cost in rows
    ]
    for record in records:
        record.update({name: f"{x:.2f}" for name, x in record.items() if isinstance(x, float)})
    write_csv(path, list(records[0]), (list(record.values()) for record in records))


def read_rows(path: Path) -> list[Row]:
    """Return the rows of the csv; `step_ms` is computed again, as two decimals are few for its ratios."""
    with path.open(newline="") as file:
        rows = [(_parse(Case, record), _parse(Cost, record)) for record in csv.DictReader(file)]
    return [(case, replace(cost, step_ms=cost.plan_ms / cost.steps_per_plan)) for case, cost in rows]


def _parse(kind: Any, record: dict[str, str]) -> Any:
    return kind(**{field.name: cast(Any, field.type)(record[field.name]) for field in fields(kind)})


def all_costs(rows: list[Row]) -> str:
    """Return a table of all cases, with the costs of the original recipe relative to each.

    The ratios are to the UMaze recipe on the same denoiser, with a denoising step for each noise level.
    Updates are compared at the same batch size and at the original's, 16.
    """
    header = ["denoiser", "method", "batch", "steps", "update ms", "(wall)", "MiB", "plan ms", "steps / plan"]
    header += ["ms / env step", "original / this: update", "update at 16", "plan", "env step"]
    lines = []
    for case, cost in rows:
        original = replace(case, method="original recipe umaze", denoising_steps=case.noise_levels)
        same_batch, batch_16 = _find(rows, original), _find(rows, replace(original, batch_size=16))
        lines.append(
            [
                case.denoiser,
                case.method,
                str(case.batch_size),
                str(case.denoising_steps),
                *(f"{x:.1f}" for x in (cost.update_ms, cost.update_wall_ms, cost.memory_mib, cost.plan_ms)),
                str(cost.steps_per_plan),
                f"{cost.step_ms:.2f}",
                _ratio(same_batch, cost, "update_ms"),
                _ratio(batch_16, cost, "update_ms"),
                _ratio(same_batch, cost, "plan_ms"),
                _ratio(same_batch, cost, "step_ms"),
            ]
        )
    return markdown([header, *lines], 2)


def page_costs(rows: list[Row]) -> str:
    """Return a table of the costs of updates with batches of 64, and of planning."""
    header = ["denoiser", "method", "denoising steps", "ms / update", "MiB", "ms of planning / env step"]
    lines = []
    for case, cost in rows:
        if case.batch_size == 64:
            without_sampling = case.method in ("relative", "density ratio")
            steps = "none in training" if without_sampling else str(case.denoising_steps)
            step_ms = f"{cost.step_ms:.{0 if cost.step_ms >= 100 else 1}f}"
            values = (f"{cost.update_ms:.0f}", f"{cost.memory_mib:.0f}", step_ms)
            lines.append([case.denoiser, case.method, steps, *values])
    return markdown([header, *lines], 2)


def ratios(rows: list[Row]) -> str:
    """Return a table of the costs of the original recipe, divided by those of `contrastive` with 8 steps."""
    header = ["denoiser", "original recipe", "batch", "update, equal batches", "update, 16 against 64"]
    lines = []
    for case, cost in rows:
        if case.method not in ORIGINAL_RECIPES:
            continue
        default = replace(case, method="contrastive", noise_levels=50, denoising_steps=8)
        same_batch, batch_64 = _find(rows, default), _find(rows, replace(default, batch_size=64))
        lines.append(
            [
                case.denoiser,
                f"{ORIGINAL_RECIPES[case.method]}, {case.noise_levels} levels",
                str(case.batch_size),
                _ratio(cost, same_batch, "update_ms"),
                _ratio(cost, batch_64, "update_ms") if case.batch_size == 16 else "",
                _ratio(cost, same_batch, "memory_mib"),
                _ratio(cost, same_batch, "plan_ms"),
                _ratio(cost, same_batch, "step_ms"),
            ]
        )
    return markdown([[*header, "memory", "plan", "planning / env step"], *lines], 2)


def _find(rows: list[Row], case: Case) -> Cost | None:
    return next((cost for other, cost in rows if other == case), None)


def _ratio(numerator: Cost | None, denominator: Cost | None, name: str) -> str:
    if numerator is None or denominator is None or getattr(denominator, name) == 0:
        return ""
    return f"{getattr(numerator, name) / getattr(denominator, name):.1f}"
