"""Goals of a policy: observations, the entries that tasks depend on, or leaves of observations.

`GoalReader`    goals as normalized observations
`leaf_entries`  indices of the entries of a Dict observation's leaves
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tianshou.data import Batch
from torch import Tensor

from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout

__all__ = ["GoalReader", "leaf_entries"]


class GoalReader:
    """Reader of goals, which keeps the current ones.

    A goal is an observation, or the entries of one that tasks depend on.  The other entries are then the
    means of the data.

    Args:
        obs: normalizer of observations.
        entries: indices of the entries that tasks depend on; None for all.
        key: leaf of a dictionary observation that holds the goal of each step; None for none.

    Raises:
        ValueError: an entry is no index of an observation.

    Example:
        >>> reader = GoalReader(Normalizer.identity(3), [0, 1], key=None)
        >>> reader([[4.0, 5.0]])
        tensor([[4., 5., 0.]])
    """

    def __init__(self, obs: Normalizer, entries: Sequence[int] | None, key: str | None) -> None:
        self.entries = tuple(range(obs.dim)) if entries is None else tuple(map(int, entries))
        if not self.entries or not all(0 <= entry < obs.dim for entry in self.entries):
            raise ValueError(
                f"`task_entries` must be indices of the {obs.dim} entries of an observation, at least one. "
                f"Received {entries}."
            )
        self.obs, self.key = obs, key
        self._goals: Tensor | None = None
        self._from_obs = False

    def __call__(self, goal: Any) -> Float[Tensor, "goals obs"]:
        """Return goals as normalized observations, one row each.

        Raises:
            ValueError: a goal has neither the entries of an observation nor those of a task, or is not
                finite.
        """
        rows = np.array(goal.cpu() if isinstance(goal, Tensor) else goal, np.float32)
        rows = rows.reshape(-1, rows.shape[-1] if rows.ndim else 1)
        loc = self.obs.loc
        full = loc.repeat(len(rows), 1)
        if rows.shape[1] not in (self.obs.dim, len(self.entries)) or not np.isfinite(rows).all():
            raise ValueError(
                f"`goal` must have the {self.obs.dim} entries of an observation or the {len(self.entries)} "
                "of a task, all finite. "
                f"Received {rows.shape[1]} entries, {np.isnan(rows).sum()} of them NaN."
            )
        everything = rows.shape[1] == self.obs.dim
        full[:, slice(None) if everything else list(self.entries)] = torch.from_numpy(rows).to(loc.device)
        return self.obs(full)  # type: ignore[no-any-return]

    def set(self, goal: Any | None) -> None:
        """Set the goals, one row or one for each environment; None reads the leaf of each observation.

        Raises:
            ValueError: `goal` is None and there is no leaf for it, or a goal has another size.
        """
        if goal is None and self.key is None:
            raise ValueError(
                "`goal` must be given, because the policy has no `goal_key`. Received None; set the leaf of "
                "the observations by `goal_key`."
            )
        self._goals, self._from_obs = None if goal is None else self(goal), goal is None

    def clear(self) -> None:
        """Remove the goals."""
        self._goals, self._from_obs = None, False

    def current(self, obs: Any, n: int) -> Float[Tensor, "n obs"] | None:
        """Return the goal of each of `n` observations; None if there are none.

        Raises:
            ValueError: the observations have no leaf for goals, or there is another number of goals.
        """
        if self._from_obs:
            leaves = obs.to_dict() if isinstance(obs, Batch) else obs
            if not isinstance(leaves, Mapping) or self.key not in leaves:
                received = sorted(leaves) if isinstance(leaves, Mapping) else type(leaves).__name__
                raise ValueError(
                    f"The observation must have the leaf {self.key!r} with the goal. Received {received}."
                )
            return self(leaves[str(self.key)])
        if self._goals is None or len(self._goals) == n:
            return self._goals
        if len(self._goals) != 1:
            raise ValueError(
                f"`goal` must be one goal or one for each of the {n} environments. Received "
                f"{len(self._goals)}."
            )
        return self._goals.expand(n, -1)


def leaf_entries(layout: ObservationLayout | None, keys: Sequence[str]) -> list[int]:
    """Return the indices of the entries of these leaves in a flat observation.

    Raises:
        ValueError: a leaf is not one of the layout.

    Example:
        >>> leaf_entries(ObservationLayout(("goal", "xy"), ((2,), (3,))), ["xy"])
        [2, 3, 4]
    """
    if layout is None or layout.shapes is None or not set(keys) <= set(layout.keys):
        raise ValueError(
            f"`task_keys` must be leaves of the data's observations, {layout}. Received {list(keys)}; load "
            "the data with `obs_keys`, or give `task_entries`."
        )
    first = np.cumsum([0, *(int(np.prod(shape)) for shape in layout.shapes)])
    places = {key: range(first[i], first[i + 1]) for i, key in enumerate(layout.keys)}
    return [int(entry) for key in keys for entry in places[key]]
