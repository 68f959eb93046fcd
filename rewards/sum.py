"""Rewards added up: `reach + 2 * stay`, `-cost`, `reward / 3`.

`SumReward`    a weighted sum of rewards, what these expressions give
`SumSettings`  what it is rebuilt from
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.components import RewardPart, build_parts, check_alike

__all__ = ["SumReward", "SumSettings"]


@dataclass(frozen=True)
class SumSettings:
    """What a `SumReward` is rebuilt from.

    Raises:
        ValueError: a field is out of its bounds.
    """

    parts: tuple[RewardPart, ...]
    """Class and settings of each term."""

    weights: tuple[float, ...]
    """What each term is multiplied by; finite, as many as terms."""

    offset: float = 0.0
    """Number that is added to every step.  It changes the best policy of a task that can end early."""

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.parts):
            raise ValueError(
                f"`weights` must hold one number for each of the {len(self.parts)} terms. "
                f"Received {len(self.weights)}."
            )
        for name, values in (("weights", self.weights), ("offset", (self.offset,))):
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"`{name}` must be finite. Received {getattr(self, name)}.")


class SumReward(RewardModel):
    """w_1 r_1 + w_2 r_2 + ... + offset, over rewards that read the same transitions.

    A maximum-entropy agent for the sum does what all of them want (Haarnoja et al. 2018, arXiv
    1803.06773, on composing such agents).  Learned rewards have each a scale of their own; see
    `NormalizedReward` before weighing them.

    Terms that are sums themselves are taken apart.  Terms are not copied: what trains a term
    trains the sum.  Loaded again, a term that stood twice becomes two.

    Raises:
        ValueError: no terms, or they read different transitions, or a weight is missing or not
            finite.

    Example:
        >>> import torch
        >>> from rlpriors.rewards.mlp import MLPReward, RewardSettings
        >>> reach, stay = (MLPReward(RewardSettings(obs_dim=2, act_dim=1)) for _ in range(2))
        >>> both = (reach + 2 * stay) / 4
        >>> len(both.terms), both.weights
        (2, (0.25, 0.5))
        >>> obs, act, end = torch.zeros(4, 2), torch.zeros(4, 1), torch.zeros(4, dtype=torch.bool)
        >>> by_hand = reach(obs, act, obs, end) / 4 + stay(obs, act, obs, end) / 2
        >>> torch.allclose(both(obs, act, obs, end), by_hand)
        True
    """

    settings: SumSettings

    def __init__(self, terms: Sequence[RewardModel], weights: Sequence[float], offset: float = 0.0) -> None:
        super().__init__()
        check_alike("terms", terms)
        SumSettings(tuple(map(RewardPart.of, terms)), tuple(map(float, weights)), float(offset))
        flat: list[RewardModel] = []
        factors: list[float] = []
        for term, weight in zip(terms, weights, strict=True):
            if isinstance(term, SumReward):
                flat += term.terms
                factors += [float(weight) * inner for inner in term.weights]
                offset += float(weight) * term.settings.offset
            else:
                flat.append(term)
                factors.append(float(weight))
        self.settings = SumSettings(tuple(map(RewardPart.of, flat)), tuple(factors), float(offset))
        self.obs_dim, self.act_dim, self.obs_keys = flat[0].obs_dim, flat[0].act_dim, flat[0].obs_keys
        self.n_actions = next((term.n_actions for term in flat if term.n_actions is not None), None)
        self._terms = nn.ModuleList(flat)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "SumReward":
        return cls(build_parts(settings["parts"]), settings["weights"], settings["offset"])

    @property
    def terms(self) -> tuple[RewardModel, ...]:
        """The rewards that are added, none of them a sum."""
        return tuple(cast(RewardModel, term) for term in self._terms)

    @property
    def weights(self) -> tuple[float, ...]:
        """What each term is multiplied by."""
        return self.settings.weights

    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Judge each transition."""
        first, *others = (
            weight * cast(Tensor, term(obs, act, obs_next, terminated))
            for weight, term in zip(self.weights, self._terms, strict=True)
        )
        return sum(others, first) + self.settings.offset
