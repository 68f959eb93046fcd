"""Batches of clips, short frame sequences of one episode, from a store on disk to the device.

`ClipBatch`   frames of clips and the actions between them
`Actions`     kind and dimension of actions
`FrameClips`  sampler of batches, deterministic in seed and update
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from rlpriors.data.frames import FrameStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device

__all__ = ["Actions", "ClipBatch", "FrameClips"]


class ClipBatch(NamedTuple):
    """Clips of `horizon` frames, `stride` steps apart; a clip lies within one episode."""

    frames: UInt8[Tensor, "batch horizon height width channels"]
    act: Float[Tensor, "batch gaps act"] | None
    """Actions between a frame and the next: all `stride` actions concatenated.  Discrete actions are
    one-hot; others have mean 0 and standard deviation 1 in each entry over all stores.  None where a store
    has no actions; no gaps where clips are single frames."""
    act_index: Int[Tensor, "batch gaps stride"] | None
    """Indices of the same actions; None for actions that are not discrete."""


@dataclass(frozen=True)
class Actions:
    """Kind and dimension of actions."""

    dim: int
    """Number of entries of one action, or number of choices of a discrete action."""
    discrete: bool
    """True for discrete actions."""


class FrameClips:
    """Sampler of clips from one or several `FrameStore`s.

    The clips of an update depend on `seed` and the update's number alone, so that a resumed run draws the
    same clips as an uninterrupted one.  Frames of several stores must have one size.  An action index has
    the same meaning in all stores; actions are used only where all stores have them.  Float actions are
    normalized over all stores, so that a loss weights torques and angles equally.

    Args:
        store: one store of frames, or several.
        horizon: number of frames in a clip.
        stride: number of environment steps between two frames.
        n_actions: number of choices of discrete actions; None takes the largest index in the data.
        single_source_batches: draw each batch from one store, with probability proportional to its number
            of clips.  Otherwise a contrastive method separates clips of different environments by their
            appearance.
        preload_to_device: copy all frames to the device once; suits a GPU with enough memory.
        device: device of the batches.

    Raises:
        ValueError: there is no store, no clip fits into any episode, stores have frames of different
            sizes, or discrete actions are out of their bounds.

    Example:
        >>> import tempfile
        >>> from rlpriors.data.frame_writer import FrameWriter
        >>> with FrameWriter(tempfile.mkdtemp() + "/walk") as writer:
        ...     writer.add_episode(np.zeros((9, 8, 8, 3), np.uint8), act=np.arange(9) % 4)
        >>> clips = FrameClips(writer.store, horizon=2, stride=3, device="cpu")
        >>> batch = clips.draw(batch_size=5, seed=0, update=0)
        >>> batch.frames.shape, batch.act.shape, batch.act_index.shape
        (torch.Size([5, 2, 8, 8, 3]), torch.Size([5, 1, 12]), torch.Size([5, 1, 3]))
    """

    def __init__(
        self,
        store: FrameStore | Sequence[FrameStore],
        horizon: int = 1,
        stride: int = 1,
        *,
        n_actions: int | None = None,
        single_source_batches: bool = False,
        preload_to_device: bool = False,
        device: str | torch.device = "auto",
    ) -> None:
        self.stores = (store,) if isinstance(store, FrameStore) else tuple(store)
        self.horizon, self.stride, self.single_source_batches = horizon, stride, single_source_batches
        self.device = resolve_device(device)
        shapes = {each.frames.shape[1:]: each.folder for each in reversed(self.stores)}
        if len(shapes) != 1:
            received = ", ".join(f"{shape} in {folder}" for shape, folder in shapes.items()) or "no store"
            raise ValueError(
                f"`store` must hold frames of one size. Received {received}; write all frames in one size."
            )
        # Frames are numbered through all stores.
        self._offsets = np.cumsum([0, *(each.n_frames for each in self.stores)])
        starts = [
            offset + each.window_starts(horizon, stride)
            for offset, each in zip(self._offsets[:-1], self.stores, strict=True)
        ]
        self.starts = np.concatenate(starts)
        self.starts_by_source = starts if single_source_batches else [self.starts]
        self.actions = _common_actions(self.stores, n_actions)
        self._normalizer = _normalizer(self.stores, self.actions, self.device)
        self._preloaded: Tensor | None = None
        if preload_to_device:
            frames = [torch.from_numpy(np.array(each.frames)).to(self.device) for each in self.stores]
            self._preloaded = torch.cat(frames) if len(frames) > 1 else frames[0]

    def like(self, store: FrameStore | Sequence[FrameStore]) -> "FrameClips":
        """Return clips of other stores with the horizon, stride and action scale of these.

        Raises:
            ValueError: as for the constructor; or actions are of another kind.
        """
        choices = self.actions.dim if self.actions is not None and self.actions.discrete else None
        clips = FrameClips(
            store,
            self.horizon,
            self.stride,
            n_actions=choices,
            single_source_batches=self.single_source_batches,
            device=self.device,
        )
        if self.actions is None:
            clips.actions = None
        elif clips.actions not in (None, self.actions):
            raise ValueError(
                f"`store` must have actions of the kind {self.actions}. Received {clips.actions}."
            )
        clips._normalizer = self._normalizer
        return clips

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Rows, columns and channels of a frame."""
        return tuple(self.stores[0].frames.shape[1:])

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.starts)

    def check(self, batch_size: int, world_size: int = 1) -> None:
        """Check that batches of this size can be drawn.

        Raises:
            ValueError: `batch_size` times `world_size` exceeds the number of clips, or with
                `single_source_batches` the number of clips of the smallest store.
        """
        fewest = min(len(starts) for starts in self.starts_by_source)
        if not 1 <= batch_size * world_size <= fewest:
            where = " of the smallest store" if self.single_source_batches else ""
            raise ValueError(
                f"`batch_size` must be at least 1 and, for {world_size} processes together, at most the "
                f"number of clips{where}, {fewest}. Received {batch_size}; collect more frames or take "
                "smaller batches."
            )

    def draw(
        self, batch_size: int, seed: int, update: int, *, rank: int = 0, world_size: int = 1
    ) -> ClipBatch:
        """Draw `batch_size` different clips; each of `world_size` processes gets different ones.

        Raises:
            ValueError: as for `check`.
        """
        self.check(batch_size, world_size)
        rng = np.random.default_rng((seed, update))
        starts = self.starts_by_source[0]
        if self.single_source_batches:
            shares = [len(each) / len(self) for each in self.starts_by_source]
            starts = self.starts_by_source[rng.choice(len(shares), p=shares)]
        chosen = rng.choice(len(starts), batch_size * world_size, replace=False)
        return self.at(starts[chosen[rank::world_size]])

    def at(self, starts: Int[np.ndarray, " batch"]) -> ClipBatch:
        """Return the clips that begin at these frames, numbered through all stores."""
        rows = starts[:, None] + self.stride * np.arange(self.horizon)
        if self._preloaded is None:
            frames = torch.from_numpy(self._rows(starts, rows, "frames")).to(self.device, non_blocking=True)
        else:
            frames = self._preloaded[torch.from_numpy(rows).to(self.device)]
        if self.actions is None:
            return ClipBatch(frames, None, None)
        gaps = self.horizon - 1
        rows = starts[:, None] + np.arange(gaps * self.stride)
        act = torch.as_tensor(self._rows(starts, rows, "act"), device=self.device)
        if self._normalizer is not None:
            act = self._normalizer(act.float().reshape(len(starts), gaps, self.stride, self.actions.dim))
            return ClipBatch(frames, act.flatten(2), None)
        index = act.long().reshape(len(starts), gaps, self.stride)
        return ClipBatch(frames, F.one_hot(index, self.actions.dim).float().flatten(2), index)

    def _rows(
        self, starts: Int[np.ndarray, " batch"], rows: Int[np.ndarray, "batch time"], name: str
    ) -> np.ndarray:
        """Return rows of an array, each from the store in which its clip begins."""
        arrays = [store.frames if name == "frames" else store.arrays[name] for store in self.stores]
        gathered = np.empty((*rows.shape, *arrays[0].shape[1:]), arrays[0].dtype)
        sources = np.searchsorted(self._offsets, starts, "right") - 1
        for source in np.unique(sources):
            in_source = sources == source
            gathered[in_source] = arrays[source][rows[in_source] - self._offsets[source]]
        return gathered


def _common_actions(stores: Sequence[FrameStore], n_actions: int | None) -> Actions | None:
    per_store = [_actions_of(store, n_actions) for store in stores]
    known = [actions for actions in per_store if actions is not None]
    if len(known) < len(per_store):
        return None
    kinds = {(actions.discrete, None if actions.discrete else actions.dim) for actions in known}
    if len(kinds) > 1:
        raise ValueError(
            f"`act` must be of one kind in all stores. Received {known}; train on stores of one kind."
        )
    return max(known, key=lambda actions: actions.dim)


def _normalizer(
    stores: Sequence[FrameStore], actions: Actions | None, device: torch.device
) -> Normalizer | None:
    """Fit a normalizer of float actions; it is a function of the data and therefore not saved."""
    if actions is None or actions.discrete:
        return None
    act = np.concatenate([store.steps()["act"].reshape(-1, actions.dim) for store in stores])
    return (Normalizer.gaussian(act) if len(act) else Normalizer.identity(actions.dim)).to(device)


def _actions_of(store: FrameStore, n_actions: int | None) -> Actions | None:
    if "act" not in store.arrays:
        return None
    act = store.arrays["act"]
    if not np.issubdtype(act.dtype, np.integer):
        return Actions(prod(act.shape[1:]), discrete=False)
    if act.ndim != 1:
        raise ValueError(
            f"`act` must be one index for each step where actions are discrete. Received shape {act.shape}; "
            "store actions of a Box space as floats."
        )
    low, high = int(act.min()), int(act.max())
    if low < 0 or (n_actions is not None and high >= n_actions):
        raise ValueError(
            f"`act` must hold indices of at least 0{'' if n_actions is None else f' and below {n_actions}'}. "
            f"Received {low} to {high}."
        )
    return Actions(high + 1 if n_actions is None else n_actions, discrete=True)
