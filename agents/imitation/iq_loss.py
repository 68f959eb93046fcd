"""Loss of inverse soft Q-learning, with its settings and statistics.

`iq_loss`          loss of a Q function, without networks
`IQLearnSettings`  settings of the loss
`IQLearnStats`     statistics of an update
"""

from dataclasses import dataclass

from jaxtyping import Float
from tianshou.algorithm.algorithm_base import TrainingStats
from torch import Tensor

from rlpriors.settings import check_fields

__all__ = ["IQLearnSettings", "IQLearnStats", "iq_loss"]


@dataclass(frozen=True)
class IQLearnSettings:
    """Settings of inverse soft Q-learning.

    Raises:
        ValueError: a field is out of its bounds.
    """

    regularization: float = 0.5
    """Bound on the reward, above 0: the reward that maximizes the chi^2 objective on demonstrations alone
    is twice this number."""

    temperature: float = 0.1
    """Entropy weight of a DQN's soft values, above 0; SAC has its own, alpha."""

    target_values: bool = False
    """Values of next states from the target networks, without a gradient.  False is the paper's objective;
    True is often more stable online."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("regularization", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0. Received {getattr(self, name)}.")


@dataclass
class IQLearnStats(TrainingStats):
    """Training statistics of inverse soft Q-learning."""

    loss: float = 0.0
    """Loss of the critics."""
    actor_loss: float = 0.0
    """Loss of SAC's actor."""
    temperature: float = 0.0
    """Entropy weight."""
    demonstration_reward: float = 0.0
    """Mean recovered reward of the demonstrated steps."""
    agent_reward: float = 0.0
    """Mean recovered reward of the agent's steps; 0 offline."""


def iq_loss(
    q: Float[Tensor, " batch"],
    value: Float[Tensor, " batch"],
    next_value: Float[Tensor, " batch"],
    n_agent: int,
    regularization: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, " batch"]]:
    """Compute the chi^2 loss of IQ-Learn (arXiv 2106.12142, eq. 9 and 10) and the reward r = Q - gamma V'.

    The loss is mean_E [-r] + mean [V - gamma V'] + mean [r^2] / (4 regularization).  mean_E is over the
    demonstrated rows, which follow the agent's first `n_agent` rows.  The other means are over all rows: of
    both policies in equal shares online, of the demonstrations offline.

    Args:
        q: Q(s, a).
        value: V(s).
        next_value: gamma V(s'), 0 after a termination.
        n_agent: number of the agent's rows; 0 offline.
        regularization: coefficient of the chi^2 regularizer.

    Example:
        >>> import torch
        >>> q, v, v_next = torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])
        >>> iq_loss(q, v, v_next, n_agent=1, regularization=0.5)[0]  # -2 + (1 + 1) / 2 + (1 + 4) / 2 / 2
        tensor(0.2500)
    """
    reward = q - next_value
    loss = -reward[n_agent:].mean() + (value - next_value).mean()
    return loss + reward.square().mean() / (4 * regularization), reward
