"""Behavior cloning from images, with augmentation and an optional auxiliary loss.

`PixelCloning`       offline algorithm that trains a `PixelCloningPolicy`, alone or with a representation
`AuxiliaryTask`      further loss that is trained in the same updates
`PixelCloningStats`  training statistics of one update
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
from tianshou.data import ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor, nn

from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.agents.imitation.pixel_policy import PixelCloningPolicy
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.seeding import update_seed
from rlpriors.agents.validation import check_buffer
from rlpriors.data.fingerprints import frames_fingerprint
from rlpriors.representation.transforms.augmentations import Augment

__all__ = ["AuxiliaryTask", "PixelCloning", "PixelCloningStats"]


@dataclass(frozen=True)
class AuxiliaryTask:
    """Further loss that is trained in each update, by the same optimizer.

    Raises:
        ValueError: a field is out of its bounds.
    """

    model: nn.Module
    """Module from a batch to losses by name, with their sum as "loss"; for example a `RepresentationModel`
    over the encoder of the policy's network.  Its `after_step(progress)` is called after each update."""
    sample_batch: Callable[[int], Any]
    """Function from the number of the update to a batch; equal numbers must give equal batches."""
    weight: float = 1.0
    """Weight of the auxiliary loss, at least 0; the cloning loss has weight 1."""
    n_updates: int = 1
    """Number of updates of the whole training, for the schedules of `model`; at least 1."""

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise ValueError(f"`weight` must be at least 0. Received {self.weight}.")
        if self.n_updates < 1:
            raise ValueError(f"`n_updates` must be at least 1. Received {self.n_updates}.")


@dataclass(kw_only=True)
class PixelCloningStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Total loss."""
    cloning_loss: float
    """Loss of the policy on the demonstrations' actions."""
    auxiliary_loss: float = 0.0
    """Weighted loss of the auxiliary task."""


class PixelCloning(WindowAlgorithm[PixelCloningPolicy]):
    """Offline algorithm that trains a `PixelCloningPolicy`; from a `PixelBuffer` it resumes bit-equal.

    It also takes any other Tianshou buffer with observations of the policy's network, but a resumed run
    then draws other batches.

    With an `auxiliary` task it is the joint training of EIRLI (arXiv 2205.07886, sec. 4).  The baselines
    of that paper are cloning alone, with and without the augmentation.

    Args:
        policy: policy to train.
        optim: factory of the optimizer of all trained networks.
        augment: augmentations of the images, joined by "+"; see `AUGMENTATIONS`.  All frames of a stack
            are augmented equally.
        auxiliary: auxiliary task; None for none.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: random seed of the augmentations and of the auxiliary task's draws from torch.

    Example:
        >>> import gymnasium as gym, tempfile
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.data import Batch
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.agents import EncoderNetwork
        >>> from rlpriors.data.frame_writer import FrameWriter
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
        auxiliary: AuxiliaryTask | None = None,
        max_grad_norm: float | None = 10.0,
        seed: int = 0,
    ) -> None:
        super().__init__(policy=policy, seed=seed)
        self.auxiliary, self.augment_names = auxiliary, augment
        Augment(augment, size=(8, 8), channels=3)  # raises for an unknown name
        self._augment: dict[tuple[int, ...], Augment] = {}
        trained: list[nn.Module] = [policy.network, policy.actor]
        if auxiliary is not None:
            self.auxiliary_model = auxiliary.model  # a submodule, so it is in the state
            trained.append(auxiliary.model)
        self.optim = self._create_optimizer(nn.ModuleList(trained), optim, max_grad_norm=max_grad_norm)

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Check a `PixelBuffer` and set its position, once before training.

        Raises:
            ValueError: the demonstrations' actions do not belong to the policy's action space, or the
                buffer and the network stack different numbers of frames.
        """
        check_buffer(buffer)
        if isinstance(buffer, PixelBuffer):
            buffer.check_actions(self.policy.action_space)
            if buffer.stack != self.policy.network.stack:
                raise ValueError(
                    f"`stack` of the buffer must be that of the policy's network, "
                    f"{self.policy.network.stack}. Received {buffer.stack}."
                )
            self._set_data(frames_fingerprint(buffer.store))
            buffer.draws = int(self.updates)
        return buffer

    def check_resumed_data(self, buffer: ReplayBuffer) -> None:
        if self._resumed and isinstance(buffer, PixelBuffer):
            self._set_data(frames_fingerprint(buffer.store))

    def augment_images(self, obs: np.ndarray) -> Tensor:
        """Augment stacks of frames [batch, stack, height, width, channels], or frames."""
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
        augmented: Tensor = rearrange(pixels, "b t c h w -> b t h w c")
        return augmented.reshape(shape)

    def _update_with_batch(self, batch: Any) -> PixelCloningStats:
        act = torch.as_tensor(np.asarray(batch.act), device=self.policy.device).float()
        auxiliary = torch.zeros((), device=self.policy.device)
        with self._seeded():
            vectors, _ = self.policy.network(self.augment_images(np.asarray(batch.obs)))
            cloning = self.policy.cloning_loss(vectors, act.reshape(len(act), -1))
            if self.auxiliary is not None:
                losses = self.auxiliary.model(self.auxiliary.sample_batch(int(self.updates)))
                auxiliary = self.auxiliary.weight * losses["loss"]
            self._optimize(cloning + auxiliary)
            after_step: Any = getattr(self.auxiliary and self.auxiliary.model, "after_step", None)
            if self.auxiliary is not None and after_step is not None:
                with torch.no_grad():
                    after_step(int(self.updates) / self.auxiliary.n_updates)
        self.policy.network.encoder.state_version += 1  # invalidates features encoded before
        return PixelCloningStats(
            loss=(cloning + auxiliary).item(),
            cloning_loss=cloning.item(),
            auxiliary_loss=auxiliary.item(),
        )

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Seed torch's global generators, which augmentations use, for this update only."""
        device = self.policy.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(update_seed(self.seed, int(self.updates)))
            yield
