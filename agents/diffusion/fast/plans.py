"""Plans of a teacher, recorded from many states.

`PlanBuffer`    replay buffer of states, candidate chunks and their values
`record_plans`  plans of a `DiffuserPolicy` from states of a data set
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tianshou.data import Batch, ReplayBuffer
from tqdm import tqdm

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.validation import check_type
from rlpriors.data.episodes import EpisodeStore
from rlpriors.networks.base import check_at_least

__all__ = ["PlanBuffer", "record_plans"]


class PlanBuffer(ReplayBuffer):
    """Replay buffer of states, candidate chunks of a teacher and their values.

    It samples states with replacement, each with all its candidates.  A sample depends on `seed` and `draws`
    only, so that a resumed run draws the same batches.

    Args:
        obs: raw observation of each state.
        act: raw actions of each candidate.
        value: value that the teacher gave to the plan which begins with the candidate.
        seed: random seed of samples.

    Raises:
        ValueError: shapes do not fit, there is no state, or a number is not finite.

    Example:
        >>> plans = PlanBuffer(np.zeros((2, 3)), np.zeros((2, 4, 8, 1)), np.zeros((2, 4)))
        >>> len(plans), plans.sample(5)[0].act.shape
        (2, (5, 4, 8, 1))
    """

    def __init__(
        self,
        obs: Float[np.ndarray, "states obs"],
        act: Float[np.ndarray, "states candidates horizon act"],
        value: Float[np.ndarray, "states candidates"],
        seed: int = 0,
    ) -> None:
        super().__init__(size=1)
        self.states, self.chunks, self.values = (np.asarray(x, np.float32) for x in (obs, act, value))
        if not (
            (self.states.ndim, self.chunks.ndim) == (2, 4)
            and len(obs) >= 1
            and len(self.states) == len(self.chunks)
            and self.values.shape == self.chunks.shape[:2]
        ):
            raise ValueError(
                "`obs`, `act` and `value` must have shapes [states, obs], [states, candidates, horizon, act] "
                f"and [states, candidates]. Received {np.shape(obs)}, {np.shape(act)} and {np.shape(value)}."
            )
        for name, array in (("obs", self.states), ("act", self.chunks), ("value", self.values)):
            if not np.isfinite(array).all():
                raise ValueError(f"`{name}` must be finite. Received NaN or infinity; check the teacher.")
        self.seed, self.draws = seed, 0

    def __len__(self) -> int:
        return len(self.states)

    def started(self, seed: int, draws: int) -> "PlanBuffer":
        """Return a buffer of the same plans whose samples continue after `draws` samples."""
        plans = PlanBuffer(self.states, self.chunks, self.values, seed)
        plans.draws = draws
        return plans

    @classmethod
    def concat(cls, parts: Sequence["PlanBuffer"]) -> "PlanBuffer":
        """Return all plans of several buffers of one teacher, with the seed of the first.

        Raises:
            ValueError: there are none, or chunks have different shapes.
        """
        shapes = {(part.states.shape[1:], part.chunks.shape[1:]) for part in parts}
        if len(shapes) != 1:
            raise ValueError(
                "`parts` must be at least one buffer, with observations and chunks of one shape. Received "
                f"{sorted(shapes)}."
            )
        states, chunks, values = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("states", "chunks", "values")
        )
        return cls(states, chunks, values, seed=parts[0].seed)

    # Any, because Tianshou's batch protocol requires single transitions.
    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Sample states with replacement; return all of them, in order, for `None` or 0."""
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        rows = rng.integers(len(self), size=batch_size) if batch_size else np.arange(len(self))
        return Batch(obs=self.states[rows], act=self.chunks[rows], value=self.values[rows]), rows

    def fingerprint(self) -> str:
        """Return 32 hexadecimal digits for all that a sample can contain."""
        digest = sha256()
        for array in (self.states, self.chunks, self.values):
            digest.update(f"{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:32]


@torch.no_grad()
def record_plans(
    teacher: DiffuserPolicy,
    data: EpisodeStore,
    *,
    n_states: int = 4000,
    n_candidates: int | None = None,
    batch_size: int = 64,
    seed: int = 0,
    progress: bool = True,
) -> PlanBuffer:
    """Let a planner plan from states of a data set, and return all candidates with their values.

    Each plan is guided by the teacher's reward, as when the teacher acts.  The value is that of the whole
    plan (`TrajectoryLayout.value`, with the terminal value).  The teacher's noise continues from `seed`
    afterwards.

    Args:
        teacher: planner with a reward.
        data: episodes whose states are the first ones of plans: the prior's data, or episodes of the student.
        n_states: number of states, drawn without replacement; all of the data if there are fewer.
        n_candidates: number of plans from each state; by default the number that the teacher compares to act.
        batch_size: number of states in one batch of the teacher.
        seed: random seed of the states and of the teacher's noise.
        progress: progress bar on the terminal.

    Raises:
        ValueError: the teacher has no reward or ranks by likelihood, the data do not fit it, or an argument
            is out of its bounds.
    """
    check_type("teacher", teacher, DiffuserPolicy, "train one by `TrajectoryDiffusion`")
    n_candidates = teacher.planner.n_candidates if n_candidates is None else n_candidates
    check_at_least(1, n_states=n_states, n_candidates=n_candidates, batch_size=batch_size)
    if teacher.reward is None:
        raise ValueError("`teacher` must have a reward, which ranks its plans. Received None; set `.reward`.")
    if teacher.planner.likelihood_weight > 0:
        raise ValueError(
            "`teacher.planner.likelihood_weight` must be 0, because values rank the plans. Received "
            f"{teacher.planner.likelihood_weight}."
        )
    teacher.check_data(data)
    rows = data.obs.reshape(len(data.obs), -1)
    rng = np.random.default_rng(seed)
    states = rows[rng.permutation(len(rows))[:n_states]].astype(np.float32)
    value = teacher.layout.value(teacher.reward, teacher.terminal_value)
    before, chunks, values = teacher.planner, [], []
    teacher.reseed(seed)
    teacher.planner = replace(before, n_candidates=1)
    try:
        for first in tqdm(range(0, len(states), batch_size), desc="plans", disable=not progress, leave=False):
            windows = teacher.plan(states[first : first + batch_size].repeat(n_candidates, 0))
            chunks.append(teacher.actions(windows).cpu().numpy())
            values.append(value(windows).cpu().numpy())
    finally:
        teacher.planner = before
    act, scores = np.concatenate(chunks), np.concatenate(values)
    space: Any = teacher.action_space
    shape = (len(states), n_candidates)
    return PlanBuffer(
        states, act.clip(space.low, space.high).reshape(*shape, *act.shape[1:]), scores.reshape(shape)
    )
