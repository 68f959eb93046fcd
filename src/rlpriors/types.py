"""Data types and protocols that the packages share.

`Window`      consecutive observations and actions, the training data of a diffusion model
`Transition`  environment steps, the input of a reward model
`RewardFn`    protocol of functions from transitions to rewards
`Denoiser`    protocol of functions from noisy windows and diffusion times to predictions
`Features`    output of an encoder: one vector, tokens and maps for each image
`Encoder`     protocol of functions from frames to features
`SkillPolicy` protocol of policies that act by a given skill
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Denoiser", "Encoder", "Features", "RewardFn", "SkillPolicy", "Transition", "Window"]


class Window(NamedTuple):
    """Batch of windows: `horizon` rows of one episode each, in raw units."""

    obs: Float[Tensor, "batch horizon obs"]
    """Observations."""
    act: Float[Tensor, "batch horizon act"]
    """Actions."""
    mask: Bool[Tensor, "batch horizon"]
    """True where the row is inside the episode; other rows repeat the last one."""
    terminated: Bool[Tensor, "batch horizon"]
    """True at the row in which the environment ended the episode by its rules."""

    @property
    def absorbing(self) -> Bool[Tensor, "batch horizon"]:
        """True at the rows after a termination inside the window: they repeat the terminal observation."""
        return self.terminated.cumsum(1) > self.terminated


class Transition(NamedTuple):
    """Batch of environment steps, in raw units."""

    obs: Float[Tensor, "batch *obs"]
    """Observations before the step."""
    act: Float[Tensor, "batch *act"]
    """Actions."""
    obs_next: Float[Tensor, "batch *obs"]
    """Observations after the step."""
    terminated: Bool[Tensor, " batch"]
    """True where the environment ended the episode by its rules."""


@runtime_checkable
class RewardFn(Protocol):
    """Function from transitions in raw units to rewards: `reward(obs, act, obs_next, terminated) -> [batch]`.

    A `rewards.RewardModel` and any such function of four tensors implement it.
    """

    def __call__(
        self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor, /
    ) -> Float[Tensor, " batch"]: ...


@runtime_checkable
class Denoiser(Protocol):
    """Function from a noisy window and diffusion times to the noise, clean sample or velocity.

    `prediction_type` of the noise schedule names the predicted quantity.
    """

    def __call__(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"], /
    ) -> Float[Tensor, "batch horizon dim"]: ...


class Features(NamedTuple):
    """Features of each image of a batch, from a convolutional or transformer network."""

    global_: Float[Tensor, "batch dim"]
    """Vector of the whole image: the class token or the pooled map, depending on the network."""
    tokens: Float[Tensor, "batch tokens width"] | None
    """Vector of each patch, row by row from the top left, without class and register tokens."""
    maps: Float[Tensor, "batch width rows columns"] | None
    """Vectors of the patches on their grid."""


@runtime_checkable
class Encoder(Protocol):
    """Function from frames to features; `encoders.ImageEncoder` implements it."""

    def preprocess(self, frames: Any, /) -> Tensor:
        """Convert frames of an environment to the input of the network, on its device."""
        ...

    def __call__(self, x: Tensor, /) -> Features: ...

    @property
    def output_space(self) -> gym.spaces.Box:
        """Space of one encoded observation."""
        ...

    def fingerprint(self) -> Any:
        """Return an identifier of the features: equal for equal features, different for all others."""
        ...


@runtime_checkable
class SkillPolicy(Protocol):
    """Policy that acts by a given skill, a vector; `agents.SuccessorFeaturePolicy` implements it."""

    @property
    def skill_dim(self) -> int:
        """Number of entries of a skill."""
        ...

    def act_by(self, obs: Any, skill: Float[np.ndarray, "batch dim"], /) -> np.ndarray:
        """Return the actions of skills, one for each row of a batch of observations."""
        ...
