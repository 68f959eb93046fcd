"""Behavior cloning from images, with augmentation, and with any other loss beside it.

`PixelCloning`  learns a `PixelCloningPolicy` from demonstrations; alone, or jointly with a representation
`Auxiliary`     what else is learned in the same update
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from einops import rearrange
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor, nn

from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.agents.imitation.pixel_policy import PixelCloningPolicy
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.representation.transforms.augmentations import Augment

__all__ = ["Auxiliary", "PixelCloning", "PixelCloningStats"]


@dataclass(frozen=True)
class Auxiliary:
    """Something else that is learned in each update, in the same optimizer.

    Raises:
        ValueError: a field is out of its bounds.
    """

    model: nn.Module
    """Of a batch gives losses by name, their sum as "loss", such as a `RepresentationModel` over the
    encoder of the policy's network.  Its `after_step(progress)` follows each update."""
    draw: Callable[[int], Any]
    """Its batch, of the number of the update; the same number must give the same batch."""
    weight: float = 1.0
    """Factor of its loss; that of the cloning is 1."""
    updates: int = 1
    """Updates of the whole training, for its schedules."""

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise ValueError(f"`weight` must be at least 0. Received {self.weight}.")
        if self.updates < 1:
            raise ValueError(f"`updates` must be at least 1. Received {self.updates}.")


@dataclass(kw_only=True)
class PixelCloningStats(TrainingStats):
    """What an update came to."""

    loss: float
    """All together."""
    cloning_loss: float
    """How badly the policy tells the demonstrations' actions."""
    auxiliary_loss: float = 0.0
    """What is learned beside it, weighted."""


class PixelCloning(WindowAlgorithm[PixelCloningPolicy]):
    """Learns a `PixelCloningPolicy`; from a `PixelBuffer` it resumes bit-equal.

    Any other Tianshou buffer will do whose observations are what the policy's network reads, only
    that a resumed run then draws other batches.

    With an `auxiliary` it is the joint training of EIRLI (arXiv 2205.07886, sec. 4), of which the same
    paper says what to hold it against: cloning alone, with the augmentation and without.

    Args:
        policy: what is learned.
        optim: makes the one optimizer of everything.
        augment: changes of the images, joined by "+"; see `AUGMENTATIONS`.  All frames of a stack are
            changed alike.
        auxiliary: what else is learned.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: source of changes, and of what the auxiliary draws from torch.

    Example:
        >>> import gymnasium as gym, tempfile
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.data import Batch
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.agents import EncoderNetwork
        >>> from rlpriors.data.frames import FrameWriter
        >>> from rlpriors.encoders import load_encoder
        >>> frames = np.repeat([[0], [255]], 36 * 36 * 3, 1).reshape(2, 36, 36, 3).astype(np.uint8)
        >>> with FrameWriter(tempfile.mkdtemp() + "/lamp") as writer:  # do 1 where it is bright
        ...     for act in (0, 1):
        ...         writer.add_episode(frames[[act, act]], act=np.array([act, 0]))
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> policy = PixelCloningPolicy(
        ...     EncoderNetwork(encoder, "full"), action_space=gym.spaces.Discrete(2))
        >>> algorithm = PixelCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3))
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=PixelBuffer(writer.store), batch_size=8, max_epochs=1, epoch_num_steps=10,
        ...     show_progress=False, verbose=False))
        >>> policy(Batch(obs=frames, info={})).act.tolist()
        [0, 1]
    """

    def __init__(
        self,
        *,
        policy: PixelCloningPolicy,
        optim: OptimizerFactory,
        augment: str = "none",
        auxiliary: Auxiliary | None = None,
        max_grad_norm: float | None = 10.0,
        seed: int = 0,
    ) -> None:
        super().__init__(policy=policy, seed=seed)
        self.auxiliary, self.augment_names = auxiliary, augment
        Augment(augment, size=(8, 8), channels=3)  # an unknown name is an error here, not in an update
        self._augment: dict[tuple[int, ...], Augment] = {}
        learned: list[nn.Module] = [policy.network, policy.actor]
        if auxiliary is not None:
            self.auxiliary_model = auxiliary.model  # a part of the state
            learned.append(auxiliary.model)
        self.optim = self._create_optimizer(nn.ModuleList(learned), optim, max_grad_norm=max_grad_norm)

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Once before training.

        Raises:
            ValueError: the demonstrations' actions are not those of the policy, or its network sees another
                number of frames.
        """
        if isinstance(buffer, PixelBuffer):
            buffer.check_actions(self.policy.action_space)
            if buffer.stack != self.policy.network.stack:
                raise ValueError(
                    f"`stack` of the buffer must be that of the policy's network, "
                    f"{self.policy.network.stack}. Received {buffer.stack}."
                )
            buffer.draws = int(self.updates)
        return buffer

    def changed(self, obs: np.ndarray) -> Tensor:
        """Stacks of frames [batch, stack, height, width, channels], or frames, augmented."""
        frames = torch.as_tensor(obs, device=self.policy.device)
        if self.augment_names in ("", "none"):
            return frames
        shape = frames.shape
        if shape[-3:] not in self._augment:
            rows, columns, channels = shape[-3:]
            self._augment[shape[-3:]] = Augment(self.augment_names, size=(rows, columns), channels=channels)
        stacks = frames if frames.ndim == 5 else frames[:, None]
        pixels = rearrange(stacks.float() / 255, "b t h w c -> b t c h w")
        pixels = self._augment[shape[-3:]](pixels)
        changed: Tensor = rearrange(pixels, "b t c h w -> b t h w c")
        return changed.reshape(shape)

    def _update_with_batch(self, batch: Any) -> PixelCloningStats:
        act = torch.as_tensor(np.asarray(batch.act), device=self.policy.device).float()
        extra = torch.zeros((), device=self.policy.device)
        with self._seeded():
            vectors, _ = self.policy.network(self.changed(np.asarray(batch.obs)))
            cloning = self.policy.cloning_loss(vectors, act.reshape(len(act), -1))
            if self.auxiliary is not None:
                losses = self.auxiliary.model(self.auxiliary.draw(int(self.updates)))
                extra = self.auxiliary.weight * losses["loss"]
            self.optim.step(cloning + extra)
            self.updates += 1
            after_step: Any = getattr(self.auxiliary and self.auxiliary.model, "after_step", None)
            if self.auxiliary is not None and after_step is not None:
                with torch.no_grad():
                    after_step(int(self.updates) / self.auxiliary.updates)
        self.policy.network.encoder.changes += 1  # what was encoded before is out of date
        return PixelCloningStats(
            loss=(cloning + extra).item(), cloning_loss=cloning.item(), auxiliary_loss=extra.item()
        )

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """torch's global generators, from which augmentations draw, as this update finds them."""
        device = self.policy.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            (seed,) = np.random.SeedSequence((self.seed, int(self.updates))).generate_state(1, np.uint64)
            torch.manual_seed(int(seed >> 1))
            yield
