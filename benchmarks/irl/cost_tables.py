"""What `irl_cost.py` measures, and the tables that it makes of it.

`Case`, `Cost`   what is measured, and what came of it
`costs`          every row
`for_page`       those that `docs/irl.md` shows
`against`        how many times more the original costs
"""

from dataclasses import dataclass, replace

from benchmarks.tables import markdown

__all__ = ["SEEDS", "Case", "Cost", "Row", "against", "costs", "for_page"]

SEEDS = {"original_recipe umaze": "umaze", "original_recipe large": "large"}


@dataclass(frozen=True)
class Case:
    """What is measured."""

    method: str
    denoiser: str = "mlp"
    batch: int = 64
    levels: int = 50
    steps: int = 8

    @property
    def window(self) -> tuple[int, int]:
        """Frames, and environment steps in a frame."""
        return (128, 1) if self.denoiser == "unet 128" else (32, 4)


@dataclass(frozen=True)
class Cost:
    """What came of it."""

    parameters: int
    updates: int
    update_ms: float
    update_wall_ms: float
    plan_ms: float
    plan_wall_ms: float
    follow: int
    step_ms: float
    mib: float
    once_ms: float


Row = tuple[Case, Cost]


def costs(table: list[Row]) -> str:
    """Markdown: all rows, and how often each fits into the original on the same denoiser.

    The original is its UMaze recipe with as many noise levels, at the same batch or at its own.
    """
    heads = ["denoiser", "method", "batch", "steps", "update ms", "(wall)", "MiB", "plan ms", "follow"]
    heads += ["ms per env step", "seed / this: update", "update at 16", "plan", "env step"]
    lines = []
    for case, cost in table:
        equal = find(table, replace(case, method="original_recipe umaze", steps=case.levels))
        own = find(table, replace(case, method="original_recipe umaze", steps=case.levels, batch=16))
        lines.append(
            [
                case.denoiser,
                case.method,
                str(case.batch),
                str(case.steps),
                *(f"{x:.1f}" for x in (cost.update_ms, cost.update_wall_ms, cost.mib, cost.plan_ms)),
                str(cost.follow),
                f"{cost.step_ms:.2f}",
                times_less(equal, cost, "update_ms"),
                times_less(own, cost, "update_ms"),
                times_less(equal, cost, "plan_ms"),
                times_less(equal, cost, "step_ms"),
            ]
        )
    return markdown([heads, *lines], 2)


def for_page(table: list[Row]) -> str:
    """Markdown: what updates at a batch of 64 and plans cost."""
    heads = ["denoiser", "method", "denoising steps", "ms an update", "MiB", "ms of planning an env step"]
    lines = []
    for case, cost in table:
        if case.batch == 64:
            steps = "none in learning" if case.method in ("relative", "ratio") else str(case.steps)
            numbers = (f"{cost.update_ms:.0f}", f"{cost.mib:.0f}", f"{cost.step_ms:.1f}")
            lines.append([case.denoiser, case.method, steps, *numbers])
    return markdown([heads, *lines], 2)


def against(table: list[Row]) -> str:
    """Markdown: each run of the original over the default objective with 8 steps, on the same denoiser."""
    heads = ["denoiser", "original", "levels", "batch", "update, equal batches", "update, 16 against 64"]
    lines = []
    for case, cost in table:
        if case.method not in SEEDS:
            continue
        ours = [
            find(table, replace(case, method="contrastive", levels=50, steps=8, batch=batch))
            for batch in (case.batch, 64)
        ]
        equal, usual = ours
        lines.append(
            [
                case.denoiser,
                case.method,
                str(case.levels),
                str(case.batch),
                times_less(cost, equal, "update_ms"),
                times_less(cost, usual, "update_ms") if case.batch == 16 else "",
                times_less(cost, equal, "mib"),
                times_less(cost, equal, "plan_ms"),
                times_less(cost, equal, "step_ms"),
            ]
        )
    return markdown([[*heads, "MiB", "plan", "env step"], *lines], 2)


def find(table: list[Row], wanted: Case) -> Cost | None:
    return next((cost for case, cost in table if case == wanted), None)


def times_less(seed: Cost | None, cost: Cost | None, name: str) -> str:
    """How often what `cost` says fits into what `seed` says."""
    if seed is None or cost is None or getattr(cost, name) == 0:
        return ""
    return f"{getattr(seed, name) / getattr(cost, name):.1f}"
