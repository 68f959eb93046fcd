"""Features of several readouts from few passes through each network, for `benchmarks.probing.pearl`.

`ENCODERS`          encoders of the benchmark
`MAX_DIM`           longest vector that is probed
`PARTS`             readouts by the pass that gives them
`Networks`          networks of all encoders
`PearlEncoder`      network, weights and statistics of an encoder
`ProbedFrames`      frames of a game that are probed, with their previous frames
`frames_per_second` speed of a readout
`make_features`     vectors of every readout of a part
`shorten`           projection of long vectors to `MAX_DIM` numbers
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.backbones.timm import TimmBackbone
from rlpriors.encoders.calibration import bn_calibrate
from rlpriors.encoders.openvino_backend import Backend
from rlpriors.encoders.readouts.crops import Crops, TopKCrops
from rlpriors.encoders.readouts.lines import Lines
from rlpriors.encoders.readouts.motion import MotionMask
from rlpriors.encoders.readouts.pooling import Grid
from rlpriors.encoders.readouts.projections import SignProjection
from rlpriors.evaluation.probing.baselines import random_cnn
from rlpriors.evaluation.probing.labels import frame_keys
from rlpriors.types import Features

__all__ = [
    "ENCODERS",
    "MAX_DIM",
    "PARTS",
    "Networks",
    "PearlEncoder",
    "ProbedFrames",
    "frames_per_second",
    "make_features",
    "shorten",
]

LITE0, FILTERS, RANDOM_CNN = "efficientnet-lite0", "rlpriors/atari-filters", "random-cnn"
SIZE = (210, 160)
"""Height and width of a whole frame, the console's."""
CROP_SIZE = (84, 64)
"""Height and width to which the frame and its crops are resized for the readouts of crops."""
MAX_DIM = 512
"""Number of features that are probed; longer vectors are projected."""
CHUNK = 64
STRIDES = (8, 16, 32)
LINES_STRIDE = 16

GLOBAL, LINES, GRID = "global", "lines", "grid(4)"
CROPS, TOP_CROPS, MASK = "crops(1,2,4)", "topk-crops(4,difference)", "motion-mask(difference)"
PARTS = {"frame": (GLOBAL, GRID, LINES), "motion": (MASK,), "crops": (CROPS, TOP_CROPS)}
"""Readouts by the pass that gives them: whole frames, moving regions, or crops."""


class PearlEncoder(NamedTuple):
    """Network, weights and statistics of an encoder."""

    name: str
    """Name of the network."""
    weights: str
    """Weights: imagenet or random."""
    bn: str = "none"
    """Statistics of BatchNorm: original, calibrated, or none for a network without BatchNorm."""

    def readouts(self, part: str) -> tuple[str, ...]:
        """Return the names of the readouts of a part; those of maps name the stride of lite0."""
        if self.name != LITE0 or part != "frame":
            return PARTS[part]
        return GLOBAL, *(f"{GRID} at {stride}" for stride in STRIDES), f"{LINES} at {LINES_STRIDE}"

    def load(self, size: tuple[int, int], seed: int) -> ImageEncoder:
        """Return the encoder with its global vector, for gray images that are resized to `size`."""
        if self.name == FILTERS:  # a saved encoder has one size of images, and its filters suit any
            filters = load_encoder(
                "contrast-filters", weights="none", input_size=size, device="cpu", chunk_size=CHUNK
            )
            saved = load_encoder(self.name, readout="cls", device="cpu")
            filters.backbone.load_state_dict(saved.backbone.state_dict())
            return filters
        if self.name == RANDOM_CNN:
            return random_cnn((*size, 1), seed=seed, device="cpu")
        return load_encoder(
            self.name,
            weights="auto" if self.weights == "imagenet" else "none",
            input_size=size,
            device="cpu",
            chunk_size=CHUNK,
            seed=seed,
        )


ENCODERS = (
    PearlEncoder(LITE0, "imagenet", "calibrated"),
    PearlEncoder(LITE0, "random", "calibrated"),
    PearlEncoder(FILTERS, "random"),
    PearlEncoder(RANDOM_CNN, "random"),
    PearlEncoder(LITE0, "imagenet", "original"),
    PearlEncoder(LITE0, "random", "original"),
)


class ReadoutBackbone(Backbone):
    """Network whose global vector holds the vectors of several readouts, all from one pass.

    `sizes` are the lengths of these vectors, once the network has run.

    Args:
        backbone: the network.
        strides: strides of a network of timm whose maps are pooled; empty for the only map of others.
    """

    def __init__(self, backbone: Backbone, strides: tuple[int, ...] = ()) -> None:
        super().__init__(backbone.architecture)
        self.backbone = backbone
        self.sizes: dict[str, int] = {}
        self.strides = strides
        if strides:
            assert isinstance(backbone, TimmBackbone)
            every = [int(stage["reduction"]) for stage in backbone.network.feature_info]
            self.stages = [len(every) - 1 - every[::-1].index(stride) for stride in strides]

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        vectors = self.pool(x)
        self.sizes = {name: vector.shape[1] for name, vector in vectors.items()}
        return Features(torch.cat([*vectors.values()], 1), None, None)

    def pool(self, x: Tensor) -> dict[str, Tensor]:
        """Return the vectors of all readouts of whole images."""
        if not self.strides:
            features = self.backbone(x)
            return {
                GLOBAL: features.global_,
                GRID: Grid(4).pool(features),
                LINES: Lines().pool(features),
            }
        network = cast(Any, self.backbone.network)
        last, maps = network.forward_intermediates(x, indices=self.stages)
        by_stride = dict(zip(self.strides, (Features(x[:, :, 0, 0], None, m) for m in maps), strict=True))
        vectors = {GLOBAL: network.forward_head(last).flatten(1)}
        vectors |= {f"{GRID} at {stride}": Grid(4).pool(by_stride[stride]) for stride in self.strides}
        return vectors | {f"{LINES} at {LINES_STRIDE}": Lines().pool(by_stride[LINES_STRIDE])}


@dataclass(frozen=True, eq=False)
class ProbedFrames:
    """Frames of a game that are probed, with their previous frames."""

    frames: UInt8[np.ndarray, "frames height width channels"]
    """Frames."""
    previous: UInt8[np.ndarray, "frames height width channels"]
    """Frames one step earlier; at the beginning of an episode the same frame."""

    @classmethod
    def of_rows(cls, store: FrameStore, rows: Int[np.ndarray, " rows"]) -> "ProbedFrames":
        """Return the frames in `rows` of a store."""
        starts = np.cumsum([0, *store.lengths[:-1]])
        before = np.where(np.isin(rows, starts), rows, rows - 1)
        return cls(np.asarray(store.frames[rows]), np.asarray(store.frames[before]))


class Networks:
    """Networks of all encoders, each built once.

    `calibration` returns frames of other games for the statistics of BatchNorm.
    """

    def __init__(self, calibration: Callable[[], UInt8[np.ndarray, "images height width channels"]]) -> None:
        self.calibration = calibration
        self._built: dict[tuple[PearlEncoder, tuple[int, int], int], ImageEncoder] = {}

    def get(self, encoder: PearlEncoder, size: tuple[int, int], seed: int) -> ImageEncoder:
        """Return an encoder for images of `size`; for whole frames its vector holds several readouts."""
        key = (encoder, size, seed)
        if key not in self._built:
            plain = encoder.load(size, seed)
            strides = STRIDES if isinstance(plain.backbone, TimmBackbone) else ()
            backbone = ReadoutBackbone(plain.backbone, strides) if size == SIZE else plain.backbone
            backend: Backend = "openvino" if encoder.name == LITE0 else "torch"
            built = ImageEncoder(plain.spec, backbone, device="cpu", chunk_size=CHUNK, backend=backend)
            if encoder.bn == "calibrated":
                bn_calibrate(built, self.calibration(), seed=seed)
            self._built[key] = built
        return self._built[key]


def make_features(
    encoder: PearlEncoder, part: str, probed: ProbedFrames, networks: Networks, seed: int
) -> Mapping[str, Callable[[], Float[np.ndarray, "frames dim"]]]:
    """Return a function for each readout of a part that gives its vectors."""
    if part == "crops":
        return crop_features(networks.get(encoder, CROP_SIZE, seed), probed)
    network = networks.get(encoder, SIZE, seed)
    vectors = split(network, encode(network, probed.frames))
    if part == "frame":
        return {name: partial(np.asarray, vector) for name, vector in vectors.items()}
    mask, views = MotionMask("difference", alone=True), []
    for first in range(0, len(probed.frames), CHUNK):
        chunk, before = (torch.from_numpy(x[first : first + CHUNK]) for x in (probed.frames, probed.previous))
        views.append(mask.make_views(chunk, before).batches[0].numpy())
    moving = split(network, encode(network, np.concatenate(views)))[GLOBAL]
    return {MASK: lambda: np.concatenate([vectors[GLOBAL], moving], 1)}


def encode(encoder: ImageEncoder, frames: np.ndarray) -> Float[np.ndarray, "frames dim"]:
    """Return the vectors of all frames; equal frames are encoded once."""
    _, first, place = np.unique(frame_keys(frames), return_index=True, return_inverse=True)
    distinct = [encoder.encode(frames[first[i : i + CHUNK]]).numpy() for i in range(0, len(first), CHUNK)]
    return np.concatenate(distinct)[place]


def split(encoder: ImageEncoder, vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Return the vectors by readout."""
    backbone = encoder.backbone
    assert isinstance(backbone, ReadoutBackbone)
    sizes = backbone.sizes
    return dict(zip(sizes, np.split(vectors, np.cumsum([*sizes.values()])[:-1], axis=1), strict=True))


def crop_features(
    encoder: ImageEncoder, probed: ProbedFrames
) -> Mapping[str, Callable[[], Float[np.ndarray, "frames dim"]]]:
    """Return the vectors of both readouts of crops; the crops with motion are some of all crops."""
    crops, top = Crops((1, 2, 4)), TopKCrops(4, "difference")
    vectors, selected = [], []
    for first in range(0, len(probed.frames), CHUNK):
        chunk, before = (torch.from_numpy(x[first : first + CHUNK]) for x in (probed.frames, probed.previous))
        views = crops.make_views(chunk)
        vectors.append(encoder.encode_images(views.batches)[views.indices].numpy())
        selected.append(top.select_crops(chunk, before).numpy())
    by_crop = np.concatenate(vectors)  # the whole frame first, then quarters and sixteenths
    order = np.concatenate([np.zeros((len(by_crop), 1), int), np.concatenate(selected) + 1], 1)
    return {
        CROPS: lambda: by_crop.reshape(len(by_crop), -1),
        TOP_CROPS: lambda: np.take_along_axis(by_crop, order[:, :, None], 1).reshape(len(by_crop), -1),
    }


def shorten(
    vectors: Float[np.ndarray, "frames dim"], train: Int[np.ndarray, " train"] | None = None
) -> Float[np.ndarray, "frames shorter"]:
    """Return vectors of at most `MAX_DIM` numbers; longer ones are projected by random signs.

    With `train`, the rows of training frames, each number is standardized first.  A few large numbers would
    otherwise hide all others in the projection.
    """
    if vectors.shape[1] <= MAX_DIM:
        return vectors
    if train is not None:
        mean, std = vectors[train].mean(0), vectors[train].std(0)
        vectors = (vectors - mean) / np.where(std > 1e-6 * np.abs(mean), std, 1)
    projection = SignProjection(MAX_DIM)
    projection.build(vectors.shape[1])
    chunks = [projection(torch.from_numpy(chunk)).numpy() for chunk in np.array_split(vectors, 16)]
    return np.concatenate(chunks)


def frames_per_second(encoder: PearlEncoder, readout: str, n_frames: int = 64) -> float:
    """Return the frames per second of CPU time that a readout alone takes on one thread."""
    specification, _, stride = readout.partition(" at ")
    name = "cls" if specification == GLOBAL else specification
    plain = encoder.load(CROP_SIZE if readout in PARTS["crops"] else SIZE, 0)
    if encoder.name == LITE0:
        plain = load_encoder(
            replace(plain.spec, stride=int(stride) if stride else None),
            weights="none",
            readout=name,
            device="cpu",
            backend="openvino",
            chunk_size=CHUNK,
        )
    else:
        plain.set_readout(name)
    rng = np.random.default_rng(0)
    frames, before = rng.integers(256, size=(2, n_frames, *SIZE, 1), dtype=np.uint8)
    plain.encode(frames[:2], before[:2])
    start = time.process_time()
    plain.encode(frames, before)
    return n_frames / (time.process_time() - start)
