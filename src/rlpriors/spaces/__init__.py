"""Observation and action spaces: wrappers included, and checks of recorded actions.

`wrapped`  spaces of an environment, a vector environment or a Tianshou vector environment
`actions`  checks of recorded actions against their action space, and its file format
"""

from rlpriors.spaces.wrapped import Spaces, action_spaces, same_actions, wrapped_spaces

__all__ = ["Spaces", "action_spaces", "same_actions", "wrapped_spaces"]
