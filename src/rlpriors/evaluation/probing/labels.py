"""What a probe shall read off a representation, on which frames it learns and on which it is judged.

`ProbeTask`   labels of several variables, and three parts of the frames without a common episode
`make_task`   from raw labels: short episodes, dull variables and repeated frames are left out
`frame_keys`  a number for each frame that equal frames share
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

__all__ = ["ProbeTask", "frame_keys", "make_task"]

CLASSES = 256
"""Labels are bytes."""
PARTS = (0.7, 0.1, 0.2)
TRIES = 64
"""Random splits that are drawn, of which the most even one is taken."""


@dataclass(frozen=True, eq=False, repr=False)
class ProbeTask:
    """Labels of `names`, and the frames on which probes learn, stop and are judged.

    Example:
        >>> level = np.arange(40) % 4
        >>> make_task({"level": level}, np.full(4, 10))
        ProbeTask(1 variables; 20 frames to learn from, 10 to stop by, 10 to judge by; 0 dropped)
    """

    names: tuple[str, ...]
    """Variables that are left."""
    labels: Int[np.ndarray, "frames variables"]
    """Their values in every frame, in 0..255."""
    categories: Mapping[str, tuple[str, ...]]
    """Which means each of them counts in."""
    train: Int[np.ndarray, " learning"]
    """Frames to learn from."""
    val: Int[np.ndarray, " stopping"]
    """Frames that decide when to stop, and the learning rate."""
    test: Int[np.ndarray, " judging"]
    """Frames to judge by."""
    dropped: Mapping[str, str]
    """Variables that were left out, and why."""

    def __repr__(self) -> str:
        """Sizes, not contents."""
        return (
            f"ProbeTask({len(self.names)} variables; {len(self.train)} frames to learn from, "
            f"{len(self.val)} to stop by, {len(self.test)} to judge by; {len(self.dropped)} dropped)"
        )


def make_task(
    labels: Mapping[str, Int[np.ndarray, " _"]],
    lengths: Int[np.ndarray, " episodes"],
    *,
    categories: Mapping[str, Sequence[str]] | None = None,
    keys: Int[np.ndarray, " _"] | None = None,
    seed: int = 0,
    min_frames: int = 1,
    least_entropy: float = 0.6,
) -> ProbeTask:
    """Split by episodes, 70 / 10 / 20 %, and leave out what says nothing about a representation.

    `lengths` are the frames of each episode; episodes shorter than `min_frames` are left out
    (AtariARI, arXiv 1906.08226, takes 65).  Of many random splits that one is taken whose three parts
    are most alike, in their labels and in their share of the frames.  Dropped are test frames that
    also stand in another part (`keys` tells which are equal, see `frame_keys`), variables of less
    than `least_entropy` nats, and those that are constant in the test part.

    Variables without an entry in `categories` count in none; without `categories` all are one.

    Raises:
        ValueError: labels are not integers in 0..255 or of another length than the frames, fewer than
            three episodes, or nothing is left.
    """
    names = tuple(labels)
    table = _table(labels, lengths)
    if keys is not None and len(keys) != len(table):
        raise ValueError(f"`keys` must have a row for each of {len(table)} frames. Received {len(keys)}.")
    long_enough = np.flatnonzero(lengths >= min_frames)
    if len(long_enough) < 3:
        raise ValueError(
            f"`lengths` must name at least 3 episodes of at least {min_frames} frames, one for each part. "
            f"Received {len(long_enough)} (of {len(lengths)}); collect more, or lower `min_frames`."
        )
    rows = [np.arange(end - length, end) for end, length in zip(np.cumsum(lengths), lengths, strict=True)]
    kept = np.concatenate([rows[episode] for episode in long_enough])
    entropies = [_entropy(column) for column in table[kept].T]
    dropped = {
        name: f"entropy {entropy:.2f} nats, below {least_entropy:g}"
        for name, entropy in zip(names, entropies, strict=True)
        if entropy < least_entropy
    }
    alive = np.array([name not in dropped for name in names])
    histograms = _histograms([table[rows[episode]][:, alive] for episode in long_enough])
    part = split_episodes(histograms, lengths[long_enough], np.random.default_rng(seed))
    train, val, test = (
        np.concatenate([rows[episode] for episode in long_enough[part == number]]) for number in range(3)
    )
    if keys is not None:
        test = test[~np.isin(keys[test], keys[np.concatenate([train, val])])]
        if not len(test):
            raise ValueError(
                "Every frame of the test part stands in another part too. Collect more frames, or by a "
                "policy that gets further."
            )
    for index in np.flatnonzero(alive):
        if (table[test, index] == table[test[0], index]).all():
            dropped[names[index]] = "constant in the test part"
    left = tuple(name for name in names if name not in dropped)
    if not left:
        told = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())
        raise ValueError(f"`labels` must hold a variable that varies. All were dropped: {told}.")
    known = {name: ("all",) for name in left} if categories is None else categories
    return ProbeTask(
        names=left,
        labels=table[:, [names.index(name) for name in left]],
        categories={name: tuple(known.get(name, ())) for name in left},
        train=train,
        val=val,
        test=test,
        dropped=dropped,
    )


def frame_keys(frames: Shaped[np.ndarray, "frames *rest"]) -> Int[np.ndarray, " frames"]:
    """A 64-bit digest of each frame: equal frames have the same, and others (almost surely) do not."""
    digests = [blake2b(np.ascontiguousarray(frame).data, digest_size=8).digest() for frame in frames]
    return np.frombuffer(b"".join(digests), np.int64)


def split_episodes(
    histograms: Float[np.ndarray, "episodes classes"],
    lengths: Int[np.ndarray, " episodes"],
    rng: np.random.Generator,
) -> Int[np.ndarray, " episodes"]:
    """Which part (0 train, 1 val, 2 test) each of at least three episodes belongs to.

    `histograms` count each class of each variable.  The split is the most even of many random ones:
    the sum of how far labels of the second and third part are from those of the first (total
    variation of `histograms`' rows) and how far shares of frames are from 70 / 10 / 20 %.
    """
    count = len(lengths)
    n_val, n_test = (max(1, round(share * count)) for share in PARTS[1:])
    n_test = min(n_test, count - n_val - 1)
    part = np.repeat([0, 1, 2], [count - n_val - n_test, n_val, n_test])
    best, chosen = np.inf, part
    for _ in range(TRIES):
        drawn = rng.permutation(part)
        member = (drawn == np.arange(3)[:, None]).astype(np.float32)
        sums = member @ histograms
        shares = sums / np.maximum(sums.sum(1, keepdims=True), 1)
        uneven = sum(float(np.abs(shares[other] - shares[0]).sum()) / 2 for other in (1, 2))
        uneven += float(np.abs(member @ lengths / lengths.sum() - PARTS).sum())
        if uneven < best:
            best, chosen = uneven, drawn
    return chosen


def _table(
    labels: Mapping[str, Int[np.ndarray, " _"]], lengths: Int[np.ndarray, " episodes"]
) -> Int[np.ndarray, "frames variables"]:
    if not labels:
        raise ValueError("`labels` must hold at least one variable. Received none.")
    if not len(lengths) or lengths.min() < 1:
        raise ValueError(f"`lengths` must be at least 1 for each episode. Received {lengths.tolist()}.")
    total = int(lengths.sum())
    for name, values in labels.items():
        if len(values) != total:
            raise ValueError(
                f"`labels` must have a value for each of {total} frames. Received {len(values)} for {name!r}."
            )
        outside: Bool[np.ndarray, " frames"] = (values < 0) | (values >= CLASSES)
        if outside.any():
            raise ValueError(
                f"`labels` must be in 0..{CLASSES - 1}. Received {values[outside][0]} for {name!r} in frame "
                f"{int(np.flatnonzero(outside)[0])}; sort continuous values into bins."
            )
    return np.stack([np.asarray(values, np.int64) for values in labels.values()], axis=1)


def _entropy(values: Int[np.ndarray, " frames"]) -> float:
    counts = np.bincount(values)
    shares = counts[counts > 0] / len(values)
    return float(-(shares * np.log(shares)).sum())


def _histograms(tables: Sequence[Int[np.ndarray, "_ variables"]]) -> Float[np.ndarray, "episodes classes"]:
    """How often each value of each variable comes, episode by episode."""
    width = tables[0].shape[1]
    offsets = CLASSES * np.arange(width)
    counts = np.stack(
        [np.bincount((table + offsets).ravel(), minlength=CLASSES * width) for table in tables]
    ).astype(np.float32)
    return counts[:, counts.any(0)]
