"""Convolutional value network that can predict its own later features.

`PixelValueNetwork`  distribution of returns of each action, transition model and predictor
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.agents.self_prediction.settings import PixelValueSettings
from rlpriors.representation.methods.spr import TransitionModel, scale_to_unit

__all__ = ["PixelValueNetwork"]


class PixelValueNetwork(nn.Module):
    """Network from frames to the distribution of returns of each action, for Tianshou's `C51Policy`.

    Convolutions, maps scaled to [0, 1] per frame, and dueling heads of one hidden layer.  For self-prediction
    it also has a transition model from a map and an action to the next map, and a predictor.  A projection is
    the hidden layer of both heads before its activation, so that its weights are shared with the values (SPR,
    arXiv 2007.05929, section 2).

    Observations are frames of integers in 0..255 or of real numbers in [0, 1].  A tensor of real numbers is
    taken as the result of `prepare`.

    Example:
        >>> settings = PixelValueSettings((24, 24, 1), n_actions=3, channels_last=True, layers=((16, 3, 2),))
        >>> network = PixelValueNetwork(settings)
        >>> distribution, _ = network(np.zeros((5, 24, 24, 1), np.uint8))
        >>> distribution.shape
        torch.Size([5, 3, 51])
        >>> maps = network.encode(network.prepare(np.zeros((5, 24, 24, 1), np.uint8)))
        >>> later = network.transition_from(maps, torch.zeros(5, dtype=torch.long))
        >>> network.predict(network.project(later)).shape
        torch.Size([5, 512])
    """

    def __init__(self, settings: PixelValueSettings) -> None:
        super().__init__()
        if min(settings.map_shape) < 1:
            raise ValueError(
                f"`layers` must fit frames of {settings.obs_shape}. Received {settings.layers}, which leave "
                f"a map of {settings.map_shape}; use smaller kernels and strides."
            )
        self.settings = settings
        channels, *_ = settings.frame_shape
        convolutions: list[nn.Module] = []
        for width, kernel, stride in settings.layers:
            convolutions += [nn.Conv2d(channels, width, kernel, stride), nn.ReLU()]
            channels = width
        self.convolutions = nn.Sequential(*convolutions)
        flat, hidden = int(np.prod(settings.map_shape)), settings.hidden
        self.value_hidden, self.advantage_hidden = nn.Linear(flat, hidden), nn.Linear(flat, hidden)
        self.value = nn.Linear(hidden, settings.n_atoms)
        self.advantage = nn.Linear(hidden, settings.n_actions * settings.n_atoms)
        self.transition = TransitionModel(channels, settings.n_actions)
        self.predict = nn.Linear(2 * hidden, 2 * hidden)

    def forward(
        self, obs: Any, state: Any = None, info: Any = None
    ) -> tuple[Float[Tensor, "batch actions atoms"], Any]:
        """Return the probabilities of the atoms for each action, and `state` unchanged."""
        return self.distribution(self.encode(self.prepare(obs))), state

    def prepare(self, obs: Any) -> Float[Tensor, "batch channels height width"]:
        """Return frames of an environment as real numbers in [0, 1] on the device, channels first.

        Raises:
            ValueError: they have another shape than that of the settings.
        """
        if isinstance(obs, Tensor) and obs.is_floating_point():
            return obs
        array = np.asarray(obs)
        if array.shape[1:] != self.settings.obs_shape:
            raise ValueError(
                f"`obs` must be frames of shape {self.settings.obs_shape}. Received {array.shape[1:]}."
            )
        frames = torch.as_tensor(array, device=self.value.weight.device)
        frames = frames.float() / 255 if array.dtype.kind in "iu" else frames.float()
        return frames.movedim(-1, 1) if self.settings.channels_last else frames

    def encode(
        self, frames: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch features rows columns"]:
        """Return the map of each frame, in [0, 1]."""
        return scale_to_unit(self.convolutions(frames))

    def distribution(
        self, maps: Float[Tensor, "batch features rows columns"]
    ) -> Float[Tensor, "batch actions atoms"]:
        """Return the probabilities of the atoms for each action."""
        value, advantage = self.project(maps).relu().chunk(2, 1)
        advantages = self.advantage(advantage).unflatten(1, (self.settings.n_actions, -1))
        logits: Tensor = self.value(value)[:, None] + advantages - advantages.mean(1, keepdim=True)
        return logits.softmax(-1)

    def project(
        self, maps: Float[Tensor, "batch features rows columns"]
    ) -> Float[Tensor, "batch projection"]:
        """Return the hidden layer of both heads, before its activation."""
        flat = maps.flatten(1)
        return torch.cat([self.value_hidden(flat), self.advantage_hidden(flat)], 1)

    def transition_from(
        self, maps: Float[Tensor, "batch features rows columns"], act: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch features rows columns"]:
        """Return the predicted maps after these actions."""
        one_hot = nn.functional.one_hot(act, self.settings.n_actions).to(maps)
        after: Tensor = self.transition(maps, one_hot)
        return after
