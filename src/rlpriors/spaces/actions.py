"""Actions of recorded data: their action space, and the check against it.

`check_actions`        actions that belong to an action space
`check_action_spaces`  equal action spaces of two sides, or one that is unknown
`check_continuous`     Box of real numbers, as policies act in
`space_to_json`        action space as JSON values
`space_from_json`      action space of such values

Recorded actions are in units of the environment: those that its `step` received.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.spaces.wrapped import same_actions

__all__ = ["check_action_spaces", "check_actions", "check_continuous", "space_from_json", "space_to_json"]

_ROUNDING = 1e-3
"""Tolerated excess over the bounds of a Box, as a fraction of its range: float16 files round by 0.05 %."""


def check_actions(
    name: str,
    act: np.ndarray,
    space: gym.Space[Any],
    lengths: np.ndarray | None = None,
    first_episode: int = 0,
) -> None:
    """Raise unless all actions belong to `space`.

    Args:
        name: name of the argument or array in the error.
        act: actions [steps, ...]; scalar actions may be a column.
        space: Box, Discrete, MultiDiscrete or MultiBinary.  Bounds of a Box may be exceeded by 0.1 % of the
            range.
        lengths: number of steps of each episode, to name the episode in the error.
        first_episode: number of the first episode.

    Raises:
        ValueError: actions have another shape or type, or one lies outside the space.

    Example:
        >>> check_actions("act", np.array([0, 1, 2]), gym.spaces.Discrete(3))
        >>> check_actions("act", np.array([0, 1, 3]), gym.spaces.Discrete(3))
        Traceback (most recent call last):
        ValueError: `act` must be actions of Discrete(3), 0..2. Received 3 at step 2; ...
    """
    low, high, kinds = _bounds(space)
    shape = act.shape[1:]
    if shape != space.shape and not (low.size == 1 and shape in ((), (1,))):
        raise ValueError(
            f"`{name}` must be actions of {space}, of shape {space.shape}. Received shape {shape}; give data "
            "of the same environment."
        )
    if act.dtype.kind not in kinds:
        kind, fix = "integers", "whole numbers as an integer array"
        if "f" in kinds:
            kind, fix = "floating-point numbers", "these numbers as floats"
        raise ValueError(
            f"`{name}` must be actions of {space}, {kind}. Received {act.dtype}; give data of the same "
            f"environment, or {fix}."
        )
    rows = act.reshape(len(act), *low.shape)
    slack = np.zeros(())
    if "f" in kinds:
        with np.errstate(invalid="ignore", over="ignore"):
            size = np.maximum(high - low, np.maximum(abs(low), abs(high)))
        slack = _ROUNDING * np.where(np.isfinite(size), size, 1.0)
    outside = (rows < low - slack) | (rows > high + slack)
    if outside.any():
        step = int(np.flatnonzero(outside.reshape(len(rows), -1).any(1))[0])
        place = f"step {step}"
        if lengths is not None:
            episode = int(np.searchsorted(np.cumsum(lengths), step, side="right"))
            place = f"step {step - int(lengths[:episode].sum())} of episode {first_episode + episode}"
        bounds = "" if isinstance(space, gym.spaces.Box) else f", {low.min()}..{high.max()}"
        raise ValueError(
            f"`{name}` must be actions of {space}{bounds}. Received {act[step]} at {place}; record the "
            "actions that the environment executed, within its bounds and in its units."
        )


def check_action_spaces(
    name: str, first: gym.Space[Any] | None, other: str, second: gym.Space[Any] | None
) -> None:
    """Raise if both action spaces are known and differ; `name` and `other` name the two sides.

    Raises:
        ValueError: the spaces differ.
    """
    if first is not None and second is not None and not same_actions(first, second):
        raise ValueError(
            f"{name} must have the action space of {other}, {second}. Received {first}; actions of two "
            "spaces have different units or meanings."
        )


def check_continuous(space: gym.Space[Any]) -> None:
    """Check that a Box of actions holds real numbers, which a policy's scaled outputs are.

    Raises:
        ValueError: the Box holds integers: its actions would be fractions outside the space.
    """
    if isinstance(space, gym.spaces.Box) and space.dtype is not None and space.dtype.kind != "f":
        raise ValueError(
            f"`action_space` must be a Box of floating-point numbers. Received {space}; wrap the environment "
            "in gymnasium.wrappers.TransformAction with a function that rounds, or with one that numbers the "
            "actions as Discrete."
        )


def space_to_json(space: gym.Space[Any]) -> dict[str, Any]:
    """Return an action space as JSON values.

    Raises:
        ValueError: the space is not Box, Discrete, MultiDiscrete or MultiBinary.

    Example:
        >>> space_to_json(gym.spaces.Discrete(3, start=1))
        {'type': 'Discrete', 'n': 3, 'start': 1}
    """
    if isinstance(space, gym.spaces.Box):
        bounds = {"low": space.low.tolist(), "high": space.high.tolist()}
        return {"type": "Box", **bounds, "dtype": str(space.dtype)}
    if isinstance(space, gym.spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, gym.spaces.MultiDiscrete):
        return {"type": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": space.start.tolist()}
    if isinstance(space, gym.spaces.MultiBinary):
        return {"type": "MultiBinary", "n": list(space.shape)}
    raise _unsupported(space)


def space_from_json(values: Mapping[str, Any]) -> gym.Space[Any]:
    """Return the action space of `space_to_json`.

    Raises:
        KeyError, TypeError, ValueError: the values are not those of a space.

    Example:
        >>> space_from_json(space_to_json(gym.spaces.Box(-2, 2, (1,))))
        Box(-2.0, 2.0, (1,), float32)
    """
    kind = values["type"]
    if kind == "Box":
        dtype = np.dtype(values["dtype"])
        return gym.spaces.Box(
            np.array(values["low"], dtype), np.array(values["high"], dtype), dtype=dtype.type
        )
    if kind == "Discrete":
        return gym.spaces.Discrete(values["n"], start=values["start"])
    if kind == "MultiDiscrete":
        return gym.spaces.MultiDiscrete(values["nvec"], start=values["start"])
    if kind == "MultiBinary":
        return gym.spaces.MultiBinary(values["n"])
    raise ValueError(f"unknown action space {kind!r}")


def _bounds(space: gym.Space[Any]) -> tuple[np.ndarray, np.ndarray, str]:
    """Return lowest and highest actions, and the kinds of numpy types."""
    if isinstance(space, gym.spaces.Box):
        return (
            space.low.astype(np.float64),
            space.high.astype(np.float64),
            "f" if space.dtype.kind == "f" else "iu",
        )
    if isinstance(space, gym.spaces.Discrete):
        return np.array(space.start), np.array(space.start + space.n - 1), "iu"
    if isinstance(space, gym.spaces.MultiDiscrete):
        return space.start, space.start + space.nvec - 1, "iu"
    if isinstance(space, gym.spaces.MultiBinary):
        return np.zeros(space.shape, np.int64), np.ones(space.shape, np.int64), "iub"
    raise _unsupported(space)


def _unsupported(space: gym.Space[Any]) -> ValueError:
    return ValueError(
        f"`action_space` must be Box, Discrete, MultiDiscrete or MultiBinary. Received {space}; flatten it "
        "by a wrapper first."
    )
