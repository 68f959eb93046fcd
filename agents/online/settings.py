"""Settings of Tianshou's online algorithms.

`AlgorithmSettings`  settings of SAC, TD3, PPO and DQN
`AlgorithmName`      names of these algorithms
"""

from dataclasses import dataclass
from typing import Literal, get_args

from rlpriors.settings import check_fields

__all__ = ["AlgorithmName", "AlgorithmSettings"]

AlgorithmName = Literal["sac", "td3", "ppo", "dqn"]


@dataclass(frozen=True)
class AlgorithmSettings:
    """Settings of Tianshou's SAC, TD3, PPO and DQN.  An algorithm ignores the fields of the others.

    Raises:
        ValueError: a field is out of its bounds.
    """

    algorithm: AlgorithmName = "sac"
    """Algorithm: "sac" or "td3" for Box actions, "dqn" for Discrete actions, "ppo" for both."""

    hidden: tuple[int, ...] = (64, 64)
    """Width of each hidden layer, of actor and critics."""

    lr: float = 1e-3
    """Learning rate of Adam for all networks."""

    gamma: float = 0.99
    """Discount factor of the return."""

    tau: float = 0.005
    """Step size of the target networks in an update, in (0, 1] (sac, td3)."""

    n_step: int = 1
    """Number of rewards in an n-step target, at least 1 (sac, td3, dqn)."""

    alpha: float | Literal["auto"] = "auto"
    """Entropy weight (sac); "auto" adapts it to an entropy of minus the number of action entries."""

    exploration: float = 0.1
    """Exploration in training: standard deviation of the action noise, where 1 is half of the action range
    (td3), or fraction of random actions (dqn)."""

    target_update_interval: int = 200
    """Number of updates between copies of the network to the target network (dqn)."""

    gae_lambda: float = 0.95
    """Lambda of generalized advantage estimation, in [0, 1] (ppo)."""

    clip: float = 0.2
    """Bound on the relative change of an action's probability in an update, in (0, 1] (ppo)."""

    entropy: float = 0.0
    """Entropy weight (ppo)."""

    normalize_observations: bool = False
    """Normalize observations before the first layer of all networks, by a fixed map that is saved with the
    weights (`make_algorithm(obs_normalizer=...)`)."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.algorithm not in get_args(AlgorithmName):
            raise ValueError(
                f"`algorithm` must be one of {get_args(AlgorithmName)}. Received {self.algorithm!r}."
            )
        for name in ("n_step", "target_update_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not all(width >= 1 for width in self.hidden):
            raise ValueError(f"`hidden` must contain widths of at least 1. Received {self.hidden}.")
        if not self.lr > 0:
            raise ValueError(f"`lr` must be greater than 0. Received {self.lr}.")
        if not 0 <= self.gamma < 1:
            raise ValueError(
                f"`gamma` must be in [0, 1). Received {self.gamma}; episodes that are cut short have no "
                "finite value without a discount."
            )
        for name in ("tau", "clip"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in (0, 1]. Received {getattr(self, name)}.")
        if not 0 <= self.gae_lambda <= 1:
            raise ValueError(f"`gae_lambda` must be in [0, 1]. Received {self.gae_lambda}.")
        for name in ("exploration", "entropy", "alpha"):
            value = getattr(self, name)
            if value != "auto" and not value >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {value}.")
