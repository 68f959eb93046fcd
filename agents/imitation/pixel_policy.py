"""Policy with an image encoder, which may be trained with it, and a perceptron.

`PixelCloningPolicy`  policy from images to actions, trained by `PixelCloning`
`fit_normalizer`      normalizer of an encoder's output on a sample of images
`bounded_normalizer`  normalizer of vectors with a lower bound on the standard deviation
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float, UInt8
from tianshou.data import Batch
from tianshou.data.types import ModelOutputBatchProtocol, ObsBatchProtocol
from torch import Tensor, nn

from rlpriors import checkpoint
from rlpriors.agents.imitation.behavior_cloning import BehaviorCloningPolicy, CloningLoss
from rlpriors.agents.online.encoder_network import EncoderNetwork
from rlpriors.data.normalize import Normalizer
from rlpriors.encoders import load_encoder
from rlpriors.settings import check_fields

__all__ = ["PixelCloningPolicy", "bounded_normalizer", "fit_normalizer"]


@dataclass(frozen=True)
class PixelCloningSettings:
    """Settings of a saved `PixelCloningPolicy`, without its encoder."""

    hidden: tuple[int, ...]
    loss: CloningLoss
    deterministic: bool
    stack: int
    fuse: str

    def __post_init__(self) -> None:
        check_fields(self)


class PixelCloningHead(nn.ModuleDict):
    """Saved weights of a policy without its encoder."""


class PixelCloningPolicy(BehaviorCloningPolicy):
    """Policy from images to actions: an `EncoderNetwork` and a perceptron.

    The network's `mode` selects the trained parts of the encoder.  Observations are those of the network:
    [batch, stack, height, width, channels], without the stack axis if its `stack` is 1.

    Args:
        network: encoder, with the number of stacked frames and their fusion.
        action_space: a Box with one axis, whose actions are clipped to it, or a Discrete.
        act: normalizer of a Box's actions; None for a Discrete space.
        obs: normalizer of the network's output, None for none; see `fit_normalizer`.
        hidden: width of each hidden layer after the encoder.
        loss: loss of a Box's actions, as in `BehaviorCloningPolicy`.
        deterministic: True to act by the mean or the most likely action, False to sample.
        seed: random seed of sampled actions.

    Example:
        >>> from tianshou.data import Batch
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> network = EncoderNetwork(encoder, "full", stack=2)
        >>> policy = PixelCloningPolicy(network, action_space=gym.spaces.Discrete(4))
        >>> policy(Batch(obs=np.zeros((3, 2, 36, 36, 3), np.uint8), info={})).act.shape
        (3,)
    """

    def __init__(
        self,
        network: EncoderNetwork,
        *,
        action_space: gym.Space[Any],
        act: Normalizer | None = None,
        obs: Normalizer | None = None,
        hidden: Sequence[int] = (256,),
        loss: CloningLoss = "mse",
        deterministic: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(
            action_space=action_space,
            obs=Normalizer.identity(network.get_output_dim()) if obs is None else obs,
            act=act,
            hidden=hidden,
            loss=loss,
            deterministic=deterministic,
            device=network.encoder.device,
            seed=seed,
        )
        self.network = network
        self.settings = PixelCloningSettings(tuple(hidden), loss, deterministic, network.stack, network.fuse)

    @torch.no_grad()
    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Any = None, **kwargs: Any
    ) -> ModelOutputBatchProtocol:
        """Return the action of each environment (`act`, raw) and the outputs it comes from (`logits`)."""
        vectors, _ = self.network(batch.obs)
        encoded = cast(ObsBatchProtocol, Batch(obs=vectors, info=Batch()))
        return super().forward(encoded, state, **kwargs)

    def save(self, folder: str | Path) -> Path:
        """Save the policy; `EncodeObservation` can also load its encoder, from `folder`/encoder."""
        folder = Path(folder)
        self.network.merge().save(folder / "encoder")
        return checkpoint.save(self._head, self.settings, folder)

    @classmethod
    def load(
        cls, folder: str | Path, action_space: gym.Space[Any], device: str | torch.device = "auto"
    ) -> "PixelCloningPolicy":
        """Load a policy that `save` saved, ready to act.

        Raises:
            CheckpointError: a file is missing or damaged, or does not fit the action space.
        """
        encoder = load_encoder(Path(folder) / "encoder", device=device)
        policies: list[PixelCloningPolicy] = []

        def build(settings: dict[str, Any]) -> nn.Module:
            network = EncoderNetwork(encoder, stack=settings.pop("stack"), fuse=settings.pop("fuse"))
            act = None
            if isinstance(action_space, gym.spaces.Box):
                act = Normalizer.identity(int(np.prod(action_space.shape)))
            policies.append(cls(network, action_space=action_space, act=act, **settings))
            return policies[0]._head

        checkpoint.load(folder, {PixelCloningHead.__name__: build}, encoder.device)
        return policies[0].eval()

    @property
    def _head(self) -> PixelCloningHead:
        parts = {"obs": self.obs, "actor": self.actor}
        return PixelCloningHead(parts if self.act is None else {**parts, "act": self.act})


def fit_normalizer(
    network: EncoderNetwork, obs: UInt8[np.ndarray, "images *image"], chunk: int = 64
) -> Normalizer:
    """Fit a normalizer that maps the network's vectors of these images to mean 0 and standard deviation 1.

    The scale of network outputs differs by orders of magnitude, and the output of a random network varies
    little between two frames, so that a perceptron after it learns poorly without normalization.
    Entries with less than the average standard deviation are divided by the average, so that an entry
    that is constant at the beginning of the training does not become large later.

    Example:
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> images = np.random.default_rng(0).integers(0, 256, (20, 36, 36, 3), np.uint8)
        >>> network = EncoderNetwork(encoder)
        >>> bool(fit_normalizer(network, images)(network(images)[0]).mean().abs() < 1e-4)
        True
    """
    with torch.no_grad():
        vectors = torch.cat([network(obs[i : i + chunk])[0].cpu() for i in range(0, len(obs), chunk)])
    return bounded_normalizer(vectors)


def bounded_normalizer(vectors: Float[Tensor, "n dim"]) -> Normalizer:
    """Fit a normalizer to mean 0 and standard deviation 1, or less in entries below the average one.

    Example:
        >>> still = torch.tensor([[0.0, 0.0], [2.0, 0.001]])
        >>> bounded_normalizer(still)(still).tolist()[1]
        [1.0, 0.0009...]
    """
    std = vectors.std(0, correction=0)
    return Normalizer(vectors.mean(0), std.clamp_min(float(std.mean()) or 1.0))
