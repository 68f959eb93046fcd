"""Progress within demonstrations: which windows move, and which time steps come later.

`movement_weights`  sampling weights of demonstrated windows that move
`sample_pairs`      time steps of demonstrations in pairs, the earlier one first
`progress_loss`     Bradley-Terry loss that later time steps have the higher reward

Demonstrations of a way that is longer than a window carry two signals that a contrast of windows loses.
Rests at the end fill most windows, although the way is shown by the others.  In the middle of the way, as
many demonstrated windows arrive as leave, so that the contrast with other data cancels there; the order of
time steps within a demonstration does not.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.types import Window

__all__ = ["movement_weights", "progress_loss", "sample_pairs"]


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
    windows: WindowBuffer, layout: TrajectoryLayout, n: int, rng: np.random.Generator
) -> tuple[Window, Window]:
    """Draw `n` pairs of transitions between time steps of the same episode, the earlier ones first.

    The earlier one lies in a window that is drawn with the buffer's probabilities, so most pairs are on the
    way even if demonstrations rest for long.  The logarithm of the time between both is uniform up to the
    episode's end: near pairs order neighboring states, far pairs the whole way.  Each transition is a window
    of two time steps.  At the end of an episode both may be the same.
    """
    store = windows.store
    starts = windows.starts[windows.sample_rows(n, rng)]
    episode = store.episode_of[starts]
    last = np.maximum(store.step_starts[episode] + store.lengths[episode] - 2 * layout.stride, starts)
    earlier = np.minimum(starts + rng.integers(layout.horizon * layout.stride, size=n), last)
    gap = np.exp(rng.random(n) * np.log(last - earlier + 1)).astype(np.int64)
    later = np.minimum(earlier + gap, last)
    pair = (store.windows(part, 2, layout.stride) for part in (earlier, later))
    return next(pair), next(pair)


def progress_loss(earlier: Float[Tensor, " n"], later: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Return the mean of -log sigma(r_later - r_earlier) (Bradley & Terry 1952, Biometrika 39).

    Where an agent rests, or repeats a movement, either state of a pair is the later one equally often.  The
    loss is then lowest for equal rewards, so ends at rest need no special case.
    """
    return torch.nn.functional.softplus(earlier - later).mean()
