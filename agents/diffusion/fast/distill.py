"""A planner's small policy, in one call.

`distill_planner`  plans of a `DiffuserPolicy` from many states, and a small policy trained on them
"""

from collections.abc import Callable

from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.fast.distillation import DistillationSettings, PlannerDistillation
from rlpriors.agents.diffusion.fast.fast_planner import FastPlannerPolicy
from rlpriors.agents.diffusion.fast.plans import PlanBuffer, record_plans
from rlpriors.agents.lr_schedules import CosineSchedule
from rlpriors.data.episodes import EpisodeStore
from rlpriors.networks.base import check_at_least

__all__ = ["distill_planner"]


def distill_planner(
    teacher: DiffuserPolicy,
    data: EpisodeStore,
    *,
    student: FastPlannerPolicy | None = None,
    n_states: int = 4000,
    n_candidates: int | None = None,
    updates: int = 6000,
    batch_size: int = 256,
    lr: float = 1e-3,
    settings: DistillationSettings | None = None,
    visit: Callable[[FastPlannerPolicy], EpisodeStore] | None = None,
    rounds: int = 1,
    seed: int = 0,
    progress: bool = True,
) -> FastPlannerPolicy:
    """Train a small policy that decides as a planner does, in one pass of a small network.

    The teacher plans from states of the data.  With `visit`, it also plans from states that the student
    reaches: after each round but the last, `visit(student)` returns episodes of the student, `n_states` of
    their states get plans, and the training starts again on all plans (DAgger: Ross et al. 2011,
    arXiv 1011.0686).

    Args:
        teacher: planner with a reward and continuous actions.
        data: episodes whose states are the first ones of plans, such as the data of the prior.
        student: policy to train; by default `FastPlannerPolicy.of(teacher)`.
        n_states: number of states of a round.
        n_candidates: number of plans from each state; by default the number that the teacher compares to act.
        updates: number of gradient updates of a round.
        batch_size: number of states in an update.
        lr: learning rate of Adam, annealed along a cosine.
        settings: settings of `PlannerDistillation`.
        visit: function that returns episodes of the student.
        rounds: number of rounds, at least 1; more than 1 needs `visit`.
        seed: random seed of states, plans, weights and batches.
        progress: progress bars on the terminal.

    Raises:
        ValueError: the teacher has no reward or plans Discrete actions, or an argument is out of its bounds.
    """
    check_at_least(1, updates=updates, batch_size=batch_size, rounds=rounds)
    if rounds > 1 and visit is None:
        raise ValueError(
            f"`rounds` must be 1 without `visit`, which returns episodes of the student. Received {rounds}."
        )
    student = FastPlannerPolicy.of(teacher, seed=seed) if student is None else student
    parts: list[PlanBuffer] = []
    for number in range(rounds):
        states = data if number == 0 or visit is None else visit(student)
        parts.append(
            record_plans(
                teacher,
                states,
                n_states=n_states,
                n_candidates=n_candidates,
                seed=seed + number,
                progress=progress,
            )
        )
        optim = AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(CosineSchedule(updates))
        training = PlannerDistillation(policy=student, optim=optim, settings=settings, seed=seed + number)
        training.run_training(
            OfflineTrainerParams(
                buffer=PlanBuffer.concat(parts),
                batch_size=batch_size,
                max_epochs=1,
                epoch_num_steps=updates,
                show_progress=progress,
                verbose=False,
            )
        )
    return student.eval()
