"""Observations and actions of a model in words, for its card.

`describe_observation`  vector or leaves that a model reads
`describe_actions`      actions, with their bounds
`entry_rows`            name, center and scale of each entry of an observation
`count_weights`         number of weights of a module
"""

from math import prod
from typing import Any

import gymnasium as gym
from torch import nn

from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout

__all__ = ["count_weights", "describe_actions", "describe_observation", "entry_rows"]


def describe_observation(obs_dim: int, layout: ObservationLayout | None, encoder: str | None = None) -> str:
    """Return the observation of a model in words.

    Args:
        obs_dim: number of entries.
        layout: leaves of a Dict observation; None for a plain observation.
        encoder: name of the encoder whose features the observation contains; None without images.

    Example:
        >>> describe_observation(3, ObservationLayout(("xy", "goal"), ((2,), (1,))))
        "vector of 3 entries: the leaves ('xy' (2,), 'goal' (1,)), flattened, in this order"
    """
    text = f"vector of {obs_dim} entr{'y' if obs_dim == 1 else 'ies'}"
    if layout is not None:
        text += f": the leaves {layout}, flattened, in this order"
    return text if encoder is None else f"{text}; images are features of the encoder `{encoder}`"


def describe_actions(space: gym.Space[Any] | None, act_dim: int) -> str:
    """Return the actions of a model in words; `space` is None if it is unknown.

    Example:
        >>> describe_actions(gym.spaces.Discrete(3), 1), describe_actions(None, 2)
        ('integers 0..2 (Discrete)', 'vector of 2 entries, in units of the environment')
    """
    if isinstance(space, gym.spaces.Discrete):
        return f"integers {int(space.start)}..{int(space.start + space.n) - 1} (Discrete)"
    if space is None:
        return f"vector of {act_dim} entr{'y' if act_dim == 1 else 'ies'}, in units of the environment"
    return f"`{space}`, in units of the environment"


def entry_rows(
    normalizer: Normalizer | None, obs_dim: int, layout: ObservationLayout | None
) -> list[tuple[str, float, float]]:
    """Return name, center and scale of each entry of an observation; nothing for values in raw units.

    Args:
        normalizer: normalizer whose first `obs_dim` entries are those of the observation.
        obs_dim: number of entries of an observation.
        layout: leaves of a Dict observation, for the names.

    Example:
        >>> import numpy as np
        >>> entry_rows(Normalizer.limits(np.array([[0.0, 5.0], [10.0, 7.0]])), 2, None)
        [('0', 5.0, 5.0), ('1', 6.0, 1.0)]
    """
    if normalizer is None:
        return []
    loc, scale = normalizer.loc[:obs_dim].tolist(), normalizer.scale[:obs_dim].tolist()
    if not any(loc) and all(value == 1 for value in scale):
        return []
    names = [str(index) for index in range(obs_dim)]
    if layout is not None and layout.shapes is not None:
        sizes = [(key, prod(shape)) for key, shape in zip(layout.keys, layout.shapes, strict=True)]
        leaves = [key if size == 1 else f"{key}[{index}]" for key, size in sizes for index in range(size)]
        names = leaves if len(leaves) == obs_dim else names
    return list(zip(names, loc, scale, strict=True))


def count_weights(module: nn.Module) -> str:
    """Return the number of weights of a module in words."""
    return f"{sum(parameter.numel() for parameter in module.parameters()):,}"
