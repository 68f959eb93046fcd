"""What an encoder knows of each pixel: segmentation by a head over its maps.

`SegmentationSettings`  which head, what learns, how long and how fast
`fit_segmenter`         trains a `Segmenter`, the head alone or everything
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

from rlpriors.encoders.backbones.blocks import layer_groups
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.evaluation.segmentation.metrics import IGNORED, check_labels
from rlpriors.evaluation.segmentation.segmenter import CHUNK, Segmenter, predict
from rlpriors.networks.segmentation import HEADS

__all__ = ["SegmentationMode", "SegmentationSettings", "Segmenter", "fit_segmenter", "predict"]

SegmentationMode = Literal["frozen", "full"]
MEASURED = 512
"""Frames that the scale of maps is measured on where they are not all encoded beforehand."""


@dataclass(frozen=True)
class SegmentationSettings:
    """How a `Segmenter` is trained.

    Raises:
        ValueError: a field is out of its bounds.
    """

    head: str = "linear"
    """What reads the maps: a name of `HEADS`."""
    mode: SegmentationMode = "frozen"
    """What learns: the head alone, or the encoder with it."""
    updates: int = 300
    """Updates of the whole training, at least 1."""
    batch_size: int = 16
    """Frames in an update, at least 1; all, where there are fewer."""
    lr: float = 1e-2
    """Highest learning rate of the head, between a linear warm-up and a cosine to nothing."""
    encoder_lr: float = 1e-3
    """The same of the encoder's last block, by mode "full"."""
    layer_decay: float = 0.75
    """By how much the encoder's learning rate falls from each block to the one before it, in (0, 1]; see
    `rlpriors.encoders.backbones.blocks.layer_groups`."""
    balance: float = 0.5
    """By how much rare classes count more: as (part of all pixels)^-balance, from 0 (each pixel alike) to 1
    (each class alike: Eigen and Fergus 2015, arXiv 1411.4734)."""
    weight_decay: float = 0.05
    """Of weights of two or more axes; biases and scales have none."""
    warm_up: float = 0.1
    """The part of all updates that the learning rate rises in, in [0, 1)."""

    def __post_init__(self) -> None:
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
    """Train a head over a copy of `encoder`, and with `mode="full"` that copy too, on labeled frames.

    Masks hold classes 0..n_classes-1, and 255 where a pixel is not judged; both arrays may be mapped
    from a file.  The loss is the cross-entropy of pixels, those of rare classes counting more by
    `balance`; the optimizer is AdamW.  What is seen of each frame is encoded once where the encoder is
    frozen, and held in memory: `dim` x rows x columns floats for each.  `seed` decides the head's
    first weights and the batches; on a CPU the same seed gives the same bits.

    Raises:
        ValueError: the encoder gives no maps or sees only a part of the frames; there are no frames, not
            one mask for each, of its size; or labels out of range.
        FloatingPointError: the loss is no number any more.

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
    seen = _encode(segmenter, frames, rows)
    segmenter.standardize(seen)
    groups = layer_groups(segmenter.head, settings.lr, layer_decay=1.0, weight_decay=settings.weight_decay)
    if not frozen:
        body.unfreeze().readout.requires_grad_(False)
        groups += layer_groups(
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
                logits = segmenter.read(seen[torch.from_numpy(batch)].to(device), size)
            else:
                logits = segmenter(np.array(frames[batch]))
            loss = _loss(logits, torch.from_numpy(np.array(masks[batch])).to(device), weight)
            optim.zero_grad(set_to_none=True)
            loss.backward()
            optim.step()
            schedule.step()
            bar.update(1)
    if not torch.isfinite(loss):
        raise FloatingPointError(f"The loss is {loss.item()} in the end. Lower `lr` ({settings.lr}).")
    if not frozen:
        body.freeze().changes += 1  # what was encoded before is out of date
    return segmenter.eval()


def _check(encoder: ImageEncoder, frames: np.ndarray, masks: np.ndarray, n_classes: int) -> tuple[int, int]:
    """Rows and columns of frames, where they and masks are fit to train on."""
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
    if spec.resize == "shortest_crop":
        whole = whole and spec.crop_pct == 1
    if spec.resize in ("pad", "shortest_crop") and not whole:
        raise ValueError(
            f"`encoder` must see whole frames and nothing else, so that its maps lie over masks. Received "
            f'{spec.name!r} with resize={spec.resize!r} for frames of {size}; load it with resize="squash".'
        )
    check_labels("masks", masks, n_classes)
    if not any((masks[first : first + CHUNK] != IGNORED).any() for first in range(0, len(masks), CHUNK)):
        raise ValueError(f"`masks` must judge at least one pixel. Received none that is not {IGNORED}.")
    return size


def _encode(segmenter: Segmenter, frames: np.ndarray, rows: np.ndarray) -> Tensor:
    chunks = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    with torch.no_grad():
        return torch.cat([segmenter.maps(np.array(frames[chunk])).cpu() for chunk in chunks])


def _batches(count: int, settings: SegmentationSettings, seed: int) -> Int[np.ndarray, "updates batch"]:
    """Rows for each update: all of them in random order, again and again."""
    mixed, size = np.random.default_rng(seed), min(settings.batch_size, count)
    rounds = ceil(settings.updates * size / count)
    rows = np.concatenate([mixed.permutation(count) for _ in range(rounds)])
    return rows[: settings.updates * size].reshape(settings.updates, size)


def _class_weights(masks: np.ndarray, n_classes: int, balance: float) -> Float[Tensor, " classes"]:
    """What a pixel of each class counts, 1 in the mean over judged pixels; 0 where nothing is of a class."""
    chunks = (np.asarray(masks[first : first + CHUNK]) for first in range(0, len(masks), CHUNK))
    counts = sum(np.bincount(chunk.ravel(), minlength=IGNORED + 1)[:n_classes] for chunk in chunks)
    part = torch.from_numpy(counts / np.sum(counts))
    weight = torch.where(part > 0, part.clamp_min(1e-12) ** -balance, 0.0)
    return (weight / (weight * part).sum()).float()


def _loss(
    logits: Tensor, truth: UInt8[Tensor, "batch height width"], weight: Float[Tensor, " classes"]
) -> Float[Tensor, ""]:
    truth = truth.long()
    counted = F.pad(weight, (0, IGNORED + 1 - len(weight)))[truth].sum()
    total = F.cross_entropy(logits, truth, weight=weight, ignore_index=IGNORED, reduction="sum")
    return total / counted.clamp_min(weight.max())  # a batch may have nothing that is judged


def _rate(update: int, settings: SegmentationSettings) -> float:
    """Part of the highest learning rate."""
    warm_up = max(1, round(settings.warm_up * settings.updates))
    if update < warm_up:
        return (update + 1) / warm_up
    done = (update - warm_up) / max(1, settings.updates - warm_up)
    return (1 + cos(pi * min(1.0, done))) / 2


@contextmanager
def _randomness(device: torch.device, seed: int) -> Iterator[None]:
    """What dropout draws from, on the CPU and on `device`: seeded inside, and put back."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
