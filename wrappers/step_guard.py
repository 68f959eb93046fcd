"""Guard of a wrapper's state against steps that an exception interrupted.

`StepGuard`  environments whose state is current
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded

__all__ = ["StepGuard"]


class StepGuard:
    """Record of the environments of a wrapper whose state is current, by index.

    An environment becomes current with a completed reset.  An exception in a step, of an environment or of
    the wrapper, ends this for all environments: some have stepped and some have not.  Then a step needs a
    reset.

    Example:
        >>> guard = StepGuard(n_envs=2)
        >>> with guard.reset([0, 1]):
        ...     pass
        >>> try:
        ...     with guard.step():
        ...         raise RuntimeError
        ... except RuntimeError:
        ...     guard.is_current
        array([False, False])
    """

    def __init__(self, n_envs: int) -> None:
        self.is_current = np.zeros(n_envs, np.bool_)

    @contextmanager
    def reset(self, env_ids: Any) -> Iterator[None]:
        """Context of a reset of these environments (indices or a mask)."""
        self.is_current[env_ids] = False
        yield
        self.is_current[env_ids] = True

    @contextmanager
    def step(self, env_ids: Any = slice(None)) -> Iterator[None]:
        """Context of a step of these environments.

        Raises:
            ResetNeeded: as `check`.
        """
        self.check(env_ids)
        before, self.is_current = self.is_current, np.zeros_like(self.is_current)
        yield
        self.is_current = before

    def check(self, env_ids: Any) -> None:
        """Check that these environments are current.

        Raises:
            ResetNeeded: an environment was not reset, or an exception has interrupted its last step.
        """
        indices = np.arange(len(self.is_current))[env_ids]
        missing = indices[~self.is_current[indices]]
        if len(missing):
            raise ResetNeeded(
                f"Call `reset` before `step`: environments {missing.tolist()} have no current observation. "
                "They were not reset, or an exception interrupted a step; reset all environments."
            )
