"""Ends of a policy's episodes next to those of demonstrations."""

import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.training.reward_learning.policy_findings import ending_findings


def walks(n_ended: int, n: int = 10) -> EpisodeStore:
    """Walks of 3 steps, of which the first ones end by termination."""
    flags = [(np.arange(3) == 2) & (number < n_ended) for number in range(n)]
    return EpisodeStore.from_episodes(
        [Episode(np.zeros((4, 1)), np.ones((3, 1)), np.zeros(3), ended, np.zeros(3)) for ended in flags]
    )


@pytest.mark.parametrize(
    ("demonstrated", "own", "level"),
    [
        (10, 10, "good"),
        (10, 8, "good"),
        (10, 7, "doubtful"),
        (10, 4, "bad"),  # it stays in front of the goal
        (3, 9, "bad"),
        (0, 10, "doubtful"),  # the demonstrations may lack the flag
        (0, 1, "good"),
    ],
)
def test_endings_are_compared(demonstrated: int, own: int, level: str) -> None:
    [finding] = ending_findings(walks(demonstrated), walks(own))
    assert finding.level == level
    assert finding.value == f"{own * 10}% terminate, {demonstrated * 10}% demonstrated"


def test_episodes_that_never_terminate_have_no_finding() -> None:
    assert ending_findings(walks(0), walks(0)) == ()
