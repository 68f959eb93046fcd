"""Settings of exploration with a reward.

`ExploreSettings`  weights of the reward, and its training
"""

from dataclasses import dataclass

from rlpriors.networks.base import check_at_least
from rlpriors.rewards.validation import check_factors
from rlpriors.settings import check_fields

__all__ = ["ExploreSettings"]


@dataclass(frozen=True)
class ExploreSettings:
    """Weights of an exploration reward, and its training.

    Raises:
        ValueError: a field is out of its bounds.
    """

    reward_weight: float = 1.0
    """Weight of the exploration reward in the targets; 0 leaves the environment's reward alone."""

    action_weight: float | None = None
    """Weight of the exploration reward in the choice of actions, argmax Q(s, a) + weight * bonus(s, a); None
    is 1 for Q-learning with Discrete actions, and 0 for other algorithms, which cannot use it."""

    env_weight: float = 1.0
    """Weight of the environment's reward; 0 for exploration without a reward."""

    n_updates: int = 1
    """Updates of the exploration reward's own weights in one update of the algorithm, at least 1."""

    batch_size: int = 256
    """Steps in an update of the reward's weights by an on-policy algorithm, at least 1; off-policy
    algorithms use their own batches."""

    rebuild_interval: int = 1000
    """Environment steps after which an off-policy algorithm counts all steps of the buffer again with the
    current features, if these are trained; 0 for never."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, n_updates=self.n_updates, batch_size=self.batch_size)
        check_at_least(0, rebuild_interval=self.rebuild_interval)
        for name in ("reward_weight", "action_weight", "env_weight"):
            value = getattr(self, name)
            if value is None:
                continue
            check_factors(**{name: (value,)})
            if value < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {value}.")
