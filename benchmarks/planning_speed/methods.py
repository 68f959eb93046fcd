"""Policies of the planning-speed benchmark: a planner with several samplers, and the policies it teaches.

`METHODS`      policies by name: planner, distilled policies, clones of demonstrations
`Budget`       sizes of trainings, and those of each maze in `BUDGETS`
`Teacher`      planner of a seed, with its task and the states from which it plans
`load_teacher` a saved prior with a reward
`make_method`  policy of a method, trained if needed

A method's name ends with the number of environment steps between two decisions.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import CosineSchedule, DiffuserPolicy, load_prior
from rlpriors.agents.diffusion.fast.distillation import DistillationSettings, PlannerDistillation
from rlpriors.agents.diffusion.fast.fast_planner import FastPlannerPolicy
from rlpriors.agents.diffusion.fast.files import load_flow_policy, save_flow_policy
from rlpriors.agents.diffusion.fast.flow_cloning import FlowCloning
from rlpriors.agents.diffusion.fast.flow_policy import FlowPolicy, FlowSettings
from rlpriors.agents.diffusion.fast.plans import record_plans
from rlpriors.data.buffers import to_buffer
from rlpriors.diffusion import PlannerSettings
from rlpriors.envs.maze.point_maze import OBS_KEYS, PointMazeTask, make_task
from rlpriors.rewards import load_reward
from rlpriors.training.offline import train_offline

__all__ = ["BUDGETS", "METHODS", "Budget", "Teacher", "load_teacher", "make_method"]

PLANNERS = {
    "diffuser-50": PlannerSettings(n_candidates=16, n_steps=50),
    "diffuser-8": PlannerSettings(n_candidates=16, n_steps=8),
    "diffuser-2": PlannerSettings(n_candidates=16, n_steps=2),
    "diffuser-warm": PlannerSettings(n_candidates=16, n_steps=8, warm_start=0.25),
}
"""Planners: all 50 noise levels, the demo's 8 steps, 2 steps, and 2 steps from the plan before."""

METHODS = (
    *("diffuser-8/16", "distilled/1", "distilled/16", "proposal/1", "cloned/16", "diffuser-2/16"),
    *("proposal/16", "diffuser-warm/4", "diffuser-2/4", "diffuser-8/4", "diffuser-50/16"),
)
"""Names of methods.  "distilled" is the best of 8 proposals by the learned value, "proposal" the first one,
and "cloned" a one-step flow policy of 20 demonstrations."""


class Budget(NamedTuple):
    """Sizes of trainings."""

    states: int
    """Number of states from which the teacher plans."""
    candidates: int
    """Number of plans from each state."""
    n_best: int
    """Number of the best plans of a state that are imitated."""
    updates: int
    """Number of updates of a distilled policy and of a clone."""
    batch_size: int
    """Number of states or chunks in an update."""
    data_episodes: int = 30
    """Number of episodes of the scripted walker from which states are drawn."""


BUDGETS = {
    "umaze": Budget(states=2000, candidates=8, n_best=2, updates=2500, batch_size=128),
    "large": Budget(states=6000, candidates=16, n_best=1, updates=5000, batch_size=256),
}
"""Budget in each maze; that of the large one was chosen on seed 100."""


class Teacher(NamedTuple):
    """Planner of a seed."""

    task: PointMazeTask
    policy: DiffuserPolicy
    seed: int
    folder: Path
    """Folder of trainings."""
    budget: Budget


def load_teacher(
    env: str, seed: int, prior: Path, reward: Path | None, folder: Path, budget: Budget
) -> Teacher:
    """Return the planner of a saved prior, with a saved reward or the true distance to the goal."""
    task = make_task(layout=env)
    policy = load_prior(prior, device="cpu", seed=seed)
    policy.reward = task.oracle() if reward is None else load_reward(reward, "cpu")
    return Teacher(task, policy, seed, folder, budget)


def make_method(method: str, teacher: Teacher) -> Policy:
    """Return the policy of a method; an interrupted training continues, a finished one is not repeated."""
    name, every = method.split("/")
    steps, planner = int(every), teacher.policy
    if name in PLANNERS:
        planner.planner, planner.replan_every = PLANNERS[name], steps
        return planner
    if name == "cloned":
        clone = _clone(teacher)
        clone.settings = replace(clone.settings, replan_every=steps)
        return clone.eval()
    student = _distill(teacher)
    n = student.settings.n_candidates if name == "distilled" else 1
    student.settings = replace(student.settings, replan_every=steps, n_candidates=n)
    return student.eval()


def _distill(teacher: Teacher) -> FastPlannerPolicy:
    seed, budget = teacher.seed, teacher.budget
    planner, saved = teacher.policy, teacher.folder / "student"
    if saved.exists():
        return cast(FastPlannerPolicy, load_flow_policy(saved, device="cpu", seed=seed))
    planner.planner, planner.replan_every = PLANNERS["diffuser-8"], None
    states = teacher.task.data(budget.data_episodes, 1000 + seed, 0)
    plans = record_plans(
        planner,
        states,
        n_states=budget.states,
        n_candidates=budget.candidates,
        seed=seed,
        progress=False,
    )
    student = FastPlannerPolicy.of(planner, seed=seed)
    settings = DistillationSettings(n_best=budget.n_best)
    training = PlannerDistillation(policy=student, optim=_optim(budget), settings=settings, seed=seed)
    _train(teacher, training, plans, "distillation")
    save_flow_policy(student, saved)
    return student


def _clone(teacher: Teacher) -> FlowPolicy:
    seed, layout = teacher.seed, teacher.policy.layout
    shown = teacher.task.demonstrations(20, 2000 + seed)
    settings = FlowSettings(horizon=teacher.policy.execution_horizon, stride=layout.stride)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = FlowPolicy.fit(
            shown, teacher.policy.action_space, settings=settings, obs_keys=OBS_KEYS, device="cpu", seed=seed
        )
    cloning = FlowCloning(policy=policy, optim=_optim(teacher.budget), seed=seed)
    _train(teacher, cloning, to_buffer(shown), "clone")
    return policy


def _optim(budget: Budget) -> Any:
    return AdamOptimizerFactory(lr=1e-3).with_lr_scheduler_factory(CosineSchedule(budget.updates))


def _train(teacher: Teacher, algorithm: Any, buffer: Any, name: str) -> None:
    run = partial(train_offline, algorithm, buffer, folder=teacher.folder, name=name, tracker="csv")
    updates = teacher.budget.updates
    run(
        n_updates=updates,
        batch_size=teacher.budget.batch_size,
        epoch_updates=min(500, updates),
        resume=True,
    )
