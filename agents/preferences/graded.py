"""Episodes of graded quality: the preference degree, and D-REX as its control.

`GradedEpisodes`  episodes with one grade each, such as a policy under growing action noise
`grade_pairs`     pairs of segments labeled by their grades alone (D-REX)
`DegreeHead`      score of a segment and thresholds between grades, on the hidden layers of a reward
`degree_loss`     loss of graded segments
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.agents.preferences.pair_buffer import clip_transitions
from rlpriors.arguments import check_array_fields
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.mlp import MLPReward
from rlpriors.rewards.preferences.losses import ordinal_loss

__all__ = ["DegreeHead", "GradedEpisodes", "degree_loss", "grade_pairs"]


@dataclass(frozen=True, eq=False)
class GradedEpisodes:
    """Episodes with a grade each; a higher grade is better.

    Grades come without labels: roll out a policy, or replay demonstrations, with action noise of 0, 0.25,
    0.5, 0.75 and 1, and grade the episodes 4 to 0 (D-REX, Brown et al. 2019, arXiv 1907.03976).

    Raises:
        ValueError: there are not two grades or more, a grade is negative or has no episode of `length` steps,
            or the numbers of grades and episodes differ.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.zeros((9, 1)), np.zeros((8, 1)), *np.zeros((3, 8)))
        >>> graded = GradedEpisodes(EpisodeStore.from_episodes([walk] * 4), np.array([0, 1, 1, 2]), length=4)
        >>> graded.n_grades
        3
    """

    store: EpisodeStore
    """Episodes of all grades."""
    grades: Int[np.ndarray, " episodes"]
    """Grade of each episode: 0, 1, ... without gaps; a higher grade is better."""
    length: int
    """Number of steps of a graded segment."""

    def __post_init__(self) -> None:
        """Check the grades once."""
        check_array_fields(self)
        if self.grades.shape != (self.store.n_episodes,):
            raise ValueError(
                f"`grades` must have one number for each of the {self.store.n_episodes} episodes. Received "
                f"shape {self.grades.shape}."
            )
        if self.length < 1:
            raise ValueError(f"`length` must be at least 1. Received {self.length}.")
        found = np.unique(self.grades)
        if len(found) < 2 or not np.array_equal(found, np.arange(len(found))):
            raise ValueError(
                "`grades` must be at least two different numbers 0, 1, ... without gaps. Received "
                f"{found.tolist()}; number the grades from the worst (0) to the best."
            )
        long_enough = np.unique(self.grades[self.store.lengths >= self.length])
        if len(long_enough) < len(found):
            missing = sorted(set(found.tolist()) - set(long_enough.tolist()))
            raise ValueError(
                f"`length` must fit into an episode of each grade. Received {self.length}, which is longer "
                f"than all episodes of the grades {missing}; use shorter segments."
            )

    @property
    def n_grades(self) -> int:
        """Number of grades."""
        return int(self.grades.max()) + 1

    def sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, "n 2"], Int[np.ndarray, " n"]]:
        """Draw segments, [n, (episode, start)], and their grades; all grades are equally probable."""
        grades = rng.integers(self.n_grades, size=n)
        return self.segments(grades, rng), grades

    def segments(self, grades: Int[np.ndarray, " n"], rng: np.random.Generator) -> Int[np.ndarray, "n 2"]:
        """Draw a segment of each of `grades`, [n, (episode, start)]."""
        clips = np.empty((len(grades), 2), np.int64)
        for grade in np.unique(grades):
            rows = np.flatnonzero(grades == grade)
            fitting = np.flatnonzero((self.grades == grade) & (self.store.lengths >= self.length))
            episodes = fitting[rng.integers(len(fitting), size=len(rows))]
            clips[rows, 0] = episodes
            clips[rows, 1] = rng.integers(self.store.lengths[episodes] - self.length + 1)
        return clips


def grade_pairs(graded: GradedEpisodes, n: int, seed: int = 0) -> PreferenceSet:
    """Return `n` pairs of segments of different grades, in which the higher grade is better.

    A reward that `PreferenceLearning` learns from them is that of D-REX (Brown et al. 2019, arXiv
    1907.03976): ranks by noise alone, without a label.

    Raises:
        ValueError: `n` is less than 1.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.zeros((9, 1)), np.zeros((8, 1)), *np.zeros((3, 8)))
        >>> graded = GradedEpisodes(EpisodeStore.from_episodes([walk] * 2), np.array([0, 1]), length=4)
        >>> pairs = grade_pairs(graded, 5)
        >>> bool((pairs.clips[np.arange(5), pairs.labels, 0] == 1).all())  # the better one is of episode 1
        True
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1. Received {n}.")
    rng = np.random.default_rng(seed)
    first = rng.integers(graded.n_grades, size=n)
    second = (first + rng.integers(1, graded.n_grades, size=n)) % graded.n_grades
    sides = [graded.segments(grades, rng) for grades in (first, second)]
    return PreferenceSet(
        clips=np.stack(sides, 1),
        labels=(second > first).astype(np.int64),
        confidence=np.ones(n),
        length=graded.length,
        fingerprint=store_fingerprint(graded.store),
        task="the higher grade",
    )


class DegreeHead(nn.Module):
    """Score of a segment from the hidden layer of a reward, and thresholds between the grades.

    It shares all layers of the reward but the last, and is not saved with it.

    Args:
        width: number of units of the last hidden layer.
        n_grades: number of grades.

    Example:
        >>> head = DegreeHead(64, n_grades=5)
        >>> head(torch.zeros(3, 10, 64)).shape, head.thresholds.tolist()  # 3 segments of 10 steps
        (torch.Size([3]), [-1.5, -0.5, 0.5, 1.5])
    """

    thresholds: Tensor

    def __init__(self, width: int, n_grades: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)
        start = torch.arange(n_grades - 1) - (n_grades - 2) / 2
        self.thresholds = nn.Parameter(start)

    @classmethod
    def of(cls, reward: RewardModel, n_grades: int, seed: int) -> "DegreeHead":
        """Return an untrained head of a member's size.

        Raises:
            ValueError: the reward has no hidden layer.
        """
        if not isinstance(reward, MLPReward) or not reward.settings.hidden:
            raise ValueError(
                "`reward` must be an MLPReward with a hidden layer, or an ensemble of such, to learn from "
                f"graded episodes. Received a {type(reward).__name__}; `preference_reward` makes one."
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(reward.settings.hidden[-1], n_grades)

    def forward(self, hidden: Float[Tensor, "segments steps width"]) -> Float[Tensor, " segments"]:
        """Return the score of each segment: linear in the sum of its steps' hidden layers.

        A sum, as the score of a comparison is: the gradients of both losses then have one scale.
        """
        scores: Tensor = self.score(hidden.sum(1)).squeeze(-1)
        return scores


def degree_loss(
    head: DegreeHead,
    reward: RewardModel,
    graded: GradedEpisodes,
    clips: Int[np.ndarray, "n 2"],
    grades: Int[np.ndarray, " n"],
) -> Float[Tensor, ""]:
    """Return the ordinal loss of graded segments under a head on the hidden layers of a reward."""
    model = cast(MLPReward, reward)
    steps = clip_transitions(graded.store, clips, graded.length, model.device)
    trunk = model.net[:-1]
    hidden: Tensor = trunk(model.features(steps.obs, steps.act, steps.obs_next))
    scores: Tensor = head(hidden.reshape(len(clips), graded.length, -1))
    return ordinal_loss(scores, head.thresholds, torch.from_numpy(grades).to(scores.device))
