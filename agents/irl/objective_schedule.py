"""Sequence of objectives in one training: warm starts, then the main objective.

`ObjectiveSchedule`  objectives of a training and the updates at which each one ends
"""

from collections.abc import Sequence
from typing import Any, cast

from torch import nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives import OBJECTIVES, InputPerturbation, Objective, find_objective
from rlpriors.agents.irl.objectives.negatives import own_source
from rlpriors.agents.irl.reference import ReferenceWindows

__all__ = ["ObjectiveSchedule"]


class ObjectiveSchedule(nn.ModuleList):
    """Objectives of a training, in the order in which they are used.

    Args:
        objective: main objective: a key of `objectives.OBJECTIVES`, or settings of one.
        warm_start: pairs of an earlier objective and its number of updates.
        policy: policy whose prior is used.
        perturbation: perturbation of the windows that the reward reads.
        has_prior_data: True if the prior's data is available.
        reference: chosen sources of the negatives; None for the own source of each objective.

    Raises:
        ValueError: `warm_start` does not consist of pairs, or an objective is unknown, needs the prior's
            data or does not support the perturbation.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import TrajectoryLayout
        >>> from rlpriors.data.normalize import Normalizer
        >>> from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
        >>> from rlpriors.networks import build_denoiser
        >>> policy = DiffuserPolicy(
        ...     layout=TrajectoryLayout(8, 1, Normalizer.identity(3), Normalizer.identity(1)),
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=4), process=DiffusionProcess(NoiseSchedule(20)),
        ...     action_space=gym.spaces.Box(-1, 1, (1,)), device="cpu")
        >>> warm_start = [("density_ratio", 100)]
        >>> schedule = ObjectiveSchedule("contrastive", warm_start, policy, InputPerturbation(), True)
        >>> [(type(objective).__name__, step) for objective, step in (schedule.at(99), schedule.at(100))]
        [('DensityRatio', 99), ('Contrastive', 0)]
    """

    def __init__(
        self,
        objective: object,
        warm_start: Sequence[Any],
        policy: DiffuserPolicy,
        perturbation: InputPerturbation,
        has_prior_data: bool,
        reference: ReferenceWindows | None = None,
    ) -> None:
        super().__init__()
        if not all(isinstance(stage, tuple | list) and len(stage) == 2 for stage in warm_start):
            raise ValueError(
                "`warm_start` must be pairs of an objective and a number of updates, as "
                f'[("density_ratio", 200)]. Received {warm_start!r}.'
            )
        self._names = None if reference is None else set(reference.names)
        self._absorbing, self._has_prior_data = policy.layout.absorbing, has_prior_data
        self._ends: list[int] = []
        for stage, n_updates in (*warm_start, (objective, 0)):
            name, kind, settings = find_objective(stage)
            from_data = {"prior_data", "guided_from_data"}
            is_lacking = (
                set(kind.own_sources) <= from_data
                if reference is None
                else not from_data.isdisjoint(reference.names)
            )
            if is_lacking and not has_prior_data:
                raise ValueError(
                    f"The objective {name!r} compares with the data that the prior was trained on. "
                    "Give that data as `prior_data`, or other negatives as `reference`."
                )
            _check_perturbation(name, kind, perturbation)
            if n_updates < 0:
                raise ValueError(
                    f"`warm_start` must give each objective at least 0 updates. Received {n_updates}."
                )
            made = kind(settings, policy).to(policy.device)
            if reference is not None:
                made.check_reference(reference.names)
            self.append(made)
            self._ends.append((self._ends[-1] if self._ends else 0) + n_updates)

    @property
    def objectives(self) -> list[Objective]:
        """All objectives, in order."""
        return [cast(Objective, objective) for objective in self]

    def are_guided(self, has_goals: bool) -> bool:
        """Return True if all negatives are guided samples, which start where demonstrations do.

        `has_goals` is True if observations contain a goal of each episode.
        """
        if self._names is not None:
            return self._names == {"guided"}
        facts = {
            "has_goals": has_goals,
            "absorbing": self._absorbing,
            "has_data": self._has_prior_data,
        }
        return all(own_source(objective.own_sources, **facts) == "guided" for objective in self.objectives)

    def at(self, n_updates: int) -> tuple[Objective, int]:
        """Return the objective of an update, counted from 0, and the number of its earlier updates."""
        start = 0
        for objective, end in zip(self.objectives[:-1], self._ends[:-1], strict=True):
            if n_updates < end:
                return objective, n_updates - start
            start = end
        return self.objectives[-1], n_updates - start


def _check_perturbation(name: str, kind: type[Objective], perturbation: InputPerturbation) -> None:
    if kind.evaluates_reward or perturbation.is_identity:
        return
    suitable = [other for other, (other_kind, _) in OBJECTIVES.items() if other_kind.evaluates_reward]
    raise ValueError(
        f"The objective {name!r} differentiates the reward instead of scoring demonstrations with it, so "
        f"`input_noise` must be 0 and `marginal_actions` False. Received {perturbation}; use the defaults, "
        f"or one of {suitable}."
    )
