"""Self-play preference optimization: the reward is the win rate against the agent's own other episodes.

`SelfPlay`          self-play with any off-policy algorithm (SAC, TD3, DQN, ...)
`SelfPlayOnPolicy`  self-play with any on-policy algorithm (PPO, A2C, ...)
`SelfPlayStats`     training statistics of policy and comparisons
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import (
    OffPolicyAlgorithm,
    OffPolicyWrapperAlgorithm,
    OnPolicyAlgorithm,
    OnPolicyWrapperAlgorithm,
    TrainingStats,
    TrainingStatsWrapper,
)
from tianshou.data import Batch, ReplayBuffer
from torch import Tensor

from rlpriors.agents.preferences.finished_episodes import FinishedEpisodes, make_clip
from rlpriors.agents.preferences.trajectory_queue import TrajectoryQueue
from rlpriors.agents.resumable import ResumableWrapper
from rlpriors.agents.validation import check_type
from rlpriors.preferences.labelers.base import PreferenceLabeler

__all__ = ["SelfPlay", "SelfPlayOnPolicy", "SelfPlayStats"]


class SelfPlayStats(TrainingStatsWrapper):
    """Training statistics of the policy, and the comparisons."""

    def __init__(self, wrapped: TrainingStats, n_comparisons: int, n_queue: int) -> None:
        self.n_comparisons = n_comparisons
        """Comparisons since the start of the training."""
        self.n_queue = n_queue
        """Episodes that are compared with each other."""
        super().__init__(wrapped)  # last: it freezes the attributes


class _SelfPlayMixin(ResumableWrapper):
    """Queue of compared episodes, and the rewards of their steps."""

    comparisons: Tensor

    def _set_queue(self, labeler: PreferenceLabeler, task: str, size: int, scale: float) -> None:
        if not callable(labeler):
            raise TypeError(
                "`labeler` must be a function of (task, first, second), such as an OracleLabeler. Received "
                f"{labeler!r}."
            )
        if not math.isfinite(scale) or scale <= 0:
            raise ValueError(f"`scale` must be finite and above 0. Received {scale}.")
        self.queue, self.scale = TrajectoryQueue(labeler, task, size), float(scale)
        self._mean_length = 0.0
        self.register_buffer("comparisons", torch.zeros((), dtype=torch.int64))

    @property
    def n_comparisons(self) -> int:
        """Comparisons since the start of the training."""
        return int(self.comparisons)

    def resume_inputs(self) -> dict[str, Any]:
        return {"task": self.queue.task, "size": self.queue.size, "scale": self.scale}

    def _add(self, clip: Any) -> int:
        before = self.queue.n_comparisons
        number = self.queue.add(clip)
        self.comparisons += self.queue.n_comparisons - before
        length = len(clip.rew)
        self._mean_length = length if not self._mean_length else 0.9 * self._mean_length + 0.1 * length
        return number

    def _neutral(self, length: int) -> float:
        """Return the reward of a step whose episode has no comparison yet: that of a win rate of 0.5."""
        return self.scale * 0.5 / max(self._mean_length, length, 1)

    def _stats(self, wrapped: TrainingStats) -> TrainingStats:
        return SelfPlayStats(wrapped, self.n_comparisons, len(self.queue))


class SelfPlay(_SelfPlayMixin, OffPolicyWrapperAlgorithm[Any]):
    """Off-policy algorithm that learns from comparisons of the agent's own episodes (arXiv 2401.04056).

    The last `size` episodes are compared with each other.  The reward of an episode is its mean probability
    to win against another one, in equal parts on its steps, so that their sum is `scale` * win rate.  There
    is no reward model, and the labeler may be noisy or intransitive: the policy approaches the strategy that
    no other one beats on average (the minimax winner).

    Win rates of the whole queue change with each new episode.  They are written into `buffer.rew` before
    targets are computed, because Tianshou's targets read it.  Episodes that left the queue keep their last
    win rate, and steps of unfinished episodes have the reward of a win rate of 0.5.  The environment's
    reward is overwritten; an oracle gets it in `Clip.rew`.

    After resuming the queue is empty, and stored steps keep their rewards.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        labeler: labeler of two whole episodes.
        task: text of the task, for the labeler.
        size: number of episodes in the queue, at least 2; each new episode costs at most `size`
            comparisons.
        scale: sum of the rewards of an episode that always wins, above 0.
        obs_keys: leaves of a Dict observation that the labeler sees; None for all.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> from rlpriors.preferences import OracleLabeler
        >>> dqn = make_algorithm(
        ...     gym.spaces.Box(-9, 9, (1,)), gym.spaces.Discrete(2), AlgorithmSettings("dqn"), device="cpu")
        >>> algorithm = SelfPlay(dqn, OracleLabeler(), "go right")
        >>> buffer, obs = ReplayBuffer(10), np.zeros(1)
        >>> for rew in (1.0, 1.0, 5.0, 2.0):  # two episodes of two steps; the second wins
        ...     _ = buffer.add(Batch(obs=obs, act=0, rew=rew, obs_next=obs, terminated=len(buffer) % 2 == 1,
        ...                          truncated=False))
        >>> algorithm.rescore(buffer)
        >>> buffer.rew[:4], algorithm.n_comparisons
        (array([0. , 0. , 0.5, 0.5]), 1)

    Raises:
        TypeError: the algorithm is not off-policy, or the labeler is not callable.
        ValueError: `size` or `scale` is out of its bounds.
    """

    def __init__(
        self,
        algorithm: OffPolicyAlgorithm[Any],
        labeler: PreferenceLabeler,
        task: str = "",
        *,
        size: int = 25,
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        advice = "use `SelfPlayOnPolicy` for an on-policy one"
        check_type("algorithm", algorithm, OffPolicyAlgorithm, advice)
        super().__init__(algorithm)
        self.share_schedules(algorithm)
        self._set_queue(labeler, task, size, scale)
        self._episodes = FinishedEpisodes(self.policy, obs_keys)
        self._rows: dict[int, np.ndarray] = {}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore a `resume_state`; the queue starts empty.

        Raises:
            CheckpointError: the state is of another algorithm or of other settings.
        """
        super().resume(state)
        self._episodes.skip()

    def rescore(self, buffer: ReplayBuffer) -> None:
        """Compare the episodes that ended since the last call, and write the rewards of the whole queue.

        Raises:
            ValueError: the labeler returns something else than a label.
        """
        episodes, unfinished = self._episodes.take(buffer)
        if episodes or len(unfinished):
            self._forget_overwritten(np.concatenate([unfinished, *(episode.rows for episode in episodes)]))
        for episode in episodes:
            self._rows[self._add(episode.clip)] = episode.rows
        if episodes:
            rates = self.queue.take_rates()
            for number, rate in rates.items():
                rows = self._rows[number]
                buffer.rew[rows] = self.scale * rate / len(rows)
        for number in list(self._rows):
            if number not in self.queue:
                del self._rows[number]
        buffer.rew[unfinished] = self._neutral(0)

    def _forget_overwritten(self, rows: np.ndarray) -> None:
        """Remove the episodes from the queue whose rows the buffer has used again."""
        for number, old in list(self._rows.items()):
            if np.isin(old, rows).any():
                self.queue.remove(number)
                del self._rows[number]

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        self.rescore(buffer)
        batch.rew = buffer.rew[indices]  # for algorithms that read the batch
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return self._stats(original_stats)


class SelfPlayOnPolicy(_SelfPlayMixin, OnPolicyWrapperAlgorithm[Any]):
    """On-policy algorithm that learns from comparisons of the agent's own episodes (arXiv 2401.04056).

    The episodes of each collection are compared with each other and with earlier ones of the queue, and
    their win rates are written into the batch before returns are computed.  An episode that began in an
    earlier collection is compared as a whole.  Steps whose episode has not ended have the reward of a win
    rate of 0.5: collect whole episodes where possible, such as `collect_steps` = `n_envs` * length.
    Otherwise as `SelfPlay`.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        labeler: labeler of two whole episodes.
        task: text of the task, for the labeler.
        size: number of episodes in the queue, at least 2.
        scale: sum of the rewards of an episode that always wins, above 0.
        obs_keys: leaves of a Dict observation that the labeler sees; None for all.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> from rlpriors.preferences import OracleLabeler
        >>> ppo = make_algorithm(
        ...     gym.spaces.Box(-9, 9, (1,)), gym.spaces.Discrete(2), AlgorithmSettings("ppo"), device="cpu")
        >>> SelfPlayOnPolicy(ppo, OracleLabeler(), "go right").wrapped_algorithm is ppo
        True

    Raises:
        TypeError: the algorithm is not on-policy, or the labeler is not callable.
        ValueError: `size` or `scale` is out of its bounds, or, in an update, no episode has ended.
    """

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        labeler: PreferenceLabeler,
        task: str = "",
        *,
        size: int = 25,
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        check_type("algorithm", algorithm, OnPolicyAlgorithm, "use `SelfPlay` for an off-policy one")
        super().__init__(algorithm)
        self.share_schedules(algorithm)
        self._set_queue(labeler, task, size, scale)
        self.obs_keys = obs_keys
        self._begun: dict[int, Any] = {}

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        parts = np.searchsorted(buffer.subbuffer_edges, indices, side="right") - 1
        rewards, waiting = np.zeros(len(indices)), []
        numbers: list[tuple[int, np.ndarray, int]] = []
        begun, self._begun = self._begun, {}
        for rows in _split(batch.done, parts):
            part = int(parts[rows[0]])
            steps = _steps(batch[rows])
            if part in begun and _continues(begun[part], steps):
                steps = Batch.cat([begun[part], steps])
            begun.pop(part, None)
            if not batch.done[rows[-1]]:
                self._begun[part] = steps
                waiting.append((rows, len(steps)))
                continue
            clip = make_clip(steps, np.array(steps.rew, np.float64), self.policy, self.obs_keys)
            numbers.append((self._add(clip), rows, len(steps)))
        if not numbers:
            raise ValueError(
                f"A collection must contain the end of an episode. Received {len(indices)} steps without "
                "one; collect more steps, or set a shorter time limit."
            )
        rates = self.queue.take_rates()
        for number, rows, length in numbers:
            rewards[rows] = self.scale * rates[number] / length
        for rows, length in waiting:
            rewards[rows] = self._neutral(length)
        batch.rew = rewards
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return self._stats(original_stats)


def _split(done: np.ndarray, parts: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each episode, which ends with `done` or with the steps of an environment."""
    ends = np.append(done[:-1] | (parts[1:] != parts[:-1]), True)
    return np.split(np.arange(len(done)), np.flatnonzero(ends)[:-1] + 1)


def _steps(batch: Any) -> Any:
    """Return the entries of steps that a segment needs."""
    names = ("obs", "act", "rew", "obs_next", "terminated")
    return Batch({name: batch[name] for name in names})


def _continues(begun: Any, steps: Any) -> bool:
    """Return True if the first of `steps` follows the last one of `begun`."""
    after, obs = begun.obs_next[-1], steps.obs[0]
    if isinstance(obs, Batch):
        return all(np.array_equal(after[key], obs[key]) for key in obs.get_keys())
    return bool(np.array_equal(after, obs))
