"""Win rates of an agent's recent episodes against each other.

`TrajectoryQueue`         the last episodes, the labels of all their pairs, and their win rates
`preference_probability`  probability that the first segment of a label is better
"""

from rlpriors.networks.base import check_at_least
from rlpriors.preferences.clips import Clip
from rlpriors.preferences.labelers.base import PreferenceLabeler
from rlpriors.preferences.labels import Label, check_label

__all__ = ["TrajectoryQueue", "preference_probability"]


def preference_probability(label: Label) -> float:
    """Return the probability that the first segment is better; 0.5 for an undecided label.

    Example:
        >>> [preference_probability(label) for label in (Label(0), Label(1, confidence=0.75), Label(-1))]
        [1.0, 0.25, 0.5]
    """
    if label.value == -1:
        return 0.5
    return label.confidence if label.value == 0 else 1 - label.confidence


class TrajectoryQueue:
    """Last episodes of an agent, each compared once with each other one.

    A new episode is compared with all episodes of the queue, so that it costs at most `size` - 1
    comparisons.  Then the oldest episode leaves if there are more than `size`.

    Args:
        labeler: labeler of two episodes.
        task: text of the task, for the labeler.
        size: number of episodes in the queue, at least 2.

    Example:
        >>> import numpy as np
        >>> from rlpriors.preferences import OracleLabeler
        >>> queue = TrajectoryQueue(OracleLabeler(), size=3)
        >>> for total in (1.0, 5.0, 3.0):
        ...     _ = queue.add(Clip(np.zeros(2), np.zeros(1), np.array([total]), np.zeros(1, bool)))
        >>> queue.take_rates(), queue.n_comparisons
        ({0: 0.0, 1: 1.0, 2: 0.5}, 3)

    Raises:
        ValueError: `size` is below 2, or the labeler returns something else than a label.
    """

    def __init__(self, labeler: PreferenceLabeler, task: str = "", size: int = 25) -> None:
        check_at_least(2, size=size)
        self.labeler, self.task, self.size = labeler, task, size
        self.n_comparisons = 0
        self._clips: dict[int, Clip] = {}
        self._wins: dict[int, dict[int, float]] = {}
        self._left: dict[int, float] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._clips)

    def __contains__(self, number: object) -> bool:
        return number in self._clips

    def add(self, clip: Clip) -> int:
        """Compare a new episode with those of the queue, and return its number."""
        number = self._next
        won: dict[int, float] = {}
        for other, theirs in self._clips.items():
            won[other] = preference_probability(check_label(self.labeler(self.task, clip, theirs)))
            self.n_comparisons += 1
        # After all comparisons: a labeler that stops leaves no half-compared episode.
        self._next += 1
        self._clips[number], self._wins[number] = clip, won
        for other, probability in won.items():
            self._wins[other][number] = 1 - probability
        if len(self._clips) > self.size:
            oldest = next(iter(self._clips))
            self._left[oldest] = self._rate(oldest)
            self.remove(oldest)
        return number

    def remove(self, number: int) -> None:
        """Remove an episode and its comparisons."""
        del self._clips[number], self._wins[number]
        for won in self._wins.values():
            won.pop(number, None)

    def take_rates(self) -> dict[int, float]:
        """Return the mean probability of each episode to win against another one of the queue.

        Episodes that left the queue since the last call are included once.  An episode alone has 0.5.
        """
        rates = {**self._left, **{number: self._rate(number) for number in self._clips}}
        self._left = {}
        return rates

    def _rate(self, number: int) -> float:
        won = self._wins[number]
        return sum(won.values()) / len(won) if won else 0.5
