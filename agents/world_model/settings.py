"""Settings and predictions of a learned world.

`WorldModelSettings`  sizes of a `WorldModel`
`WorldHead`           names of the distributions of its predictions
`Prediction`          predicted next observations of all members
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from jaxtyping import Float
from torch import Tensor

from rlpriors.networks.base import check_at_least
from rlpriors.settings import check_fields

__all__ = ["Prediction", "WorldHead", "WorldModelSettings"]

WorldHead = Literal["mse", "gaussian"]


class Prediction(NamedTuple):
    """Predicted next observations of all members, in raw units."""

    mean: Float[Tensor, "members batch obs"]
    """Mean of the next observation."""
    std: Float[Tensor, "members batch obs"]
    """Standard deviation of the next observation; 0 for the head "mse"."""
    disagreement: Float[Tensor, " batch"]
    """Standard deviation of the means over the members, in standard deviations of the data's changes, as the
    root mean square over the entries."""


@dataclass(frozen=True)
class WorldModelSettings:
    """Sizes of a `WorldModel`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    obs_dim: int
    """Number of entries of an observation, at least 1."""
    act_dim: int
    """Number of entries of an action, at least 1."""
    hidden: Sequence[int] = (128, 128)
    """Width of each hidden layer."""
    n_members: int = 5
    """Number of members of the ensemble, at least 1."""
    head: WorldHead = "mse"
    """Distribution of the predicted change: "mse" predicts its mean, "gaussian" mean and deviation of each
    entry."""
    terminates: bool = False
    """True if the model predicts the ends of episodes, with a classifier of its own."""
    n_actions: int | None = None
    """Size of a Discrete space of actions; None for continuous actions."""
    action_start: int = 0
    """Lowest action of the Discrete space, its `start`."""
    range_margin: float = 0.5
    """Distance by which predictions may leave the range of the data, as a fraction of this range, at least 0;
    it bounds rollouts that diverge."""

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "hidden", tuple(self.hidden))  # a list when read from JSON
        check_at_least(1, obs_dim=self.obs_dim, act_dim=self.act_dim, n_members=self.n_members)
        check_at_least(1, **{f"hidden[{i}]": size for i, size in enumerate(self.hidden)})
        if self.head not in get_args(WorldHead):
            raise ValueError(f"`head` must be one of {get_args(WorldHead)}. Received {self.head!r}.")
        if self.range_margin < 0:
            raise ValueError(f"`range_margin` must be at least 0. Received {self.range_margin}.")
        if self.n_actions is not None:
            check_at_least(1, n_actions=self.n_actions)
            if self.act_dim != 1:
                raise ValueError(f"`act_dim` must be 1 with `n_actions`. Received {self.act_dim}.")
