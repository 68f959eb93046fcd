"""What `DiffusionIRL` is told, and what it tells of an update.

`DiffusionIRLSettings`  what holds for the reward, whatever it is learned by
`DiffusionIRLStats`     the numbers of one update
"""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from tianshou.algorithm.algorithm_base import TrainingStats

__all__ = ["DiffusionIRLSettings", "DiffusionIRLStats"]


@dataclass(frozen=True)
class DiffusionIRLSettings:
    """What holds for the reward, whatever it is learned by."""

    gradient_penalty: float = 0.002
    """Weight of |dJ/dx|^2 on windows between demonstrations and samples: what keeps the reward
    smooth enough to guide by.  0 may let it grow without bound; too much makes it too flat."""

    quickness_power: float = 1.0
    """That penalty counts each entry of a frame this power of its quickness (`losses.quickness`): 1
    counts entries more that change fast, 0 all alike.  Velocities and actions tell demonstrations
    from samples as well as places do; without this they take the credit, and the reward is worth
    little outside of the prior."""

    magnitude_penalty: float = 1e-4
    """Weight of r^2 on windows drawn evenly over the normalized range."""

    slowness_penalty: float = 0.0
    """Weight of (r_{t+1} - r_t)^2 along windows of the prior's data (`base`; without it of the
    samples): another way to the same end, for rewards whose gradient says little."""

    input_noise: float = 0.0
    """Standard deviation of normal noise on all that the reward reads while it learns, of demonstrations
    and of what they are held against, in normalized units (entries of the data lie in [-1, 1]).  It
    hides small differences.  The penalties, and whoever uses the reward, see windows as they are."""

    marginal_actions: bool = False
    """Whether the actions that it reads while it learns are mixed among all frames of that batch, so
    that demonstrations cannot be told by them; of use for rewards that read actions."""

    ema_decay: float = 0.95
    """Of the averaged reward, which guides the samples and is the one that is published."""

    def __post_init__(self) -> None:
        for name in ("gradient_penalty", "quickness_power", "magnitude_penalty", "slowness_penalty"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        if not 0 <= self.input_noise < inf:
            raise ValueError(f"`input_noise` must be at least 0 and finite. Received {self.input_noise}.")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"`ema_decay` must be in [0, 1). Received {self.ema_decay}.")


@dataclass(kw_only=True)
class DiffusionIRLStats(TrainingStats):
    """What one update did; rewards are means a frame."""

    loss: float
    demonstration_reward: float
    sample_reward: float
    reward_gap: float
    """Demonstrations' minus samples' reward: near 0 when guided samples are as good."""
    gradient_penalty: float
    """Before its weight; 0 where that is 0, as it is not computed then."""
    objective: dict[str, float] = field(default_factory=dict)
    """What the objective has to say of itself."""

    def get_loss_stats_dict(self) -> dict[str, float]:
        """What is logged and averaged: every number by its name, those of the objective too."""
        numbers: dict[str, Any] = super().get_loss_stats_dict()
        said = numbers.pop("objective")
        return numbers | {f"objective/{name}": number for name, number in said.items()}
