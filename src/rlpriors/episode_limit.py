"""Bound on the length of an episode that a rollout waits for.

`MAX_EPISODE_STEPS`    bound of rollouts that set none
`check_episode_ends`   error for an episode that exceeds a bound
"""

import logging

__all__ = ["MAX_EPISODE_STEPS", "check_episode_ends"]

MAX_EPISODE_STEPS = 108_000
"""Steps of the longest episodes of common benchmarks: half an hour of Atari at 60 frames a second."""

_LONG = 10_000

_log = logging.getLogger(__name__)


def check_episode_ends(n_steps: int, max_episode_steps: int = MAX_EPISODE_STEPS) -> None:
    """Raise if an episode has not ended after `max_episode_steps` steps; called after each such step.

    Raises:
        ValueError: `n_steps` has reached the bound.

    Example:
        >>> check_episode_ends(99, max_episode_steps=100)
    """
    if n_steps >= max_episode_steps:
        raise ValueError(
            f"`env` must end its episodes within `max_episode_steps`, {max_episode_steps} steps. Received an "
            "episode without an end; set a time limit, as in gymnasium.make(id, max_episode_steps=1000) or "
            "gymnasium.wrappers.TimeLimit(env, 1000)."
        )
    if n_steps == _LONG:
        _log.warning(
            "An episode has not ended after %d steps. It is given up after %d; an environment without a time "
            "limit may need one (gymnasium.wrappers.TimeLimit).",
            n_steps,
            max_episode_steps,
        )
