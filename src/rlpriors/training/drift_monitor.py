"""Watch over a policy that trains on a learned reward.

`DriftMonitor`  learned return and distance to the demonstrations of each training episode
"""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.evaluation.rewards.verdict import Finding
from rlpriors.evaluation.rollouts.demonstration_distance import DemonstrationDistance
from rlpriors.evaluation.rollouts.drift import drift_finding

__all__ = ["DriftMonitor"]

logger = logging.getLogger(__name__)


class DriftMonitor:
    """Learned return and distance to the demonstrations of each training episode, for `train_online`.

    Args:
        distance: distance of observations to the demonstrations.

    Example:
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> walk = Episode(np.arange(3.0)[:, None], np.ones((2, 1)), *np.zeros((3, 2)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> monitor = DriftMonitor(DemonstrationDistance(store, store))
        >>> for number in range(40):
        ...     monitor.add(learned_return=float(number), distance=abs(number - 20.0))
        >>> monitor.finding().level
        'bad'
    """

    def __init__(self, distance: DemonstrationDistance) -> None:
        self.distance = distance
        self._rows: list[tuple[float, float]] = []
        self._has_warned = False

    def add(self, learned_return: float, distance: float) -> None:
        """Add an episode."""
        self._rows.append((learned_return, distance))

    @property
    def learned_returns(self) -> Float[np.ndarray, " episodes"]:
        """Learned return of each episode."""
        return self._columns()[0]

    @property
    def distances(self) -> Float[np.ndarray, " episodes"]:
        """Mean distance of the observations of each episode to the demonstrations."""
        return self._columns()[1]

    def finding(self) -> Finding:
        """Return the finding on the episodes so far; see `find_drift`."""
        return drift_finding(self.learned_returns, self.distances)

    def warn(self, env_steps: int) -> None:
        """Log a warning if the policy has drifted after `env_steps` steps; at most one for a run."""
        finding = self.finding()
        if finding.level != "good" and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "The policy moves away from the demonstrations while its learned return rises, after %d "
                "steps: distance %s. It may exploit the reward.",
                env_steps,
                finding.value,
            )

    def state(self) -> dict[str, Tensor]:
        """Return the episodes, for a checkpoint."""
        return {"episodes": torch.from_numpy(np.stack(self._columns()))}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Replace the episodes by those of a checkpoint; an earlier version's checkpoint has none.

        Raises:
            CheckpointError: the state is no pair of columns.
        """
        columns = state.get("episodes", torch.zeros(2, 0))
        if not isinstance(columns, Tensor) or columns.ndim != 2 or len(columns) != 2:
            raise CheckpointError(
                "The checkpoint's drift must be two columns. Delete it and start again without --resume."
            )
        learned_returns, distances = columns.double().tolist()
        self._rows = list(zip(learned_returns, distances, strict=True))

    def _columns(self) -> tuple[Float[np.ndarray, " episodes"], Float[np.ndarray, " episodes"]]:
        learned_returns, distances = np.array(self._rows, np.float64).reshape(-1, 2).T
        return learned_returns, distances
