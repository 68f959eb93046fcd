"""Pictures of segments, for people and for models that see.

`ClipPainter`  recorded images of a segment, or a drawing of its trajectory
`image_file`   pictures as one file: an animated GIF, or a PNG if there is one picture
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from rlpriors.data.episodes import EpisodeStore
from rlpriors.preferences.clips import Clip, as_frames

__all__ = ["ClipPainter", "image_file"]

INCHES, DPI = 3.6, 130
SMALLEST = 240
"""Least rows of a picture in a file: small images are enlarged by whole factors."""
FPS = 10
COLORS = "viridis"


class ClipPainter:
    """Function from a segment to its pictures: recorded images if there are any, otherwise a drawing.

    The drawing shows one or two entries of the observations.  Two entries are a path in their plane: a black
    circle at the start, a red triangle at the end, and colors from the first step (dark) to the last
    (bright).  One entry is a curve over the steps.  The axes are those of the whole data set, so that two
    drawings compare.

    Args:
        store: data set of the segments.
        entries: one or two entries of a flattened observation; by default the first two, or the only one.
        background: function that draws on the axes of a path, such as the walls of a maze.

    Raises:
        ValueError: `entries` are not one or two different entries of the observations, or these are images.

    Example:
        >>> from rlpriors.data import Episode
        >>> from rlpriors.preferences.clips import cut_clip
        >>> episode = Episode(np.zeros((4, 3)), np.zeros((3, 1)), *np.zeros((3, 3)))
        >>> store = EpisodeStore.from_episodes([episode])
        >>> ClipPainter(store, entries=(0, 2))(cut_clip(store, 0, 0, 3)).shape
        (1, 468, 468, 3)
    """

    def __init__(
        self,
        store: EpisodeStore,
        entries: Sequence[int] | None = None,
        background: Callable[[Axes], None] | None = None,
    ) -> None:
        self.background = background
        self.names: tuple[str, ...] = ()
        """Names of the drawn entries; empty for recorded images."""
        if as_frames(store.obs[:1]) is not None:
            if entries is not None:
                raise ValueError(
                    f"`entries` are for observations without images. Received {tuple(entries)} and images of "
                    f"shape {store.obs.shape[1:]}; leave them out."
                )
            return
        obs = store.obs.reshape(len(store.obs), -1)
        n = obs.shape[1]
        self.entries = tuple(range(min(n, 2)) if entries is None else entries)
        if len(self.entries) not in (1, 2) or len(set(self.entries) & {*range(n)}) != len(self.entries):
            raise ValueError(
                f"`entries` must be one or two different entries in 0..{n - 1} of the observations. Received "
                f"{self.entries}."
            )
        names = entry_names(store)
        self.names = tuple(names[entry] for entry in self.entries)
        self.limits = [_limits(obs[:, entry]) for entry in self.entries]

    def __call__(self, clip: Clip) -> UInt8[np.ndarray, "n h w 3"]:
        """Return the recorded images of a segment, or one drawing."""
        if clip.frames is not None:
            return np.array(clip.frames)
        figure = Figure(figsize=(INCHES, INCHES), dpi=DPI, layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        values = clip.obs.reshape(len(clip.obs), -1)[:, list(self.entries)]
        (self._path if len(self.entries) == 2 else self._curve)(figure.add_subplot(), values)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[None, :, :, :3].copy()

    def _path(self, ax: Axes, values: Shaped[np.ndarray, "n 2"]) -> None:
        ax.set(xlim=self.limits[0], ylim=self.limits[1], xlabel=self.names[0], ylabel=self.names[1])
        if self.background is not None:
            self.background(ax)
        ax.plot(*values.T, color="0.6", linewidth=1, zorder=3)
        ax.scatter(values[:, 0], values[:, 1], c=np.arange(len(values)), cmap=COLORS, s=22, zorder=4)
        ax.plot(*values[0], "o", color="black", markersize=9, zorder=5, label="start")
        ax.plot(*values[-1], "^", color="red", markersize=9, zorder=5, label="end")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, fontsize="small")

    def _curve(self, ax: Axes, values: Shaped[np.ndarray, "n 1"]) -> None:
        ax.set(xlim=(0, max(len(values) - 1, 1)), ylim=self.limits[0], xlabel="step", ylabel=self.names[0])
        ax.plot(values[:, 0], marker=".")


def entry_names(store: EpisodeStore) -> list[str]:
    """Return the name of each entry of a flattened observation: its leaf and its place in the leaf."""
    size = int(np.prod(store.obs.shape[1:]))
    layout = store.obs_layout
    if layout is None or layout.shapes is None:
        return [f"observation[{entry}]" for entry in range(size)]
    sizes = [int(np.prod(shape)) for shape in layout.shapes]
    return [f"{key}[{entry}]" for key, n in zip(layout.keys, sizes, strict=True) for entry in range(n)]


def image_file(frames: UInt8[np.ndarray, "n h w 3"], fps: int = FPS) -> tuple[bytes, str]:
    """Return pictures as the content of a file and its type: "gif" (it repeats), or "png" for one picture.

    The last picture of an animation stays for a second longer.  Small pictures are enlarged by a whole
    factor.

    Raises:
        ValueError: there is no picture, or `fps` is out of its bounds.
    """
    if not len(frames) or not 0 < fps <= 50:
        raise ValueError(
            f"`frames` must be at least one picture, and `fps` above 0 and at most 50. Received "
            f"{len(frames)} and {fps}."
        )
    factor = -(-SMALLEST // frames.shape[1])
    enlarged = frames.repeat(factor, 1).repeat(factor, 2)
    images = [Image.fromarray(frame) for frame in enlarged]
    file = BytesIO()
    if len(images) == 1:
        images[0].save(file, "PNG")
        return file.getvalue(), "png"
    durations = [round(1000 / fps)] * (len(images) - 1) + [round(1000 / fps) + 1000]
    palettes = [image.quantize(256) for image in images]
    palettes[0].save(file, "GIF", save_all=True, append_images=palettes[1:], duration=durations, loop=0)
    return file.getvalue(), "gif"


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin
