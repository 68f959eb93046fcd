"""The few shapes that every room agrees on.

`Window`      a stretch of consecutive frames, what a diffusion model is trained on
`Transition`  one step, what a reward model judges
`RewardFn`    anything that judges a batch of transitions
`Denoiser`    anything that predicts from a noisy window and a diffusion time
"""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Denoiser", "RewardFn", "Transition", "Window"]


class Window(NamedTuple):
    """`horizon` frames of one episode, in raw units."""

    obs: Float[Tensor, "batch horizon obs"]
    act: Float[Tensor, "batch horizon act"]
    mask: Bool[Tensor, "batch horizon"]
    """True where the frame lies inside the episode; elsewhere it repeats the last one."""


class Transition(NamedTuple):
    """One environment step for each row of a batch, in raw units."""

    obs: Float[Tensor, "batch *obs"]
    act: Float[Tensor, "batch *act"]
    obs_next: Float[Tensor, "batch *obs"]
    terminated: Bool[Tensor, " batch"]


@runtime_checkable
class RewardFn(Protocol):
    """Judges transitions in raw units: `reward(obs, act, obs_next, terminated) -> [batch]`.

    A `rewards.RewardModel` is one; so is any function of four tensors.
    """

    def __call__(
        self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor, /
    ) -> Float[Tensor, " batch"]: ...


@runtime_checkable
class Denoiser(Protocol):
    """Predicts noise, clean sample or velocity (`prediction_type`) of a noisy window."""

    def __call__(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"], /
    ) -> Float[Tensor, "batch horizon dim"]: ...
