"""Action spaces and goals that a score policy can be fitted to.

`check_box`     check of the action space
`goal_entries`  entries of the goals of a data set, and the leaf of live goals
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.agents.offline.zero_shot.goals import leaf_entries
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer

__all__ = ["check_box", "goal_entries"]

ACHIEVED, DESIRED = "achieved_goal", "desired_goal"  # leaves of goal environments (hindsight replay)


def check_box(action_space: gym.Space[Any], act: Normalizer | None = None) -> None:
    """Raise unless the action space is a Box with one axis, of the size of the normalizer `act`.

    Raises:
        ValueError: the space is of another kind or size.
    """
    if not isinstance(action_space, gym.spaces.Box) or len(action_space.shape) != 1:
        raise ValueError(
            f"`action_space` must be a Box with one axis, because noise is added to actions. Received "
            f"{action_space}; flatten a Box by a wrapper, and clone Discrete actions by `BehaviorCloning`."
        )
    if act is not None and action_space.shape != (act.dim,):
        raise ValueError(
            f"`act` must normalize the {action_space.shape[0]} entries of the action space. Received "
            f"{act}; fit it to data of this environment."
        )


def goal_entries(data: EpisodeStore, task_keys: Sequence[str] | None) -> tuple[Sequence[int], str | None]:
    """Return the entries of observations that a goal consists of, and the leaf of live goals if there is one.

    Without `task_keys` a goal is the leaf `achieved_goal` if the data have it, else a whole observation.

    Raises:
        ValueError: a leaf is not one of the data, or the observations contain the `desired_goal` of the
            recording, which contradicts goals in hindsight.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> rows = {"achieved_goal": np.zeros((3, 1)), "observation": np.zeros((3, 2))}
        >>> walk = Episode(rows, np.zeros((2, 1)), *np.zeros((3, 2)))
        >>> keys = ("observation", "achieved_goal")
        >>> goal_entries(EpisodeStore.from_episodes([walk], obs_keys=keys), None)
        ([2], 'desired_goal')
    """
    leaves = () if data.obs_layout is None else data.obs_layout.keys
    if DESIRED in leaves:
        raise ValueError(
            f"`data` must have observations without the leaf {DESIRED!r}, because goals are later "
            f"observations. Received the leaves {data.obs_layout}; load the data without it."
        )
    if task_keys is not None:
        return leaf_entries(data.obs_layout, task_keys), None
    if ACHIEVED in leaves:
        return leaf_entries(data.obs_layout, (ACHIEVED,)), DESIRED
    return range(int(np.prod(data.obs.shape[1:]))), None
