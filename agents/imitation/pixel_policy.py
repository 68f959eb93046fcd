"""A policy of images: an encoder that may learn with it, and a perceptron behind it.

`PixelCloningPolicy`  what `PixelCloning` learns
`fit_normalizer`      what the encoder gives, brought to one size
`bounded_normalizer`  the same of vectors
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

__all__ = ["PixelCloningPolicy", "bounded_normalizer", "fit_normalizer"]


@dataclass(frozen=True)
class PixelCloningSettings:
    """What a saved policy is rebuilt from, beside its encoder; made by `PixelCloningPolicy.save`."""

    hidden: tuple[int, ...]
    loss: CloningLoss
    deterministic: bool
    stack: int
    fuse: str


class PixelCloningHead(nn.ModuleDict):
    """The weights of a policy behind its encoder, as they are saved."""


class PixelCloningPolicy(BehaviorCloningPolicy):
    """Images to actions: an `EncoderNetwork`, and a perceptron behind it.

    How much of the encoder learns is the network's `mode`.  Observations are what the network reads:
    [batch, stack, height, width, channels], without the axis of frames where its `stack` is 1.

    Args:
        network: the encoder, the frames that it sees at once, and how they are fused.
        action_space: a Box with one axis, whose actions are clipped to it, or a Discrete.
        act: normalizer of a Box's actions; None for a Discrete space.
        obs: normalizer of what the network gives, None for none; see `fit_normalizer`.
        hidden: width of each hidden layer behind the encoder.
        loss: of a Box's actions, as in `BehaviorCloningPolicy`.
        deterministic: whether it acts by the mean or the likeliest action instead of drawing one.
        seed: source of drawn actions.

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
        """The action of each environment (`act`, raw) and what it comes from (`logits`)."""
        vectors, _ = self.network(batch.obs)
        seen = cast(ObsBatchProtocol, Batch(obs=vectors, info=Batch()))
        return super().forward(seen, state, **kwargs)

    def save(self, folder: str | Path) -> Path:
        """Publish the policy; its encoder, in `folder`/encoder, serves `EncodeObservation` as well."""
        folder = Path(folder)
        self.network.merge().save(folder / "encoder")
        return checkpoint.save(self._head, self.settings, folder)

    @classmethod
    def load(
        cls, folder: str | Path, action_space: gym.Space[Any], device: str | torch.device = "auto"
    ) -> "PixelCloningPolicy":
        """The policy that `save` published, ready to act.

        Raises:
            CheckpointError: a file is missing or damaged, or does not fit the action space.
        """
        encoder = load_encoder(Path(folder) / "encoder", device=device)
        made: list[PixelCloningPolicy] = []

        def build(settings: dict[str, Any]) -> nn.Module:
            network = EncoderNetwork(encoder, stack=settings.pop("stack"), fuse=settings.pop("fuse"))
            act = None
            if isinstance(action_space, gym.spaces.Box):
                act = Normalizer.identity(int(np.prod(action_space.shape)))
            made.append(cls(network, action_space=action_space, act=act, **settings))
            return made[0]._head

        checkpoint.load(folder, {PixelCloningHead.__name__: build}, encoder.device)
        return made[0].eval()

    @property
    def _head(self) -> PixelCloningHead:
        parts = {"obs": self.obs, "actor": self.actor}
        return PixelCloningHead(parts if self.act is None else {**parts, "act": self.act})


def fit_normalizer(
    network: EncoderNetwork, obs: UInt8[np.ndarray, "images *image"], chunk: int = 64
) -> Normalizer:
    """What brings the network's vectors of these images to mean 0 and spread 1.

    Networks differ in the size of what they give by orders of magnitude, and a random one's hardly
    varies between two frames: without this a perceptron behind it begins blind.  Entries that vary less
    than the average one are divided by that one's spread, so that one which is still when training
    begins is not blown up when it comes to life.

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
    """Mean 0 and spread 1, or less in entries that vary less than the average one.

    Example:
        >>> still = torch.tensor([[0.0, 0.0], [2.0, 0.001]])
        >>> bounded_normalizer(still)(still).tolist()[1]
        [1.0, 0.0009...]
    """
    spread = vectors.std(0, correction=0)
    return Normalizer(vectors.mean(0), spread.clamp_min(float(spread.mean()) or 1.0))
