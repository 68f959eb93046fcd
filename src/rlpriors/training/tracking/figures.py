"""Figures of matplotlib as pictures: one square panel, legible in the small cards of TensorBoard.

`panel`         one square panel with a title
`figure_image`  a figure as an array
`image_grid`    several images as one square picture
"""

from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

matplotlib.use("Agg")  # no screen is needed

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["figure_image", "image_grid", "panel"]

LEAST_SIZE = 345
SIZE, DPI = 3.6, 140  # inches, and pixels of an inch

STYLE: Any = {
    "axes.titlesize": 17,
    "axes.labelsize": 15,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
    "legend.fontsize": 13,
    "legend.loc": "upper right",  # matplotlib's search for the best place takes long
}


def panel(title: str, draw: Callable[[Axes], None]) -> Figure:
    """Return one square panel with a title.

    At the 215 pixels of a card in TensorBoard's first tab, the smallest font has 11 pixels.

    Example:
        >>> figure_image(panel("empty", lambda ax: ax.set_axis_off())).shape
        (504, 504, 3)
    """
    with plt.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=(SIZE, SIZE), layout="constrained")
        draw(ax)
        ax.set_title(title)
    return figure


def figure_image(figure: Figure, *, dpi: int = DPI) -> UInt8[np.ndarray, "height width 3"]:
    """Return a figure as an array of pixels, and close it."""
    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    image: np.ndarray = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    plt.close(figure)
    return image


def image_grid(
    images: Float[Tensor, "count channels height width"],
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return images with values in [0, 1] as a nearly square grid.

    Small images are magnified by a whole number.  Images of 1 or 3 channels are shown, and the first channel
    of others.

    Example:
        >>> import torch
        >>> image_grid(torch.zeros(4, 1, 8, 8)).shape
        (357, 357, 3)
    """
    pixels = images if images.shape[1] in (1, 3) else images[:, :1]
    array = (pixels.float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    array = np.broadcast_to(array, (*array.shape[:3], 3))
    count, height, width, _ = array.shape
    columns = max(1, round(float(np.sqrt(count * height / width))))
    rows = -(-count // columns)
    grid = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, 3), 255, np.uint8)
    for number, image in enumerate(array):
        y, x = number // columns * (height + 1), number % columns * (width + 1)
        grid[y : y + height, x : x + width] = image
    scale = -(-LEAST_SIZE // max(grid.shape[:2]))
    return grid.repeat(scale, 0).repeat(scale, 1)
