"""Cost of an update of the reward, and of a plan.

    OMP_NUM_THREADS=1 python -m benchmarks.irl.cost            # about nine minutes
    OMP_NUM_THREADS=1 python -m benchmarks.irl.cost --quick    # a test of all parts; writes nothing
    python -m benchmarks.irl.cost --report                     # tables from the csv

The cases are every objective, and the original recipe (`original_recipe`), on windows of PointMaze's shape:
32 time steps of 6 numbers, one for 4 environment steps.  There are three denoisers: "mlp" and "unet" with
their default sizes, and "unet 128", our U-Net with the original's channels (2.2 million parameters; the
original has 3.7) on windows of the original's length, 128 single steps.  Weights and data are random, because
the cost does not depend on them.  The quality of the rewards is measured by `benchmarks.irl.run`.

Each case has a process of its own.  `update_ms` and `plan_ms` are medians of processor time over all threads,
which other programs on the machine distort little; `*_wall_ms` are wall times.  `memory_mib` is the peak
memory of updates above the memory after one update with a batch of 2, by the kernel's high-water mark.  A
plan is made for one environment and executed for `steps_per_plan` of its steps; `step_ms` is the planning
time per step.  `denoising_steps` are those of the planner; "relative" and "density ratio" make none in their
updates.  `setup_ms` is the time before the first update: for "relative", the 400 updates of its model of the
demonstrations.

The original recipe uses batches of 16; it is compared at equal batch sizes and at its own.  The tables go to
`results/irl_cost.csv` and `docs/results/irl.md`.
"""

import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import policy_within_training_step
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.irl.cost_tables import (
    ORIGINAL_RECIPES,
    Case,
    Cost,
    Row,
    all_costs,
    page_costs,
    ratios,
    read_rows,
    write_rows,
)
from benchmarks.resource_usage import measure_call, measure_times, peak_memory, reset_peak_memory
from benchmarks.tables import make_parser, replace_section
from rlpriors.agents import DiffuserPolicy, DiffusionIRL, TrajectoryLayout
from rlpriors.agents.irl.objectives import RelativeSettings, SamplerBackpropSettings
from rlpriors.agents.irl.original_recipe import original_recipe
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "irl_cost.csv"
PAGE = ROOT / "docs" / "results" / "irl.md"
OBS_DIM, ACT_DIM = 4, 2
STEPS_PER_PLAN = 16  # environment steps, as in `benchmarks.irl.run`
OBJECTIVES: dict[str, Any] = {
    "contrastive": "contrastive",
    "sampler backprop, last 2 steps": SamplerBackpropSettings(gradient=2),
    "sampler backprop, checkpoint": SamplerBackpropSettings(gradient="checkpoint"),
    "sampler backprop, full": SamplerBackpropSettings(gradient="full"),
    "relative": RelativeSettings(expert_updates=1),
    "density ratio": "density_ratio",
}


def cases() -> list[Case]:
    """Return all cases.  Those that are compared follow each other, because the load of a machine changes."""
    sampling = [name for name in OBJECTIVES if name not in ("relative", "density ratio")]
    chosen = [Case("relative"), Case("density ratio")]
    chosen += [Case(name, denoising_steps=steps) for name in sampling for steps in (8, 16, 32, 50)]
    for denoiser in ("mlp", "unet"):
        for batch_size in (64, 16):
            case = Case("contrastive", denoiser, batch_size)
            chosen += [case] if case not in chosen else []
            # The recipes differ only in the size of the reward network, which is small next to a U-Net.
            names = list(ORIGINAL_RECIPES) if denoiser == "mlp" else ["original recipe umaze"]
            chosen += [Case(name, denoiser, batch_size, n, n) for name in names for n in (50, 64)]
    chosen += [Case("contrastive", "unet 128", 16), Case("original recipe umaze", "unet 128", 16, 64, 64)]
    return chosen


def quick_cases() -> list[Case]:
    """Return small cases that run all parts."""
    names = ("contrastive", "sampler backprop, full", "relative")
    small = [Case(name, batch_size=4, noise_levels=4, denoising_steps=2) for name in names]
    return [*small, Case("original recipe umaze", batch_size=4, noise_levels=4, denoising_steps=4)]


def make_irl_algorithm(case: Case, data: EpisodeStore, objective: Any) -> DiffusionIRL:
    """Return the algorithm with an untrained reward and an untrained denoiser."""
    horizon, stride = case.window
    torch.manual_seed(0)
    name, sizes = case.denoiser.split()[0], {}
    if case.denoiser == "unet 128":
        sizes = {"channels": (32, 128, 256)}
    layout = TrajectoryLayout.fit(data, horizon, stride)
    policy = DiffuserPolicy(
        denoiser=build_denoiser(name, horizon=horizon, dim=layout.dim, **sizes),
        process=DiffusionProcess(NoiseSchedule(case.noise_levels)),
        layout=layout,
        action_space=gym.spaces.Box(-1, 1, (ACT_DIM,)),
        planner=PlannerSettings(n_candidates=16, n_steps=case.denoising_steps),
        execution_horizon=STEPS_PER_PLAN // stride,
        device="cpu",
    )
    if case.method in ORIGINAL_RECIPES:
        task: Any = ORIGINAL_RECIPES[case.method]
        recipe = original_recipe(task, horizon, layout.dim, stride=stride, n_levels=case.noise_levels)
        return recipe.create_algorithm(policy)
    return DiffusionIRL(
        policy=policy,
        reward=MLPReward(RewardSettings(OBS_DIM, ACT_DIM), layout.normalizer),
        optim=AdamOptimizerFactory(lr=5e-3),
        objective=objective,
        prior_data=data,
    )


def make_update(algorithm: DiffusionIRL, data: EpisodeStore) -> Callable[[int], None]:
    """Return a function that makes one update with a batch of the given size."""
    windows = algorithm.process_buffer(to_buffer(data))

    def update(batch_size: int) -> None:
        with policy_within_training_step(algorithm.policy):
            algorithm.update(windows, batch_size)

    return update


def measure(case: Case, seconds: float) -> Cost:
    """Return the costs of a case; call this in a process of its own."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    data = EpisodeStore.from_episodes(random_episodes())
    algorithm = make_irl_algorithm(case, data, OBJECTIVES.get(case.method))
    policy, update = algorithm.policy, make_update(algorithm, data)
    update(2)  # memory that libraries allocate at their first use does not count
    before = reset_peak_memory()
    updates = measure_times(lambda: update(case.batch_size), seconds)
    memory_mib = peak_memory() - before
    obs = data.obs[:1]
    plans = measure_times(lambda: policy.plan(obs), seconds)
    steps_per_plan = policy.replan_every or policy.execution_horizon * policy.layout.stride
    setup_ms = 0.0
    if case.method == "relative":
        first_update = make_update(make_irl_algorithm(case, data, "relative"), data)
        setup_ms = 1000 * measure_call(lambda: first_update(case.batch_size))[0]
    plan_ms = 1000 * statistics.median(cpu for cpu, _ in plans)
    return Cost(
        parameters=sum(p.numel() for p in policy.denoiser.parameters()),
        n_updates=len(updates),
        update_ms=1000 * statistics.median(cpu for cpu, _ in updates),
        update_wall_ms=1000 * statistics.median(wall for _, wall in updates),
        plan_ms=plan_ms,
        plan_wall_ms=1000 * statistics.median(wall for _, wall in plans),
        steps_per_plan=steps_per_plan,
        step_ms=plan_ms / steps_per_plan,
        memory_mib=memory_mib,
        setup_ms=setup_ms,
    )


def random_episodes() -> Iterator[Episode]:
    """Yield twenty random episodes of 200 steps."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        obs, act = rng.uniform(-1, 1, (201, OBS_DIM)), rng.uniform(-1, 1, (200, ACT_DIM))
        yield Episode(obs, act, *np.zeros((3, 200)))


def report(rows: list[Row], page: Path) -> None:
    """Print the tables and write them to the page."""
    for name, text in {"costs": page_costs(rows), "costs of the original recipe": ratios(rows)}.items():
        print(f"\n## {name}\n\n{text}")
        replace_section(page, name, text)


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="a test with small sizes; writes nothing")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args()
    if args.report:
        report(read_rows(RESULTS), PAGE)
        return
    rows: list[Row] = []
    # A process for each case: memory that a case leaves behind must not count for the next one.
    with WorkerPool(1, max_tasks_per_child=1) as pool:
        for case in quick_cases() if args.quick else cases():
            cost = pool.submit(measure, case, 0.0 if args.quick else 1.5).result()
            print(case, f"{cost.update_ms:.1f} ms, {cost.memory_mib:.1f} MiB", file=sys.stderr, flush=True)
            rows.append((case, cost))

    threads = os.environ.get("OMP_NUM_THREADS", "1")
    machine = f"{platform.machine()}, {threads} thread(s), torch {torch.__version__}"
    print(f"{machine}\n\n{all_costs(rows)}\n\n{ratios(rows)}")
    if not args.quick:
        write_rows(RESULTS, rows, machine)
        report(read_rows(RESULTS), PAGE)


if __name__ == "__main__":
    main()
