"""Settings of zero-shot agents.

`ZeroShotSettings`  features, sizes and training of a `SuccessorFeatureAgent`
`FeatureName`       names of the feature methods
"""

from dataclasses import dataclass
from typing import Literal

from rlpriors.settings import check_fields

__all__ = ["FeatureName", "ZeroShotSettings"]

FeatureName = Literal["hilp", "td-jepa", "forward-backward", "one-step", "random", "identity"]


@dataclass(frozen=True)
class ZeroShotSettings:
    """Features, sizes and training of a `SuccessorFeatureAgent`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    features: FeatureName = "hilp"
    """Features of tasks.  hilp: distances in steps between states.  td-jepa: predicted latent states of
    the policy's own future.  forward-backward: factors of the future occupancy.  one-step: latent states
    predicted one step ahead.  random: an untrained network.  identity: the normalized observation."""

    dim: int = 32
    """Number of features, the size of a skill z; ignored by identity, whose size is that of the task's
    entries."""

    hidden: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of all networks."""

    gamma: float = 0.98
    """Discount factor of distances and successor features, in [0, 1)."""

    tau: float = 0.01
    """Step size of the moving averages of the target networks, in (0, 1]; 0.05 learns long ways in a few
    thousand updates."""

    expectile: float = 0.95
    """Expectile of the distances of hilp, in (0, 1); 0.5 is the data's own mean time, and higher values
    approach the shortest time."""

    random_goals: float = 0.375
    """Fraction of goals of hilp that are drawn from all observations; the others are future observations of
    the same episode."""

    goal_skills: float = 0.5
    """Fraction of skills in an update that lead to observations of the data; the others are uniform on the
    sphere."""

    orthogonality: float = 1.0
    """Weight of the orthogonality of features, for td-jepa, forward-backward and one-step."""

    share_encoders: bool = True
    """One encoder for states and tasks of td-jepa; False trains two, each of which predicts the other."""

    noise: float = 0.2
    """Standard deviation of the noise on Box actions of the targets, as a fraction of half the range."""

    noise_clip: float = 0.3
    """Bound on the noise."""

    bc_weight: float = 0.0
    """Weight of the squared distance between the policy's action and the data's, for Box actions.  Data
    with few different actions in a state need it, such as those of scripted experts."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("dim", *(f"hidden[{i}]" for i in range(len(self.hidden)))):
            value = self.dim if name == "dim" else self.hidden[int(name[7:-1])]
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {value}.")
        if not 0 <= self.gamma < 1:
            raise ValueError(f"`gamma` must be in [0, 1). Received {self.gamma}.")
        if not 0 < self.tau <= 1:
            raise ValueError(f"`tau` must be in (0, 1]. Received {self.tau}.")
        if not 0 < self.expectile < 1:
            raise ValueError(f"`expectile` must be in (0, 1). Received {self.expectile}.")
        for name in ("random_goals", "goal_skills"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]. Received {getattr(self, name)}.")
        for name in ("orthogonality", "noise", "noise_clip", "bc_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
