"""Progress within demonstrations: which windows move, and how far time steps are apart.

`movement_weights`  sampling weights of demonstrated windows that move
`sample_pairs`      time steps of episodes in pairs, the earlier one first
`progress_loss`     deviation of a reward's increase along demonstrations from the length of the way
`path_penalty`      change of a reward along data beyond the length of the way
`rest_penalty`      slope of a reward where demonstrations rest

Demonstrations of a way that is longer than a window carry two signals that a contrast of windows loses.
Rests at the end fill most windows, although the way is shown by the others.  In the middle of the way, as
many demonstrated windows arrive as leave, so that the contrast with other data cancels there; the order of
time steps within a demonstration does not.

Two losses teach such ways.  Along a demonstration, the reward rises by the length of the way.  Along all
data, it changes by at most that length.  Under this bound the contrast with the prior's data is the dual
problem of the optimal transport from the data to the demonstrations (Kantorovich and Rubinstein; Villani
2009, "Optimal Transport: Old and New", chapter 5), with the length of ways in the data as its cost.  Where
demonstrations rest at a goal, its solution is minus the distance to the goal, also in states that no
demonstration visits.  The way leads around walls, unlike the straight lines of the gradient penalty.

That solution has a kink at the goal, which a smooth network rounds off, and its highest value may come to lie
next to the goal.  A third loss makes the reward level where demonstrations rest, as a maximum is.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.offline_algorithm import WindowBuffer

__all__ = ["GAIN", "movement_weights", "path_penalty", "progress_loss", "rest_penalty", "sample_pairs"]

GAIN = 5.0
"""Increase of the reward of a time step along a way that is as long as the mean window of the data."""


def movement_weights(
    windows: WindowBuffer, layout: TrajectoryLayout, variation: Float[Tensor, " dim"], fraction: float
) -> Float[np.ndarray, " n"]:
    """Return a probability for each window of a buffer, higher for windows that move farther.

    A window moves by the distance between its first and its last observation, in normalized units, with the
    square of each entry divided by the entry's temporal variation: a change of a slow entry, such as a
    position, counts more than one of a fast entry, such as a velocity.

    Args:
        windows: windows of the demonstrations.
        layout: normalization of the windows.
        variation: temporal variation of each entry of a time step (`losses.temporal_variation`).
        fraction: fraction of draws in proportion to the movement, in [0, 1]; the others are uniform.
    """
    store, n = windows.store, len(windows)
    first = store.obs_index(windows.starts)
    episode = store.episode_of[windows.starts]
    final = store.step_starts[episode] + episode + store.lengths[episode]  # of windows beyond a termination
    last = np.minimum(first + (layout.horizon - 1) * layout.stride, final)
    device = variation.device
    obs = [torch.as_tensor(store.obs[at].reshape(n, -1), dtype=torch.float32) for at in (first, last)]
    start, end = (layout.obs(part.to(device)) for part in obs)
    movement = ((end - start).square() / variation[: layout.obs_dim]).sum(1).sqrt().double().cpu().numpy()
    total = movement.sum()
    uniform: np.ndarray = np.full(n, 1 / n)
    return uniform if total == 0 else fraction * movement / total + (1 - fraction) * uniform


def sample_pairs(
    windows: WindowBuffer, n: int, rng: np.random.Generator, longest: int | None = None
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Draw `n` pairs of steps of the same episode, the earlier ones first.

    The earlier one lies in a window that is drawn with the buffer's probabilities, so most pairs are on the
    way even if demonstrations rest for long.  The logarithm of the time between both is uniform: near pairs
    order neighboring states, far pairs the whole way.  At the end of an episode both may be the same.

    Args:
        windows: windows of the episodes.
        n: number of pairs.
        rng: random generator.
        longest: largest number of steps between both; None for the whole episode.
    """
    store = windows.store
    starts = windows.starts[windows.sample_rows(n, rng)]
    episode = store.episode_of[starts]
    last = np.maximum(store.step_starts[episode] + store.lengths[episode] - 2 * windows.stride, starts)
    earlier = np.minimum(starts + rng.integers(windows.horizon * windows.stride, size=n), last)
    most = last - earlier if longest is None else np.minimum(last - earlier, longest)
    gap = np.exp(rng.random(n) * np.log(most + 1)).astype(np.int64)
    return earlier, np.minimum(earlier + gap, last)


def progress_loss(
    earlier: Float[Tensor, " n"], later: Float[Tensor, " n"], length: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Return the mean of GAIN (d - length)^2 with d = (r_later - r_earlier) / GAIN, along demonstrations.

    The length of the way is 0 within a rest, so ends at rest need no special case.  A loss of the order alone
    would let the contrast stretch the reward where few demonstrations begin, and reverse it there.

    Args:
        earlier: reward of the earlier time step of each pair.
        later: reward of the later one.
        length: length of the way between both, in mean windows of the data.
    """
    return GAIN * ((later - earlier) / GAIN - length).square().mean()


def path_penalty(
    earlier: Float[Tensor, " n"], later: Float[Tensor, " n"], length: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Return the mean of GAIN max(|d| - length, 0)^2, with d as in `progress_loss`, along any data."""
    return GAIN * ((later - earlier).abs() / GAIN - length).clamp(min=0).square().mean()


def rest_penalty(
    rewards: Float[Tensor, " n"], x: Float[Tensor, "n steps dim"], obs_dim: int
) -> Float[Tensor, ""]:
    """Return the mean of |dr/ds|^2 where demonstrations rest.

    Args:
        rewards: reward of the transition between the two time steps of each window.
        x: normalized windows, which `rewards` was computed from.
        obs_dim: number of entries of an observation, the first ones of a time step.
    """
    (slope,) = torch.autograd.grad(rewards.sum(), x, create_graph=True)
    return slope[..., :obs_dim].square().sum((1, 2)).mean()
