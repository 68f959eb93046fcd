"""Potential-based reward shaping, which preserves the optimal policies.

`ShapedReward`     r(s, a, s') + gamma phi(s') - phi(s) over any reward model
`ShapingSettings`  settings of `ShapedReward`
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.arguments import check_arguments
from rlpriors.data.normalize import Normalizer
from rlpriors.networks.base import check_widths
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import RewardModel, lists_to_tuples, reward_class
from rlpriors.rewards.mlp import MLPReward
from rlpriors.settings import check_fields

__all__ = ["ShapedReward", "ShapingSettings"]


@dataclass(frozen=True)
class ShapingSettings:
    """Base reward, discount and size of the potential of a `ShapedReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    base_class: str
    """Name of the base reward's class, as in `rewards.REWARDS`."""

    base_settings: dict[str, Any]
    """Settings of the base reward, as plain data."""

    gamma: float = 0.99
    """Discount factor of the task, from 0 to 1; the policy must be trained with the same discount."""

    hidden: tuple[int, ...] = (64, 64)
    """Widths of the potential's hidden layers; () makes the potential linear."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"`gamma` must be in the interval [0, 1]. Received {self.gamma}.")
        check_widths(hidden=self.hidden)


class ShapedReward(RewardModel):
    """Shaped reward r(s, a, s') + gamma (1 - terminated) phi(s') - phi(s) with a learned potential phi.

    For any phi this has the same optimal policies as r under the discount gamma (Ng, Harada and
    Russell 1999, theorem 1).  A terminal state's potential is 0, as the theorem requires in episodic
    tasks.  In joint training phi absorbs the terms that depend on the dynamics; `unshaped` is then a
    reward that transfers, if it reads states only (AIRL, arXiv 1710.11248, section 6).

    The potential reads whole observations through `normalizer` (`obs_dim` entries).  The default is the
    observation normalizer of an `MLPReward` base, and none for other rewards.

    Raises:
        ValueError: `gamma` is outside [0, 1], or the normalizer has another size.

    Example:
        >>> import torch
        >>> from rlpriors.rewards.mlp import RewardSettings
        >>> model = ShapedReward(MLPReward(RewardSettings(obs_dim=2, act_dim=1)), gamma=0.9)
        >>> obs, act, end = torch.zeros(4, 2), torch.zeros(4, 1), torch.ones(4, dtype=torch.bool)
        >>> shaping = model(obs, act, obs, end) - model.unshaped(obs, act, obs, end)
        >>> torch.allclose(shaping, -model.potential(obs))
        True
    """

    settings: ShapingSettings

    @check_arguments
    def __init__(
        self,
        base: RewardModel,
        gamma: float = 0.99,
        hidden: Sequence[int] = (64, 64),
        normalizer: Normalizer | None = None,
    ) -> None:
        super().__init__()
        self.settings = ShapingSettings(type(base).__name__, asdict(base.settings), gamma, tuple(hidden))
        self._set_layout([base])
        if base.image_shape is not None:
            raise ValueError(
                f"`base` must read vectors, because its potential does. Received a {type(base).__name__} of "
                "images; encode them by an encoder first."
            )
        if normalizer is None and isinstance(base, MLPReward):
            normalizer = base.obs_normalizer
        elif normalizer is None:
            normalizer = Normalizer.identity(self.obs_dim)
        if normalizer.dim != self.obs_dim:
            raise ValueError(
                f"`normalizer` must cover an observation of {self.obs_dim} entries. Received one of "
                f"{normalizer.dim}."
            )
        self.base = base
        # A copy: `save` refuses one tensor under two names.
        self.obs_normalizer = Normalizer(normalizer.loc, normalizer.scale)
        self.net = build_mlp(self.obs_dim, hidden, 1).to(base.device)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "ShapedReward":
        shaping = ShapingSettings(**lists_to_tuples(settings))
        base = reward_class(shaping.base_class).from_settings(shaping.base_settings)
        return cls(base, shaping.gamma, shaping.hidden)

    @property
    def gamma(self) -> float:
        """Discount factor of the task."""
        return self.settings.gamma

    @property
    def unshaped(self) -> RewardModel:
        """Reward without the shaping, the term that transfers to other dynamics."""
        return self.base

    def potential(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch"]:
        """Return the potential phi(s) of each observation."""
        values: Tensor = self.net(self.obs_normalizer(obs))
        return values.squeeze(-1)

    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the shaped reward of each transition."""
        reward: Tensor = self.base(obs, act, obs_next, terminated)
        next_potential = self.potential(obs_next).masked_fill(terminated, 0.0)
        return reward + self.gamma * next_potential - self.potential(obs)
