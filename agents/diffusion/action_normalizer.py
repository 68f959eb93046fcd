"""Maps of actions to [-1, 1], for the windows of a layout.

`normalizer_of_actions`  map for the actions of a data set
`check_action_map`       check of a policy's action space against the map of its layout
"""

from typing import Any

import gymnasium as gym

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import ActionEncoding, DiscreteActions, Normalizer
from rlpriors.spaces.actions import check_action_spaces, check_actions, check_continuous

__all__ = ["check_action_map", "normalizer_of_actions"]


def normalizer_of_actions(
    data: EpisodeStore, action_space: gym.Space[Any] | None, encoding: ActionEncoding
) -> Normalizer | DiscreteActions:
    """Return the map of the ranges of continuous actions, or the codes of Discrete ones.

    Args:
        data: data of the environment.
        action_space: action space of the environment; None for the space that the data recorded.
        encoding: codes of Discrete actions.

    Raises:
        ValueError: actions are integers of an unknown, MultiDiscrete or MultiBinary space, or do not belong
            to `action_space`.
    """
    check_action_spaces("`action_space`", action_space, "`data`", data.action_space)
    space = data.action_space if action_space is None else action_space
    if isinstance(space, gym.spaces.MultiDiscrete | gym.spaces.MultiBinary):
        raise ValueError(
            f"`action_space` must be a Box or Discrete. Received {space}; number its combinations as one "
            "Discrete space, in a wrapper of the environment and in the data."
        )
    if space is not None:
        check_actions("data.act", data.act, space, data.lengths)
    if isinstance(space, gym.spaces.Discrete):
        return DiscreteActions(int(space.n), int(space.start), encoding)
    if data.act.dtype.kind != "f" and space is None:
        raise ValueError(
            "`action_space` must be given for integer actions, because the data may lack some of them. "
            f"Received None, and {data.act.dtype} actions of shape {data.act.shape[1:]}; write "
            "action_space=env.action_space here or in the store."
        )
    return Normalizer.limits(data.act.reshape(len(data.act), -1))


def check_action_map(act: Normalizer | DiscreteActions, action_space: gym.Space[Any]) -> None:
    """Raise unless the map `act` of a layout was made for the actions of a policy's `action_space`.

    Raises:
        ValueError: the space is neither a Box with one axis nor Discrete, or differs from the layout's.
    """
    made_for = act.space if isinstance(act, DiscreteActions) else None
    if isinstance(action_space, gym.spaces.Discrete):
        if made_for != action_space:
            raise ValueError(
                f"`layout` must be made for the actions of `action_space`, {action_space}. Received one for "
                f"{made_for or f'{act.dim} continuous entries'}; create it by TrajectoryLayout.fit(data, "
                "..., action_space=action_space)."
            )
        return
    if not isinstance(action_space, gym.spaces.Box) or len(action_space.shape) != 1:
        raise ValueError(
            f"`action_space` must be a Box with one axis or Discrete. Received {action_space}; flatten it by "
            "a wrapper, several Discrete actions into one that numbers their combinations."
        )
    check_continuous(action_space)
    if made_for is not None:
        raise ValueError(
            f"`action_space` must be {made_for}, the actions of `layout`. Received {action_space}; fit the "
            "layout to data of this environment."
        )
    if action_space.shape != (act.dim,):
        raise ValueError(
            f"`action_space` has {action_space.shape[0]} entries, but `layout` was made for actions of "
            f"{act.dim}. Fit the layout to data of this environment."
        )
