"""Batches of short stretches of frames, from a store on disk to the device.

`Batch`          frames of some windows, and the actions between them
`Actions`        what an action is in this data
`FrameWindows`   draws batches; which ones is a function of the seed and the update alone
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

__all__ = ["Actions", "Batch", "FrameWindows"]


class Batch(NamedTuple):
    """Windows of `horizon` frames, `stride` steps apart; they never leave their episode."""

    frames: UInt8[Tensor, "batch horizon height width channels"]
    act: Float[Tensor, "batch gaps act"] | None
    """Between a frame and the next: all `stride` actions end to end, Discrete ones as one-hot, others with
    mean 0 and deviation 1 in each entry over all stores; None where a store has none, and of no gaps
    where windows are single frames."""
    act_index: Int[Tensor, "batch gaps stride"] | None
    """The same as numbers, for Discrete actions."""


@dataclass(frozen=True)
class Actions:
    """What an action is in this data."""

    dim: int
    """Numbers of one action: its entries, or the number of choices."""
    discrete: bool
    """Whether it is a choice."""


class FrameWindows:
    """Draws batches of windows from one or several `FrameStore`s.

    The windows of an update depend on `seed` and its number alone, so that a run which was stopped
    goes on as if it had not been.  Frames of several stores must have one size; an action's number is
    taken to mean the same in all of them, and actions count only where all have them.  Float actions are
    normalized by all that were taken, so that a loss weighs torques and angles alike.  `n_actions` is
    the number of choices of Discrete actions, None to take the largest seen.  `one_store` draws each
    batch from one store, with chances like the numbers of windows: where windows are told from each other,
    those of other worlds are told by their looks.  `resident` copies all frames to the device once:
    right for a GPU, and for whatever fits in memory.

    Raises:
        ValueError: there is no store, no window fits into any episode, stores have frames of different
            sizes, or actions are not numbers of choices.

    Example:
        >>> import tempfile
        >>> from rlpriors.data.frames import FrameWriter
        >>> with FrameWriter(tempfile.mkdtemp() + "/walk") as writer:
        ...     writer.add_episode(np.zeros((9, 8, 8, 3), np.uint8), act=np.arange(9) % 4)
        >>> windows = FrameWindows(writer.store, horizon=2, stride=3, device="cpu")
        >>> batch = windows.draw(batch_size=5, seed=0, update=0)
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
        one_store: bool = False,
        resident: bool = False,
        device: str | torch.device = "auto",
    ) -> None:
        self.stores = (store,) if isinstance(store, FrameStore) else tuple(store)
        self.horizon, self.stride, self.one_store = horizon, stride, one_store
        self.device = resolve_device(device)
        shapes = {found.frames.shape[1:]: found.folder for found in reversed(self.stores)}
        if len(shapes) != 1:
            received = ", ".join(f"{shape} in {folder}" for shape, folder in shapes.items()) or "no store"
            raise ValueError(f"`store` must hold frames of one size. Received {received}; write them alike.")
        # Frames are numbered through all stores.
        self._firsts = np.cumsum([0, *(found.n_frames for found in self.stores)])
        starts = [
            first + found.window_starts(horizon, stride)
            for first, found in zip(self._firsts[:-1], self.stores, strict=True)
        ]
        self.starts = np.concatenate(starts)
        self.pools = starts if one_store else [self.starts]
        self.actions = _actions(self.stores, n_actions)
        self._normalizer = _normalizer(self.stores, self.actions, self.device)
        self._resident: Tensor | None = None
        if resident:
            whole = [torch.from_numpy(np.array(found.frames)).to(self.device) for found in self.stores]
            self._resident = torch.cat(whole) if len(whole) > 1 else whole[0]

    def like(self, store: FrameStore | Sequence[FrameStore]) -> "FrameWindows":
        """Such windows of other stores, whose actions mean what they mean here.

        Raises:
            ValueError: as for these; or actions are of another kind.
        """
        choices = self.actions.dim if self.actions is not None and self.actions.discrete else None
        found = FrameWindows(
            store, self.horizon, self.stride, n_actions=choices, one_store=self.one_store, device=self.device
        )
        if self.actions is None:
            found.actions = None
        elif found.actions not in (None, self.actions):
            raise ValueError(
                f"`store` must have actions of the kind {self.actions}. Received {found.actions}."
            )
        found._normalizer = self._normalizer
        return found

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Rows, columns and channels of a frame."""
        return tuple(self.stores[0].frames.shape[1:])

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.starts)

    def check(self, batch_size: int, parts: int = 1) -> None:
        """Refuse batches that cannot be drawn.

        Raises:
            ValueError: there are not so many windows, where `one_store` is set in each store.
        """
        fewest = min(len(pool) for pool in self.pools)
        if not 1 <= batch_size * parts <= fewest:
            where = " of the smallest store" if self.one_store else ""
            raise ValueError(
                f"`batch_size` must be at least 1 and, for {parts} processes together, at most the number of "
                f"windows{where}, {fewest}. Received {batch_size}; collect more frames or take smaller "
                "batches."
            )

    def draw(self, batch_size: int, seed: int, update: int, *, part: int = 0, parts: int = 1) -> Batch:
        """`batch_size` different windows; of `parts` processes, each gets others.

        Raises:
            ValueError: there are not so many.
        """
        self.check(batch_size, parts)
        rng = np.random.default_rng((seed, update))
        pool = self.pools[0]
        if self.one_store:
            pool = self.pools[rng.choice(len(self.pools), p=[len(p) / len(self) for p in self.pools])]
        chosen = rng.choice(len(pool), batch_size * parts, replace=False)
        return self.at(pool[chosen[part::parts]])

    def at(self, starts: Int[np.ndarray, " batch"]) -> Batch:
        """The windows that begin at these frames, counted through all stores."""
        rows = starts[:, None] + self.stride * np.arange(self.horizon)
        if self._resident is None:
            frames = torch.from_numpy(self._rows(starts, rows, "frames")).to(self.device, non_blocking=True)
        else:
            frames = self._resident[torch.from_numpy(rows).to(self.device)]
        if self.actions is None:
            return Batch(frames, None, None)
        gaps = self.horizon - 1
        rows = starts[:, None] + np.arange(gaps * self.stride)
        act = torch.as_tensor(self._rows(starts, rows, "act"), device=self.device)
        if self._normalizer is not None:
            act = self._normalizer(act.float().reshape(len(starts), gaps, self.stride, self.actions.dim))
            return Batch(frames, act.flatten(2), None)
        index = act.long().reshape(len(starts), gaps, self.stride)
        return Batch(frames, F.one_hot(index, self.actions.dim).float().flatten(2), index)

    def _rows(
        self, starts: Int[np.ndarray, " batch"], rows: Int[np.ndarray, "batch time"], name: str
    ) -> np.ndarray:
        """Rows of an array, each from the store that its window begins in."""
        arrays = [store.frames if name == "frames" else store.arrays[name] for store in self.stores]
        found = np.empty((*rows.shape, *arrays[0].shape[1:]), arrays[0].dtype)
        owners = np.searchsorted(self._firsts, starts, "right") - 1
        for owner in np.unique(owners):
            mine = owners == owner
            found[mine] = arrays[owner][rows[mine] - self._firsts[owner]]
        return found


def _actions(stores: Sequence[FrameStore], n_actions: int | None) -> Actions | None:
    found = [_actions_of(store, n_actions) for store in stores]
    known = [actions for actions in found if actions is not None]
    if len(known) < len(found):
        return None
    kinds = {(actions.discrete, None if actions.discrete else actions.dim) for actions in known}
    if len(kinds) > 1:
        raise ValueError(f"`act` must be of one kind in all stores. Received {known}; learn from one alone.")
    return max(known, key=lambda actions: actions.dim)


def _normalizer(
    stores: Sequence[FrameStore], actions: Actions | None, device: torch.device
) -> Normalizer | None:
    """Of float actions; the same each time it is made of the same data, so nobody has to save it."""
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
            f"`act` must be one number for each step where actions are choices. Received shape {act.shape}; "
            "store actions of a Box space as floats."
        )
    low, high = int(act.min()), int(act.max())
    if low < 0 or (n_actions is not None and high >= n_actions):
        raise ValueError(
            f"`act` must be choices from 0 on{'' if n_actions is None else f', below {n_actions}'}. Received "
            f"{low} to {high}."
        )
    return Actions(high + 1 if n_actions is None else n_actions, discrete=True)
