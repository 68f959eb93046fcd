"""Settings of score policies.

`ScoreSettings`  window, past actions, denoising and networks of a `ScorePolicy`
`PastActions`    uses of past actions
"""

from dataclasses import dataclass
from typing import Literal

from rlpriors.diffusion.edm import SIGMA_SAMPLERS
from rlpriors.settings import check_fields

__all__ = ["PastActions", "ScoreSettings"]

PastActions = Literal["predicted", "given", "hidden"]


@dataclass(frozen=True)
class ScoreSettings:
    """Window, past actions, denoising and networks of a `ScorePolicy`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    history: int = 0
    """Number of past time steps in a window, whose observations the network reads; 0 for the current
    observation only.  A past helps where an observation does not show everything, and copies rests of the
    data."""

    horizon: int = 1
    """Number of actions in a window from the current time step on, at least 1."""

    execution_horizon: int = 1
    """Number of actions of a sampled window that are executed before the next sample, at most `horizon`."""

    past_actions: PastActions = "predicted"
    """Use of past actions.  predicted: denoised and learned with the current ones.  given: read without
    noise, as executed.  hidden: neither read nor learned."""

    candidates: int = 1
    """Number of sampled windows, of which the one nearest to the executed past actions is taken; more than 1
    needs predicted past actions."""

    goal_dropout: float = 0.1
    """Fraction of training windows whose goal is hidden, in [0, 1).  It allows acting without a goal, and
    guidance.  It can cost success: take 0 if there is always a goal and no guidance."""

    goal_gamma: float = 0.98
    """Discount factor of goals in hindsight, in [0, 1]: the k-th later observation of the episode has a
    probability proportional to its (k-1)-th power."""

    guidance: float = 0.0
    """Weight of classifier-free guidance, at least -1.  0 follows the data of this goal, larger weights
    amplify the goal, and -1 ignores it."""

    n_steps: int = 3
    """Number of denoising steps of an action, at least 1."""

    sampler: str = "ddim"
    """Sampler of actions, ddim or euler_ancestral."""

    sigma_range: tuple[float, float] = (0.05, 4.0)
    """Smallest and largest noise level, in units of normalized actions, which lie in [-1, 1].  The largest
    must hide the actions, because samples begin as noise around 0.  With 3 steps, a smallest level of 0.005
    leaves a gap after the first one, and samples between two ways."""

    sigma_data: float = 0.5
    """Standard deviation of normalized actions."""

    denoiser: Literal["mlp", "mixer", "transformer"] = "mlp"
    """Network of the window, a key of `networks.DENOISERS`."""

    width: int = 256
    """Width of the network."""

    blocks: int = 3
    """Number of blocks of the network."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.history < 0:
            raise ValueError(f"`history` must be at least 0. Received {self.history}.")
        for name in ("horizon", "candidates", "n_steps", "width", "blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not 1 <= self.execution_horizon <= self.horizon:
            raise ValueError(
                f"`execution_horizon` must be in [1, {self.horizon}], the `horizon`. Received "
                f"{self.execution_horizon}."
            )
        if self.candidates > 1 and (self.past_actions != "predicted" or self.history == 0):
            raise ValueError(
                "`candidates` must be 1 without predicted past actions, by which they are compared. Received "
                f'{self.candidates}; set past_actions="predicted" and a `history` of at least 1.'
            )
        if not 0 <= self.goal_dropout < 1:
            raise ValueError(f"`goal_dropout` must be in [0, 1). Received {self.goal_dropout}.")
        if not 0 <= self.goal_gamma <= 1:
            raise ValueError(f"`goal_gamma` must be in [0, 1]. Received {self.goal_gamma}.")
        if self.guidance < -1:
            raise ValueError(f"`guidance` must be at least -1. Received {self.guidance}.")
        if self.guidance and not self.goal_dropout:
            raise ValueError(
                "`guidance` must be 0 without hidden goals in training. Received "
                f"{self.guidance} with `goal_dropout` 0; set a `goal_dropout` such as 0.1."
            )
        if self.sampler not in SIGMA_SAMPLERS:
            raise ValueError(f"`sampler` must be one of {sorted(SIGMA_SAMPLERS)}. Received {self.sampler!r}.")

    @property
    def n_rows(self) -> int:
        """Number of time steps of a window, past ones included."""
        return self.history + self.horizon
