"""Batches of labeled pairs of segments.

`PairBuffer`     buffer that samples pairs, an order of its own for each member of an ensemble
`score_clips`    sums of rewards of segments
`reward_clips`   rewards of each step of segments
"""

from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from tianshou.data import Batch, ReplayBuffer
from torch import Tensor

from rlpriors.data.episodes import LARGEST_BATCH, EpisodeStore
from rlpriors.rewards.base import RewardModel
from rlpriors.types import Transition

__all__ = ["PairBuffer", "clip_transitions", "reward_clips", "score_clips"]


class PairBuffer(ReplayBuffer):
    """Buffer that samples the numbers of labeled pairs, [batch, members].

    A sample depends on `seed` and `draws` only, so that a resumed run draws the same batches as an
    uninterrupted run.

    Args:
        n_pairs: number of pairs.
        n_members: number of independent samples in a batch.
        bootstrap: restrict each member to `n_pairs` pairs drawn with replacement.
        seed: random seed of the pairs and of the batches.

    Example:
        >>> buffer = PairBuffer(10, n_members=3, bootstrap=True, seed=0)
        >>> batch, _ = buffer.sample(4)
        >>> batch.pairs.shape, len(buffer)
        ((4, 3), 10)
    """

    def __init__(self, n_pairs: int, *, n_members: int, bootstrap: bool, seed: int) -> None:
        super().__init__(size=1)
        self.seed, self.draws = seed, 0
        own = [np.arange(n_pairs)] * n_members
        if bootstrap:
            own = [
                np.random.default_rng((seed, 0, member)).integers(n_pairs, size=n_pairs)
                for member in range(n_members)
            ]
        self.own: Int[np.ndarray, "pairs members"] = np.stack(own, 1)

    def __len__(self) -> int:
        return len(self.own)

    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Sample pairs of each member without replacement inside an epoch; all of them for None or 0."""
        n, n_members = self.own.shape
        size = batch_size or n
        rows = np.arange(self.draws * size, (self.draws + 1) * size)
        self.draws += 1
        order = np.empty((size, n_members), np.int64)
        for epoch in np.unique(rows // n):
            inside = rows // n == epoch
            for member in range(n_members):
                shuffled = np.random.default_rng((self.seed, 1, member, int(epoch))).permutation(n)
                order[inside, member] = shuffled[rows[inside] % n]
        pairs = np.take_along_axis(self.own, order, 0)
        return Batch(pairs=pairs), pairs[:, 0]


def clip_transitions(
    data: EpisodeStore, clips: Int[np.ndarray, "n 2"], length: int, device: torch.device
) -> Transition:
    """Return the transitions of segments, given by (episode, first step), end to end on a device."""
    first = data.step_starts[clips[:, 0]] + clips[:, 1]
    steps = (first[:, None] + np.arange(length)).ravel()
    return Transition(*(part.to(device) for part in data.transitions(steps)))


def reward_clips(
    reward: RewardModel, data: EpisodeStore, clips: Int[np.ndarray, "n 2"], length: int
) -> Float[Tensor, "n steps"]:
    """Return the reward of each step of segments, differentiable in the weights.

    Example:
        >>> from rlpriors.data import Episode
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> walk = Episode(np.arange(5.0)[:, None], np.zeros((4, 1)), *np.zeros((3, 4)))
        >>> reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1))
        >>> reward_clips(reward, EpisodeStore.from_episodes([walk]), np.array([[0, 1], [0, 2]]), 2).shape
        torch.Size([2, 2])
    """
    rewards: Tensor = reward(*clip_transitions(data, clips, length, reward.device))
    return rewards.reshape(len(clips), length)


@torch.no_grad()
def score_clips(
    reward: RewardModel,
    data: EpisodeStore,
    clips: Int[np.ndarray, "*n 2"],
    length: int,
    batch_size: int = 65536,
) -> Float[Tensor, "*n"]:
    """Return the sum of the rewards of each segment without a gradient, on the CPU.

    Args:
        reward: reward model.
        data: episodes that the segments are part of.
        clips: episode and first step of each segment.
        length: number of steps of a segment.
        batch_size: number of steps that are scored at once.
    """
    flat = clips.reshape(-1, 2)
    size = max(1, min(batch_size, LARGEST_BATCH // max(1, prod(data.obs.shape[1:]))) // length)
    parts = [
        reward_clips(reward, data, flat[first : first + size], length).sum(1).cpu()
        for first in range(0, len(flat), size)
    ]
    return torch.cat(parts).reshape(clips.shape[:-1])
