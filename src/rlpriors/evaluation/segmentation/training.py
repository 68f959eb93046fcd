"""Training of segmentation networks, with a frozen or a fine-tuned encoder.

`SegmentationSettings`  head, mode, training length and learning rates
`fit_segmenter`         training of a `Segmenter`
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, cos, pi
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from rlpriors.encoders.backbones.blocks import layer_decay_groups
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.evaluation.segmentation.metrics import IGNORED, check_labels
from rlpriors.evaluation.segmentation.segmenter import CHUNK, Segmenter, predict
from rlpriors.networks.segmentation import HEADS
from rlpriors.settings import check_fields

__all__ = ["SegmentationMode", "SegmentationSettings", "Segmenter", "fit_segmenter", "predict"]

SegmentationMode = Literal["frozen", "full"]
MEASURED = 512
"""Number of frames that measure the scale of maps in mode "full"."""


@dataclass(frozen=True)
class SegmentationSettings:
    """Training settings of a `Segmenter`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    head: str = "linear"
    """Head over the maps, a name of `HEADS`."""
    mode: SegmentationMode = "frozen"
    """Trained weights: "frozen" trains the head, "full" also the encoder."""
    updates: int = 300
    """Number of gradient updates, at least 1."""
    batch_size: int = 16
    """Number of frames in an update, at least 1; at most all frames."""
    lr: float = 1e-2
    """Peak learning rate of the head, after a linear warm-up and before a cosine decay to 0."""
    encoder_lr: float = 1e-3
    """Peak learning rate of the encoder's last block in mode "full"."""
    layer_decay: float = 0.75
    """Factor of the encoder's learning rate from each block to the previous one, in (0, 1]; see
    `rlpriors.encoders.backbones.blocks.layer_decay_groups`."""
    balance: float = 0.5
    """Exponent of the class weights (fraction of pixels)^-balance, from 0 (equal pixels) to 1 (equal
    classes; Eigen and Fergus 2015, arXiv 1411.4734)."""
    weight_decay: float = 0.05
    """Weight decay of weights with two or more axes; biases and scales have none."""
    warm_up: float = 0.1
    """Fraction of all updates in the learning rate's warm-up, in [0, 1)."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.head not in HEADS:
            raise ValueError(f"`head` must be one of {list(HEADS)}. Received {self.head!r}.")
        if self.mode not in get_args(SegmentationMode):
            raise ValueError(
                f"`mode` must be one of {list(get_args(SegmentationMode))}. Received {self.mode!r}."
            )
        for name in ("updates", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("lr", "encoder_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0. Received {getattr(self, name)}.")
        if not 0 <= self.balance <= 1:
            raise ValueError(f"`balance` must be in [0, 1]. Received {self.balance}.")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"`layer_decay` must be in (0, 1]. Received {self.layer_decay}.")
        if not self.weight_decay >= 0:
            raise ValueError(f"`weight_decay` must be at least 0. Received {self.weight_decay}.")
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"`warm_up` must be in [0, 1). Received {self.warm_up}.")


def fit_segmenter(
    encoder: ImageEncoder,
    frames: UInt8[np.ndarray, "frames height width channels"],
    masks: UInt8[np.ndarray, "frames height width"],
    n_classes: int,
    settings: SegmentationSettings | None = None,
    *,
    seed: int = 0,
    progress: bool = False,
) -> Segmenter:
    """Train a head over a copy of `encoder` on labeled frames; `mode="full"` trains the copy too.

    Masks hold classes 0..n_classes-1, and 255 for pixels that are left out; both arrays may be
    memory-mapped.  The loss is the cross-entropy of pixels with the class weights of `balance`; the
    optimizer is AdamW.  A frozen encoder encodes each frame once, and the maps stay in memory: `dim` x
    rows x columns floats for each frame.  `seed` sets the head's initial weights and the batches; on a
    CPU, equal seeds give bit-equal results.

    Raises:
        ValueError: the encoder has no maps or crops the frames, there are no frames, masks do not fit
            them, or labels are out of range.
        FloatingPointError: the loss is NaN or infinite.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("vit-nano", weights="none", input_size=(32, 32), device="cpu")
        >>> frames = np.zeros((4, 32, 32, 3), np.uint8)
        >>> frames[:, :, 16:] = 255
        >>> settings = SegmentationSettings(updates=30, lr=0.01)
        >>> segmenter = fit_segmenter(encoder, frames, frames[..., 0] // 255, 2, settings)
        >>> predict(segmenter, frames)[0, 0, ::8].tolist()
        [0, 0, 1, 1]
    """
    settings = SegmentationSettings() if settings is None else settings
    size = _check(encoder, frames, masks, n_classes)
    frozen = settings.mode == "frozen"
    body = copy.deepcopy(encoder).freeze()
    segmenter = Segmenter(body, n_classes, settings.head, seed=seed)
    device = body.device
    rows = np.arange(len(frames))
    if not frozen:
        rows = np.unique(np.linspace(0, len(frames) - 1, MEASURED).astype(np.int64))
    maps = _encode(segmenter, frames, rows)
    segmenter.standardize(maps)
    groups = layer_decay_groups(
        segmenter.head, settings.lr, layer_decay=1.0, weight_decay=settings.weight_decay
    )
    if not frozen:
        body.unfreeze().readout.requires_grad_(False)
        groups += layer_decay_groups(
            body.backbone,
            settings.encoder_lr,
            layer_decay=settings.layer_decay,
            weight_decay=settings.weight_decay,
        )
    optim = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(optim, lambda update: _rate(update, settings))
    weight = _class_weights(masks, n_classes, settings.balance).to(device)
    segmenter.train()
    loss = torch.zeros(())
    with (
        _randomness(device, seed),
        tqdm(total=settings.updates, desc="segmentation", disable=not progress, leave=False) as bar,
    ):
        for batch in _batches(len(frames), settings, seed):
            if frozen:
                logits = segmenter.decode(maps[torch.from_numpy(batch)].to(device), size)
            else:
                logits = segmenter(np.array(frames[batch]))
            loss = _loss(logits, torch.from_numpy(np.array(masks[batch])).to(device), weight)
            optim.zero_grad(set_to_none=True)
            loss.backward()
            optim.step()
            schedule.step()
            bar.update(1)
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"The training loss must be finite. Received {loss.item()}; lower `lr` ({settings.lr})."
        )
    if not frozen:
        body.freeze().state_version += 1  # earlier encodings are out of date
    return segmenter.eval()


def _check(encoder: ImageEncoder, frames: np.ndarray, masks: np.ndarray, n_classes: int) -> tuple[int, int]:
    """Check frames and masks; return the frames' rows and columns."""
    if not len(frames):
        raise ValueError("`frames` must hold at least one image. Received none.")
    checked = encoder.preprocess.check(frames[:1])
    size = (int(checked.shape[1]), int(checked.shape[2]))
    if masks.shape != (len(frames), *size):
        raise ValueError(
            f"`masks` must be {(len(frames), *size)}, one of each frame's size. Received {masks.shape}."
        )
    spec = encoder.spec
    whole = size[0] * spec.input_size[1] == size[1] * spec.input_size[0]
    if spec.resize == "shortest_crop" or (spec.resize == "crop_other_sizes" and size != spec.input_size):
        whole = whole and spec.crop_pct == 1
    if spec.resize in ("pad", "shortest_crop", "crop_other_sizes") and not whole:
        raise ValueError(
            f"`encoder` must read whole frames, so that its maps fit the masks. Received "
            f'{spec.name!r} with resize={spec.resize!r} for frames of {size}; load it with resize="squash".'
        )
    check_labels("masks", masks, n_classes)
    if not any((masks[first : first + CHUNK] != IGNORED).any() for first in range(0, len(masks), CHUNK)):
        raise ValueError(f"`masks` must label at least one pixel. Received only {IGNORED}.")
    return size


def _encode(segmenter: Segmenter, frames: np.ndarray, rows: np.ndarray) -> Tensor:
    chunks = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    with torch.no_grad():
        return torch.cat([segmenter.maps(np.array(frames[chunk])).cpu() for chunk in chunks])


def _batches(count: int, settings: SegmentationSettings, seed: int) -> Int[np.ndarray, "updates batch"]:
    """Draw the rows of each update from repeated random permutations of all rows."""
    mixed, size = np.random.default_rng(seed), min(settings.batch_size, count)
    rounds = ceil(settings.updates * size / count)
    rows = np.concatenate([mixed.permutation(count) for _ in range(rounds)])
    return rows[: settings.updates * size].reshape(settings.updates, size)


def _class_weights(masks: np.ndarray, n_classes: int, balance: float) -> Float[Tensor, " classes"]:
    """Compute the weight of each class, with mean 1 over labeled pixels; 0 for classes without pixels."""
    chunks = (np.asarray(masks[first : first + CHUNK]) for first in range(0, len(masks), CHUNK))
    counts = sum(np.bincount(chunk.ravel(), minlength=IGNORED + 1)[:n_classes] for chunk in chunks)
    fraction = torch.from_numpy(counts / np.sum(counts))
    weight = torch.where(fraction > 0, fraction.clamp_min(1e-12) ** -balance, 0.0)
    return (weight / (weight * fraction).sum()).float()


def _loss(
    logits: Tensor, truth: UInt8[Tensor, "batch height width"], weight: Float[Tensor, " classes"]
) -> Float[Tensor, ""]:
    truth = truth.long()
    counted = F.pad(weight, (0, IGNORED + 1 - len(weight)))[truth].sum()
    total = F.cross_entropy(logits, truth, weight=weight, ignore_index=IGNORED, reduction="sum")
    return total / counted.clamp_min(weight.max())  # a batch may have no labeled pixel


def _rate(update: int, settings: SegmentationSettings) -> float:
    """Compute the fraction of the peak learning rate."""
    warm_up = max(1, round(settings.warm_up * settings.updates))
    if update < warm_up:
        return (update + 1) / warm_up
    done = (update - warm_up) / max(1, settings.updates - warm_up)
    return (1 + cos(pi * min(1.0, done))) / 2


@contextmanager
def _randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the generators of dropout on the CPU and on `device`, and restore them at the end."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
