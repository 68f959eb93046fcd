"""Segments of recorded episodes.

`Clip`         one segment: observations, actions, rewards, ends and pictures
`cut_clip`     segment of an `EpisodeStore`
`clip_digest`  identifier of a segment's content
`as_frames`    pictures from recorded images
"""

from hashlib import sha256
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

from rlpriors.data.episodes import EpisodeStore

__all__ = ["Clip", "as_frames", "clip_digest", "cut_clip"]


SMALLEST_IMAGE = 8
"""Least number of rows and columns of a picture."""


class Clip(NamedTuple):
    """One segment of an episode, in raw units; the arrays are read-only."""

    obs: Shaped[np.ndarray, "steps+1 *obs"]
    """Observations; the last row follows the last step."""
    act: Shaped[np.ndarray, "steps *act"]
    """Actions."""
    rew: Float[np.ndarray, " steps"]
    """True rewards, which only an oracle reads; 0 for data without rewards."""
    terminated: Bool[np.ndarray, " steps"]
    """True where the environment ended the episode by its rules."""
    frames: UInt8[np.ndarray, "n h w 3"] | None = None
    """Pictures of the observations, for people and for models that see; None if no images were recorded."""


def cut_clip(store: EpisodeStore, episode: int, start: int, length: int) -> Clip:
    """Return `length` steps of an episode from its step `start` on, as read-only views.

    Raises:
        ValueError: there is no such episode, or the steps lie outside it.
    """
    if not 0 <= episode < store.n_episodes:
        raise ValueError(
            f"`episode` must be in 0..{store.n_episodes - 1}, the episodes of `store`. Received {episode}."
        )
    if length < 1:
        raise ValueError(f"`length` must be at least 1. Received {length}.")
    steps = int(store.lengths[episode])
    if not 0 <= start <= steps - length:
        raise ValueError(
            f"`start` must be at least 0 and leave {length} steps until the end of episode {episode}, which "
            f"has {steps} steps. Received {start}; use a smaller start or a smaller length."
        )
    whole = store.episode(episode)
    inside = slice(start, start + length)
    obs = whole.obs[start : start + length + 1]
    return Clip(
        _read_only(obs),
        _read_only(whole.act[inside]),
        _read_only(whole.rew[inside]),
        _read_only(whole.terminated[inside]),
        as_frames(obs),
    )


def clip_digest(clip: Clip) -> bytes:
    """Return 32 bytes that identify observations, actions and ends; rewards and pictures are not included."""
    digest = sha256()
    for array in (clip.obs, clip.act, clip.terminated):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def as_frames(obs: Shaped[np.ndarray, "n *obs"]) -> UInt8[np.ndarray, "n h w 3"] | None:
    """Return observations as RGB pictures, or None if they are no images.

    Images are of type uint8 with shape (rows, columns), (rows, columns, 1 or 3 or 4), (channels, rows,
    columns), or a stack of gray images (stack, rows, columns), whose last one is shown.  They have at least 8
    rows and columns: smaller arrays are grids of symbols.
    """
    if obs.dtype != np.uint8 or obs.ndim not in (3, 4):
        return None
    if obs.ndim == 3:
        frames = obs[..., None]
    elif obs.shape[-1] in (1, 3, 4):
        frames = obs[..., :3]
    elif obs.shape[1] == 3:
        frames = np.moveaxis(obs, 1, -1)
    else:
        frames = obs[:, -1, :, :, None]
    if min(frames.shape[1:3]) < SMALLEST_IMAGE:
        return None
    return _read_only(np.repeat(frames, 3, -1) if frames.shape[-1] == 1 else frames)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
