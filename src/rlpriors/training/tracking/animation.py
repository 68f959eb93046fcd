"""Animated GIFs.

`gif_bytes`       pictures as an animated GIF
`square`          picture on a square of a given size
`Flipbook`        pictures of one thing over a training, as an animated GIF
"""

from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from rlpriors.storage.atomic import write_atomically
from rlpriors.training.tracking.writer import RunWriter

__all__ = ["SIZE", "Flipbook", "gif_bytes", "square"]

SIZE = 345
"""Width in pixels of an image card of TensorBoard."""


def gif_bytes(frames: Sequence[UInt8[np.ndarray, "height width 3"]], *, fps: int = 2) -> bytes:
    """Return pictures of one size as an animated GIF that repeats; the last one stays for a second longer.

    Raises:
        ValueError: there is no picture, or `fps` is out of its bounds.

    Example:
        >>> gif = gif_bytes([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)])
        >>> Image.open(BytesIO(gif)).n_frames
        2
    """
    if not frames:
        raise ValueError("`frames` must be at least one picture. Received none.")
    if not 0 < fps <= 50:
        raise ValueError(f"`fps` must be above 0 and at most 50, which browsers show. Received {fps}.")
    pictures = [Image.fromarray(frame).quantize(256) for frame in frames]
    duration = round(1000 / fps)
    durations = [*([duration] * (len(pictures) - 1)), duration + 1000]
    file = BytesIO()
    pictures[0].save(
        file, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0, disposal=2
    )
    return file.getvalue()


def square(image: UInt8[np.ndarray, "height width 3"], size: int = SIZE) -> UInt8[np.ndarray, "size size 3"]:
    """Return a picture, scaled to fit, in the middle of a white square.

    Example:
        >>> square(np.zeros((2, 4, 3), np.uint8), 8)[:, 0, 0].tolist()
        [255, 255, 0, 0, 0, 0, 255, 255]
    """
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    kind = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    canvas = Image.new("RGB", (size, size), "white")
    scaled = Image.fromarray(image).resize(shape, kind)
    canvas.paste(scaled, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return np.asarray(canvas).copy()


class Flipbook:
    """Pictures of one thing over a training, as an animated GIF.

    Each picture is a file in `folder`, so that a resumed run continues the animation.

    Args:
        folder: folder of the pictures, one for each animation.
        draw: function that returns the picture of the current state.
        length: number of the last step.
        n_frames: number of pictures, spread evenly over the steps.

    Example:
        >>> from tempfile import mkdtemp
        >>> book = Flipbook(Path(mkdtemp()), lambda: np.zeros((4, 4, 3), np.uint8), length=100, n_frames=3)
        >>> [step for step in range(0, 101, 10) if book.add(step)]
        [0, 50, 100]
    """

    def __init__(
        self,
        folder: Path,
        draw: Callable[[], UInt8[np.ndarray, "height width 3"]],
        *,
        length: int,
        n_frames: int = 10,
    ) -> None:
        if n_frames < 2 or length < 1:
            raise ValueError(
                f"`n_frames` must be at least 2 and `length` at least 1. Received {n_frames} and {length}."
            )
        self.folder, self.draw = folder, draw
        self.interval = length / (n_frames - 1)

    def add(self, step: int) -> bool:
        """Draw the picture of a step if one is due; return True if it was drawn."""
        due = int(step / self.interval + 1e-6)
        if any(int(known / self.interval + 1e-6) == due for known in self.steps):
            return False
        picture = Image.fromarray(self.draw())
        write_atomically(self.folder / f"{step:09}.png", partial(picture.save, format="PNG"))
        return True

    @property
    def steps(self) -> list[int]:
        """Steps of the pictures so far."""
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.png"))

    def write(self, writer: RunWriter, tag: str, *, fps: int = 2) -> None:
        """Write the animation to `<folder>.gif` and to the writer, at the step of its last picture.

        Nothing is written without a picture.
        """
        steps = self.steps
        if not steps:
            return
        frames = [np.asarray(Image.open(self.folder / f"{step:09}.png").convert("RGB")) for step in steps]
        gif = gif_bytes(frames, fps=fps)
        write_atomically(self.folder.with_name(f"{self.folder.name}.gif"), lambda path: _write(path, gif))
        writer.animation(tag, gif, steps[-1])


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
