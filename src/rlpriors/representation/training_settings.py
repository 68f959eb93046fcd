"""Settings of a representation training.

`TrainingSettings`  length, batches, learning rate and precision of a `RepresentationLearner`
"""

from dataclasses import dataclass
from typing import Literal

from rlpriors.settings import check_fields

__all__ = ["TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a `RepresentationLearner`; None takes the recipe's default.

    Raises:
        ValueError: a field is out of its bounds.
    """

    updates: int = 2000
    """Number of updates of the whole training.  Schedules depend on it, so a resumed run must have the
    same."""
    batch_size: int | None = None
    """Number of clips in an update, for each process."""
    lr: float | None = None
    """Peak learning rate of AdamW, between a linear warm-up and a cosine decay to 0."""
    weight_decay: float | None = None
    """Weight decay of AdamW for weights of two or more axes; biases and scales have none."""
    warmup_fraction: float = 0.05
    """Fraction of all updates in which the learning rate rises, in [0, 1)."""
    max_grad_norm: float = 10.0
    """Gradient norm above which gradients are clipped."""
    amp: Literal["bf16", "fp16"] | None = None
    """Half precision of the forward pass between pixels and losses; None is float32."""
    single_source_batches: bool = False
    """Draw all clips of an update from one store, which suits contrastive methods; see `FrameClips`."""
    preload_to_device: bool = False
    """Copy all frames to the device at the start."""
    seed: int = 0
    """Random seed of clips, augmentations and the initial weights of all modules but the encoder."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("updates", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {value}.")
        for name in ("lr", "max_grad_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"`{name}` must be above 0. Received {value}.")
        if self.weight_decay is not None and not self.weight_decay >= 0:
            raise ValueError(f"`weight_decay` must be at least 0. Received {self.weight_decay}.")
        if not 0 <= self.warmup_fraction < 1:
            raise ValueError(f"`warmup_fraction` must be in [0, 1). Received {self.warmup_fraction}.")
        if self.amp not in (None, "bf16", "fp16"):
            raise ValueError(f"`amp` must be None, 'bf16' or 'fp16'. Received {self.amp!r}.")
