"""What recorded experience must be like, and the words for it when it is not.

`as_numbers`     an array of a settled number type
`as_flags`       an array of truth values
`as_lengths`     whole numbers of steps
`check_finite`   no NaN, no infinity; else the episode and the step
`check_columns`  columns that agree with the episodes' lengths
`within`         indices that exist
`at_least_one`   counts
"""

import numpy as np

__all__ = ["as_flags", "as_lengths", "as_numbers", "at_least_one", "check_columns", "check_finite", "within"]


def as_numbers(name: str, array: object, integers: type[np.generic] | None = None) -> np.ndarray:
    """`array` with floating-point numbers as float32, and all others as `integers` (or as they are)."""
    try:
        numbers = np.asarray(array)
    except TypeError as error:  # a tensor of bfloat16, which numpy has not
        raise ValueError(
            f"`{name}` must hold numbers of a type that numpy has. Received "
            f"{getattr(array, 'dtype', array)}; convert it to float32."
        ) from error
    if numbers.dtype.kind not in "biuf":
        raise ValueError(f"`{name}` must hold numbers. Received an array of {numbers.dtype}.")
    to = np.float32 if numbers.dtype.kind == "f" else integers or numbers.dtype
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused as such
        return numbers.astype(to, copy=False)


def as_flags(name: str, array: object) -> np.ndarray:
    """`array` as truth values: those, or numbers that are all 0 or 1."""
    flags = np.asarray(array)
    if flags.dtype.kind == "b":
        return flags
    known = np.isin(flags, (0, 1)) if flags.dtype.kind in "iuf" else np.zeros(1, np.bool_)
    if not known.all():
        got = flags[~known].flat[0] if flags.dtype.kind in "iuf" else f"an array of {flags.dtype}"
        raise ValueError(f"`{name}` must hold truth values, or numbers that are 0 or 1. Received {got}.")
    return flags.astype(np.bool_, copy=False)


def as_lengths(array: object) -> np.ndarray:
    """`array` as int64 numbers of steps."""
    lengths = np.asarray(array)
    if lengths.dtype.kind not in "iu":
        raise ValueError(f"`lengths` must hold whole numbers of steps. Received an array of {lengths.dtype}.")
    return lengths.astype(np.int64, copy=False)


def check_finite(name: str, array: np.ndarray, lengths: np.ndarray, first_episode: int = 0) -> None:
    """Refuse NaN and infinity in rows that belong to episodes of `lengths` rows."""
    if array.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):
        total = array.sum(dtype=np.float64)
    if np.isfinite(total):  # NaN and infinity survive a sum: one pass without a copy settles the usual case
        return
    row = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(1)))
    episode = int(np.searchsorted(np.cumsum(lengths), row, side="right"))
    raise ValueError(
        f"`{name}` must be finite. Received {array[row].tolist()} at step {row - lengths[:episode].sum()} of "
        f"episode {first_episode + episode}; drop or repair this episode."
    )


def check_columns(
    obs: np.ndarray,
    act: np.ndarray,
    rew: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """Refuse columns that disagree with `lengths`, empty episodes, and numbers that are not finite."""
    if lengths.ndim != 1 or not lengths.size:
        raise ValueError(f"`lengths` must name at least one episode. Received shape {lengths.shape}.")
    if lengths.min() < 1:
        raise ValueError(
            "Every episode must have at least one step. Received an empty one, episode "
            f"{lengths.argmin()} of {len(lengths)}; leave it out."
        )
    steps = int(lengths.sum())
    flat = {"rew": rew, "terminated": terminated, "truncated": truncated}
    for name, column in {"obs": obs, "act": act, **flat}.items():
        rows = steps + len(lengths) * (name == "obs")
        if column.shape[:1] != (rows,) or (name in flat and column.ndim > 1):
            raise ValueError(
                f"`{name}` must have {rows} rows{' of one number' * (name in flat)} for {len(lengths)} "
                f"episodes of {steps} steps in all. Received shape {column.shape}."
            )
    check_finite("obs", obs, lengths + 1)
    check_finite("act", act, lengths)
    check_finite("rew", rew, lengths)


def within(name: str, indices: np.ndarray, bound: int, what: str) -> np.ndarray:
    """`indices` as int64, each in 0..bound-1; `what` says of what there are `bound`."""
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or not indices.size:
        raise ValueError(
            f"`{name}` must be a vector of at least one integer. Received shape {indices.shape} of "
            f"{indices.dtype}."
        )
    if indices.min() < 0 or indices.max() >= bound:
        raise ValueError(
            f"`{name}` must be in 0..{bound - 1}: there are {bound} {what}. Received "
            f"{indices.min()}..{indices.max()}."
        )
    return indices.astype(np.int64, copy=False)


def at_least_one(**values: int) -> None:
    """Refuse a count below 1, by its name."""
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received {value}.")
