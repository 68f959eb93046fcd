"""The few shapes that every room agrees on.

`Window`      a stretch of consecutive frames, what a diffusion model is trained on
`Transition`  one step, what a reward model judges
`RewardFn`    anything that judges a batch of transitions
`Denoiser`    anything that predicts from a noisy window and a diffusion time
`Features`    what an encoder sees in each image: one vector, tokens, maps
`Encoder`     anything that turns frames into features
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import gymnasium as gym
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Denoiser", "Encoder", "Features", "RewardFn", "Transition", "Window"]


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


class Features(NamedTuple):
    """What a network sees in each image of a batch; convolutional and transformer networks alike."""

    global_: Float[Tensor, "batch dim"]
    """One vector for the whole image: the class token, or the pooled map, as the family defines it."""
    tokens: Float[Tensor, "batch tokens width"] | None
    """One vector for each patch, row by row from the top left; no class or register tokens."""
    maps: Float[Tensor, "batch width rows columns"] | None
    """The same vectors on their grid."""


@runtime_checkable
class Encoder(Protocol):
    """Turns frames into features; `encoders.ImageEncoder` is one."""

    def preprocess(self, frames: Any, /) -> Tensor:
        """Frames as an environment gives them to what the network takes, on its device."""
        ...

    def __call__(self, x: Tensor, /) -> Features: ...

    @property
    def output_space(self) -> gym.spaces.Box:
        """The space of one encoded observation."""
        ...

    def fingerprint(self) -> Any:
        """What tells these features from any other encoder's."""
        ...
