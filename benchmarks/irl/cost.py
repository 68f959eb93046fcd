"""What does an update of the reward cost, and a plan?

    OMP_NUM_THREADS=1 python -m benchmarks.irl.cost            # about nine minutes
    OMP_NUM_THREADS=1 python -m benchmarks.irl.cost --quick    # that all of it runs; writes nothing

Every objective, and the original recipe (`original_recipe`), on windows of PointMaze's shape: 32 frames of
6 numbers, a frame for 4 environment steps.  Three denoisers: "mlp" and "unet" with their default sizes,
and "unet 128", our U-Net with the original's channels (2.2 million parameters to its 3.7) on windows of
the original's length, 128 frames of one step.  All weights are random, and so is the data: what is
computed, and so what it costs, does not depend on either.  What it is worth is the matter of `irl.py`.

Each row has a process of its own.  `update_ms` and `plan_ms` are medians of processor time, over all
threads: that is what to read where other programs run; `*_wall_ms` have the waiting in them.  `mib` is
the most memory that updates held above what the process held after one update with a batch of 2, by
the kernel's own high-water mark.  A plan is made for one environment and followed for `follow` of its
steps; `step_ms` is the cost of planning for each of these.  `steps` are the planner's denoising steps;
"relative" and "ratio" make none in their updates.  `once_ms` is what comes before the first update:
for "relative", the 400 updates that make its model of the demonstrations.

The tables go to `results/irl_cost.csv` and to `docs/irl.md`.

The original learns with batches of 16; it is held against ours both at equal batches and so.
"""

import argparse
import ctypes
import gc
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import policy_within_training_step
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.irl.cost_tables import SEEDS, Case, Cost, Row, against, costs, for_page
from benchmarks.tables import replace, write_csv
from benchmarks.workers import processes
from rlpriors.agents import DiffuserPolicy, DiffusionIRL, TrajectoryLayout
from rlpriors.agents.irl.objectives import ChainSettings, RelativeSettings
from rlpriors.agents.irl.original_recipe import original_recipe
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings

RESULTS = Path(__file__).parents[1] / "results" / "irl_cost.csv"
PAGE = Path(__file__).parents[2] / "docs" / "irl.md"
OBS, ACT = 4, 2
FOLLOW = 16  # environment steps: a plan of ours, as in `irl.py`
OBJECTIVES: dict[str, Any] = {
    "contrastive": "contrastive",
    "chain, last 2 steps": ChainSettings(gradient=2),
    "chain, checkpoint": ChainSettings(gradient="checkpoint"),
    "chain, full": ChainSettings(gradient="full"),
    "relative": RelativeSettings(expert_updates=1),
    "ratio": "ratio",
}


def cases() -> list[Case]:
    """The table's rows.  Who is compared with whom stands together: a machine's load changes."""
    learned = [name for name in OBJECTIVES if name not in ("relative", "ratio")]
    chosen = [Case("relative"), Case("ratio")]
    chosen += [Case(name, steps=steps) for name in learned for steps in (8, 16, 32, 50)]
    for denoiser in ("mlp", "unet"):
        for batch in (64, 16):
            case = Case("contrastive", denoiser, batch)
            chosen += [case] if case not in chosen else []
            # The recipes differ in the size of what is learned alone, which beside a U-Net is little.
            names = list(SEEDS) if denoiser == "mlp" else ["original_recipe umaze"]
            chosen += [Case(name, denoiser, batch, n, n) for name in names for n in (50, 64)]
    chosen += [Case("contrastive", "unet 128", 16), Case("original_recipe umaze", "unet 128", 16, 64, 64)]
    return chosen


def quick_cases() -> list[Case]:
    """Enough to see that all of it runs."""
    ours = ("contrastive", "chain, full", "relative")
    small = [Case(name, batch=4, levels=4, steps=2) for name in ours]
    return [*small, Case("original_recipe umaze", batch=4, levels=4, steps=4)]


def make(case: Case, data: EpisodeStore, objective: Any) -> DiffusionIRL:
    """The algorithm with nothing learned, on a denoiser with nothing learned."""
    horizon, stride = case.window
    torch.manual_seed(0)
    name, sizes = case.denoiser.split()[0], {}
    if case.denoiser == "unet 128":
        sizes = {"channels": (32, 128, 256)}
    frames = TrajectoryLayout.fit(data, horizon, stride)
    policy = DiffuserPolicy(
        denoiser=build_denoiser(name, horizon=horizon, dim=frames.dim, **sizes),
        process=DiffusionProcess(NoiseSchedule(case.levels)),
        frames=frames,
        action_space=gym.spaces.Box(-1, 1, (ACT,)),
        planner=PlannerSettings(n_candidates=16, n_steps=case.steps),
        execute=FOLLOW // stride,
        device="cpu",
    )
    if case.method in SEEDS:
        world: Any = SEEDS[case.method]
        recipe = original_recipe(world, horizon, frames.dim, stride=stride, n_levels=case.levels)
        return recipe.learner(policy)
    return DiffusionIRL(
        policy=policy,
        reward=MLPReward(RewardSettings(OBS, ACT), frames.normalizer),
        optim=AdamOptimizerFactory(lr=5e-3),
        objective=objective,
        base=data,
    )


def updater(algorithm: DiffusionIRL, data: EpisodeStore) -> Callable[[int], None]:
    """Makes one update with a batch of so many demonstrated windows."""
    windows = algorithm.process_buffer(to_buffer(data))

    def update(batch: int) -> None:
        with policy_within_training_step(algorithm.policy):
            algorithm.update(windows, batch)

    return update


def measure(case: Case, seconds: float) -> Cost:
    """All numbers of a row; in a process of its own."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    data = EpisodeStore.from_episodes(episodes())
    algorithm = make(case, data, OBJECTIVES.get(case.method))
    policy, update = algorithm.policy, updater(algorithm, data)
    update(2)  # what libraries load at first use is not what is asked for
    before = reset_peak()
    updates = times(lambda: update(case.batch), seconds)
    mib = peak() - before
    obs = data.obs[:1]
    plans = times(lambda: policy.plan(obs), seconds)
    follow = policy.replan_every or policy.execute * policy.frames.stride
    once = 0.0
    if case.method == "relative":
        whole = updater(make(case, data, "relative"), data)
        once = 1000 * next(timed(lambda: whole(case.batch)))[0]
    plan = 1000 * statistics.median(cpu for cpu, _ in plans)
    return Cost(
        parameters=sum(p.numel() for p in policy.denoiser.parameters()),
        updates=len(updates),
        update_ms=1000 * statistics.median(cpu for cpu, _ in updates),
        update_wall_ms=1000 * statistics.median(wall for _, wall in updates),
        plan_ms=plan,
        plan_wall_ms=1000 * statistics.median(wall for _, wall in plans),
        follow=follow,
        step_ms=plan / follow,
        mib=mib,
        once_ms=once,
    )


def episodes() -> Iterator[Episode]:
    """Twenty random ones of 200 steps."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        obs, act = rng.uniform(-1, 1, (201, OBS)), rng.uniform(-1, 1, (200, ACT))
        yield Episode(obs, act, *np.zeros((3, 200)))


def timed(job: Callable[[], object]) -> Iterator[tuple[float, float]]:
    """Processor and wall seconds of one call after another."""
    while True:
        cpu, wall = time.process_time(), time.perf_counter()
        job()
        yield time.process_time() - cpu, time.perf_counter() - wall


def times(job: Callable[[], object], seconds: float) -> list[tuple[float, float]]:
    """For so many seconds of the processor, 3 to 15 calls (1 of very slow ones); the first is left out."""
    runs = timed(job)
    first, _ = next(runs)
    least = 3 if first < 10 else 1
    return [next(runs) for _ in range(min(15, max(least, int(seconds / first))))]


def reset_peak() -> float:
    """MiB held now; `peak` will speak of what follows.  Linux alone has both."""
    gc.collect()
    # What was freed, but kept for later, would be used again unseen.
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> float:
    """Most MiB held since."""
    return _status("VmHWM")


def _status(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing written")
    args = parser.parse_args()
    table: list[Row] = []
    # A process for each: what one row left behind is no part of the next one's memory.
    with processes(1, max_tasks_per_child=1) as pool:
        for case in quick_cases() if args.quick else cases():
            cost = pool.submit(measure, case, 0.0 if args.quick else 1.5).result()
            print(case, f"{cost.update_ms:.1f} ms, {cost.mib:.1f} MiB", file=sys.stderr, flush=True)
            table.append((case, cost))

    threads = os.environ.get("OMP_NUM_THREADS", "1")
    machine = f"{platform.machine()}, {threads} thread(s), torch {torch.__version__}"
    print(f"{machine}\n\n{costs(table)}\n\n{against(table)}")
    if args.quick:
        return
    replace(PAGE, "costs", for_page(table))
    replace(PAGE, "costs against the original", against(table))
    rows = [{"machine": machine, **asdict(case), **asdict(cost)} for case, cost in table]
    for row in rows:
        row.update({name: f"{x:.2f}" for name, x in row.items() if isinstance(x, float)})
    write_csv(RESULTS, list(rows[0]), (list(row.values()) for row in rows))


if __name__ == "__main__":
    main()
