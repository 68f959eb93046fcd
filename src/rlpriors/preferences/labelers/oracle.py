"""Answers from true rewards.

`OracleLabeler`  comparison of the segments' true returns, with errors and abstentions on request
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from rlpriors.arguments import check_arguments
from rlpriors.preferences.clips import Clip, clip_digest
from rlpriors.preferences.labels import Label, swap_label

__all__ = ["OracleLabeler"]


class OracleLabeler:
    """Labeler that prefers the segment with the larger sum of true rewards.

    It replaces a person in tests and benchmarks.  The errors are a function of the seed and of the two
    segments, so that a resumed session gets the answers of an undisturbed one.  The same pair again, in
    either order, gets an independent error.

    Args:
        flip_probability: probability of the wrong answer, in [0, 1].
        band: largest difference of the two sums at which the answer is -1, neither.
        rule: function of two segments to use in place of the difference of the sums: positive where the
            first is better, negative where the second is.  It may be intransitive.
        seed: seed of the errors.

    Raises:
        ValueError: a number is out of its bounds, or `rule` returns something else than a finite number.

    Example:
        >>> obs, act, ends = np.zeros((4, 2)), np.zeros((3, 1)), np.zeros(3, bool)
        >>> good, bad = (Clip(obs, act, np.full(3, reward), ends) for reward in (1.0, 0.0))
        >>> OracleLabeler()("run", good, bad), OracleLabeler(band=3.0)("run", good, bad)
        (Label(value=0, confidence=1.0), Label(value=-1, confidence=1.0))
    """

    @check_arguments
    def __init__(
        self,
        flip_probability: float = 0.0,
        band: float = 0.0,
        rule: Callable[[Clip, Clip], float] | None = None,
        seed: int = 0,
    ) -> None:
        if not 0 <= flip_probability <= 1:
            raise ValueError(f"`flip_probability` must be in [0, 1]. Received {flip_probability}.")
        if band < 0:
            raise ValueError(f"`band` must be at least 0. Received {band}.")
        self.flip_probability = flip_probability
        self.band = band
        self.rule = rule or compare_returns
        self.seed = seed
        self._times: Counter[bytes] = Counter()

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label:
        """Return the answer for two segments; the task is not read."""
        returned: Any = self.rule(first, second)
        difference = float(returned) if np.ndim(returned) == 0 else np.nan
        if not np.isfinite(difference):
            raise ValueError(f"`rule` must return one finite number. Received {returned!r}.")
        if abs(difference) <= self.band:
            return Label(-1)
        label = Label(int(difference < 0))
        return swap_label(label) if self.flip_probability and self._errs(first, second) else label

    def skip(self, first: Clip, second: Clip, /) -> None:
        """Count a pair that a session before has asked, so that its next error is a new one."""
        self("", first, second)

    def _errs(self, first: Clip, second: Clip) -> bool:
        pair = b"".join(sorted((clip_digest(first), clip_digest(second))))
        entropy = [self.seed, self._times[pair], *np.frombuffer(pair, np.uint32).tolist()]
        self._times[pair] += 1
        return bool(np.random.default_rng(entropy).random() < self.flip_probability)


def compare_returns(first: Clip, second: Clip) -> float:
    """Return the sum of the first segment's true rewards minus that of the second."""
    return float(first.rew.sum(dtype=np.float64) - second.rew.sum(dtype=np.float64))
