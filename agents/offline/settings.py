"""Settings of the offline algorithms.

`OfflineSettings`       settings of IQL, TD3+BC, CQL and behavior cloning
`OfflineAlgorithmName`  names of these algorithms
"""

from dataclasses import dataclass
from typing import Literal, get_args

from rlpriors.agents.online.settings import AlgorithmName, AlgorithmSettings
from rlpriors.settings import check_fields

__all__ = ["OfflineAlgorithmName", "OfflineSettings"]

OfflineAlgorithmName = Literal["iql", "td3-bc", "cql", "bc"]


@dataclass(frozen=True)
class OfflineSettings:
    """Settings of IQL, TD3+BC, CQL and behavior cloning.  An algorithm ignores the fields of the others.

    Raises:
        ValueError: a field is out of its bounds.
    """

    algorithm: OfflineAlgorithmName = "iql"
    """Algorithm: "iql", "cql" and "bc" for Box and Discrete actions, "td3-bc" for Box actions."""

    hidden: tuple[int, ...] = (128, 128)
    """Width of each hidden layer of all networks."""

    lr: float = 1e-3
    """Learning rate of Adam for all networks."""

    gamma: float = 0.99
    """Discount factor of the return."""

    tau: float = 0.005
    """Step size of the target networks in an update, in (0, 1]."""

    expectile: float = 0.7
    """Expectile of the state value, in (0, 1): 0.5 evaluates the data's behavior, and higher values approach
    its best actions (iql)."""

    beta: float = 3.0
    """Inverse temperature of the advantage weights, at least 0: 0 clones the data, and higher values follow
    the action values more closely (iql)."""

    max_weight: float = 100.0
    """Bound on an advantage weight, at least 1 (iql)."""

    deterministic: bool = False
    """Deterministic policy with a bounded output for Box actions, instead of a normal distribution whose
    actions are clipped (iql, bc)."""

    td3_bc_alpha: float = 2.5
    """Weight of the action values against cloning (td3-bc)."""

    cql_weight: float = 5.0
    """Weight of the penalty on action values outside the data (cql)."""

    reward_scale: float | Literal["auto"] = "auto"
    """Factor on rewards; "auto" makes the range of the data's returns the mean length of an episode."""

    normalize_observations: bool = True
    """Observations with mean 0 and standard deviation 1 over the data, before the first layer of all
    networks; the map is saved with the policy."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.algorithm not in get_args(OfflineAlgorithmName):
            raise ValueError(
                f"`algorithm` must be one of {get_args(OfflineAlgorithmName)}. Received {self.algorithm!r}."
            )
        if not 0 < self.expectile < 1:
            raise ValueError(f"`expectile` must be in (0, 1). Received {self.expectile}.")
        for name, least in (("beta", 0), ("max_weight", 1), ("td3_bc_alpha", 0), ("cql_weight", 0)):
            if not getattr(self, name) >= least:
                raise ValueError(f"`{name}` must be at least {least}. Received {getattr(self, name)}.")
        if self.reward_scale != "auto" and not self.reward_scale > 0:
            raise ValueError(
                f'`reward_scale` must be greater than 0 or "auto". Received {self.reward_scale}.'
            )
        self.networks("sac")  # raises for the fields of all algorithms

    def networks(self, algorithm: AlgorithmName) -> AlgorithmSettings:
        """Return the settings of an online algorithm with these networks."""
        return AlgorithmSettings(
            algorithm,
            hidden=self.hidden,
            lr=self.lr,
            gamma=self.gamma,
            tau=self.tau,
            normalize_observations=self.normalize_observations,
        )

    def policy_settings(self, *, discrete: bool) -> AlgorithmSettings:
        """Return the settings for `save_policy`: those of the online algorithm with the same policy."""
        if self.algorithm == "cql":
            return self.networks("dqn" if discrete else "sac")
        if self.algorithm == "td3-bc" or (self.deterministic and not discrete):
            return self.networks("td3")
        return self.networks("ppo")
