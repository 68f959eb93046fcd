"""Weighted sums of rewards: `reach + 2 * stay`, `-cost`, `reward / 3`.

`SumReward`    a weighted sum of rewards, the result of these expressions
`SumSettings`  settings of `SumReward`
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.components import RewardComponent, build_components, check_compatible
from rlpriors.rewards.validation import check_factors
from rlpriors.settings import check_fields

__all__ = ["SumReward", "SumSettings"]


@dataclass(frozen=True)
class SumSettings:
    """Terms, weights and offset of a `SumReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    terms: tuple[RewardComponent, ...]
    """Class and settings of each term."""

    weights: tuple[float, ...]
    """Factor of each term, in -1e30..1e30."""

    offset: float = 0.0
    """Constant that is added to every step, in -1e30..1e30.  It changes the optimal policy of a task that can
    end early."""

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.weights) != len(self.terms):
            raise ValueError(
                f"`weights` must hold one number for each of the {len(self.terms)} terms. "
                f"Received {len(self.weights)}."
            )
        check_factors(weights=self.weights, offset=(self.offset,))


class SumReward(RewardModel):
    """Weighted sum w_1 r_1 + w_2 r_2 + ... + offset of rewards that read the same transitions.

    A maximum-entropy policy for the sum pursues all terms at once (Haarnoja et al. 2018, arXiv
    1803.06773, on composing such policies).  The scale of each learned reward is arbitrary; see
    `NormalizedReward` before weighting them.

    Terms that are sums themselves are flattened.  Terms are not copied: training a term changes the
    sum.  A term that occurs twice becomes two terms after loading.

    Raises:
        ValueError: there are no terms, they read different transitions, or a weight is missing or too
            large for float32.

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
        check_compatible("terms", terms)
        given: Any = weights  # anything else than a sequence is refused by the settings
        if isinstance(weights, Iterable) and not isinstance(weights, str | bytes):
            given = tuple(weights)
        checked = SumSettings(tuple(map(RewardComponent.of, terms)), given, offset)
        weights, offset = checked.weights, checked.offset
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
        self.settings = SumSettings(tuple(map(RewardComponent.of, flat)), tuple(factors), float(offset))
        self._set_layout(flat)
        self._terms = nn.ModuleList(flat)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "SumReward":
        return cls(build_components(settings["terms"]), settings["weights"], settings["offset"])

    @property
    def terms(self) -> tuple[RewardModel, ...]:
        """Rewards that are added, none of them a sum."""
        return tuple(cast(RewardModel, term) for term in self._terms)

    @property
    def weights(self) -> tuple[float, ...]:
        """Factor of each term."""
        return self.settings.weights

    def forward(
        self,
        obs: Float[Tensor, "batch *obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch *obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the weighted sum for each transition."""
        first, *others = (
            weight * cast(Tensor, term(obs, self._actions_for(term, act), obs_next, terminated))
            for weight, term in zip(self.weights, self.terms, strict=True)
        )
        return sum(others, first) + self.settings.offset
