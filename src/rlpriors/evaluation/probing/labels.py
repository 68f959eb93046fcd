"""Probing tasks: labels of variables and a split of the frames by episodes.

`ProbeTask`       labels and the frames for training, validation and testing
`make_task`       task from raw labels, without short episodes, constant variables and repeated frames
`split_episodes`  balanced split of the episodes
`frame_keys`      number for each frame that equal frames share
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from rlpriors.arguments import check_arguments

__all__ = ["ProbeTask", "frame_keys", "make_task"]

CLASSES = 256
"""Number of label values; labels are bytes."""
PARTS = (0.7, 0.1, 0.2)
"""Fractions of the frames for training, validation and testing."""
TRIES = 64
"""Number of random splits, from which the most balanced one is chosen."""


@dataclass(frozen=True, eq=False, repr=False)
class ProbeTask:
    """Labels of the variables in `names`, and the frames for training, validation and testing.

    Example:
        >>> level = np.arange(40) % 4
        >>> make_task({"level": level}, np.full(4, 10))
        ProbeTask(1 variables; 20 training, 10 validation, 10 test frames; 0 dropped)
    """

    names: tuple[str, ...]
    """Names of the variables."""
    labels: Int[np.ndarray, "frames variables"]
    """Values of the variables in every frame, in 0..255."""
    episodes: Int[np.ndarray, " frames"]
    """Episode of every frame, counted from 0."""
    categories: Mapping[str, tuple[str, ...]]
    """Categories of each variable, whose means it enters."""
    train: Int[np.ndarray, " train"]
    """Training frames."""
    val: Int[np.ndarray, " val"]
    """Validation frames, which set the learning rate and the end of training."""
    test: Int[np.ndarray, " test"]
    """Test frames."""
    dropped: Mapping[str, str]
    """Dropped variables, with the reason."""

    def __repr__(self) -> str:
        """Return a summary of the sizes."""
        return (
            f"ProbeTask({len(self.names)} variables; {len(self.train)} training, {len(self.val)} validation, "
            f"{len(self.test)} test frames; {len(self.dropped)} dropped)"
        )


@check_arguments
def make_task(
    labels: Mapping[str, Int[np.ndarray, " _"]],
    lengths: Int[np.ndarray, " episodes"],
    *,
    categories: Mapping[str, Sequence[str]] | None = None,
    keys: Int[np.ndarray, " _"] | None = None,
    seed: int = 0,
    min_frames: int = 1,
    min_entropy: float = 0.6,
) -> ProbeTask:
    """Make a task: split the episodes 70 / 10 / 20 % and drop uninformative variables and frames.

    `lengths` are the numbers of frames of the episodes.  Episodes shorter than `min_frames` are left out
    (AtariARI, arXiv 1906.08226, uses 65).  The split is the most balanced of many random ones, in its
    labels and its numbers of frames.  Dropped are test frames that occur in another part (equal frames
    share a number in `keys`, see `frame_keys`), variables of less than `min_entropy` nats, and variables
    that are constant in the test part.

    A variable without an entry in `categories` belongs to no category; without `categories` all belong
    to one.

    Raises:
        ValueError: labels are not integers in 0..255, their number differs from that of the frames,
            there are fewer than three episodes, or no variable is left.
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
    used = np.concatenate([rows[episode] for episode in long_enough])
    entropies = [_entropy(column) for column in table[used].T]
    dropped = {
        name: f"entropy {entropy:.2f} nats, below {min_entropy:g}"
        for name, entropy in zip(names, entropies, strict=True)
        if entropy < min_entropy
    }
    informative = np.array([name not in dropped for name in names])
    histograms = _histograms([table[rows[episode]][:, informative] for episode in long_enough])
    part = split_episodes(histograms, lengths[long_enough], np.random.default_rng(seed))
    train, val, test = (
        np.concatenate([rows[episode] for episode in long_enough[part == number]]) for number in range(3)
    )
    if keys is not None:
        test = test[~np.isin(keys[test], keys[np.concatenate([train, val])])]
        if not len(test):
            raise ValueError(
                "The test part must hold a frame that no other part holds. Received none; collect more "
                "frames, or use a policy that reaches more states."
            )
    for index in np.flatnonzero(informative):
        if (table[test, index] == table[test[0], index]).all():
            dropped[names[index]] = "constant in the test part"
    kept = tuple(name for name in names if name not in dropped)
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())
        raise ValueError(f"`labels` must hold a variable that varies. Received only dropped ones: {reasons}.")
    known = {name: ("all",) for name in kept} if categories is None else categories
    return ProbeTask(
        names=kept,
        labels=table[:, [names.index(name) for name in kept]],
        episodes=np.repeat(np.arange(len(lengths)), lengths),
        categories={name: tuple(known.get(name, ())) for name in kept},
        train=train,
        val=val,
        test=test,
        dropped=dropped,
    )


@check_arguments
def frame_keys(frames: Shaped[np.ndarray, "frames *rest"]) -> Int[np.ndarray, " frames"]:
    """Compute a 64-bit digest of each frame, the same for equal frames."""
    digests = [blake2b(np.ascontiguousarray(frame).data, digest_size=8).digest() for frame in frames]
    return np.frombuffer(b"".join(digests), np.int64)


def split_episodes(
    histograms: Float[np.ndarray, "episodes classes"],
    lengths: Int[np.ndarray, " episodes"],
    rng: np.random.Generator,
) -> Int[np.ndarray, " episodes"]:
    """Assign each of at least three episodes to a part: 0 train, 1 val, 2 test.

    `histograms` count each class of each variable.  The split minimizes a sum over many random ones: the
    total variation between the labels of the second and third part and those of the first, and the
    deviation of the numbers of frames from 70 / 10 / 20 %.
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
    """Count each value of each variable in each episode."""
    width = tables[0].shape[1]
    offsets = CLASSES * np.arange(width)
    counts = np.stack(
        [np.bincount((table + offsets).ravel(), minlength=CLASSES * width) for table in tables]
    ).astype(np.float32)
    return counts[:, counts.any(0)]
