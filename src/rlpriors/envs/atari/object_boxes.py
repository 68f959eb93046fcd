"""Object boxes and segmentation masks of Pong, Breakout and Freeway, from the console's RAM.

`MASK_CLASSES`  class names of each game that has masks
`ObjectBox`     bounding box and color of an object
`object_boxes`  boxes of one frame
`atari_mask`    class of each pixel of one frame
`shrink_frame`  frame at a smaller size
`shrink_mask`   mask at a smaller size

Positions come from AtariARI's RAM addresses (`ram_annotations`) and from offsets measured on rendered frames;
only the pixels of a box in the object's color belong to the object.  The RAM must be the one that the frame
was drawn from, and the frame a single emulated frame: the maximum of two frames shows moving objects twice.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from rlpriors.data.photos.image_folder import IGNORE_INDEX
from rlpriors.envs.atari.ram_annotations import GAMES, RAM, game_name

__all__ = ["MASK_CLASSES", "SCREEN", "ObjectBox", "atari_mask", "object_boxes", "shrink_frame", "shrink_mask"]

Ram = Mapping[str, int]
Mask = UInt8[np.ndarray, "height width"]

MASK_CLASSES: Mapping[str, tuple[str, ...]] = {
    "pong": ("background", "player", "opponent", "ball"),
    "breakout": ("background", "player", "bricks", "ball"),
    "freeway": ("background", "player", "cars"),
}
SCREEN = (210, 160)
"""Height and width of the console's screen."""
FIELDS = {"pong": (34, 194, 0, 160), "breakout": (32, 196, 8, 152), "freeway": (14, 197, 8, 160)}
"""First and last row and column (exclusive) of the playing field, without scores and walls."""
BACKGROUNDS = {"pong": (144, 72, 17), "breakout": (0, 0, 0), "freeway": (142, 142, 142)}
# Fraction of a pixel of a smaller mask that an object must cover; half a ball does at 64 x 64.
MIN_COVERAGE = 0.2


class ObjectBox(NamedTuple):
    """Bounding box of an object; its pixels of `color` belong to the object."""

    label: int
    """Class of the object."""
    top: int
    """First row."""
    left: int
    """First column."""
    height: int
    """Number of rows."""
    width: int
    """Number of columns."""
    color: tuple[int, int, int] | None = None
    """RGB color of the object; None for all colors but the background's."""


def object_boxes(game: str, ram: UInt8[np.ndarray, " 128"]) -> list[ObjectBox]:
    """Return the boxes of the objects of `game` for the RAM `ram`; later boxes cover earlier ones.

    A box can be a pixel too large, where an object is drawn at one of two positions, and can extend over the
    edge of the field.

    Raises:
        ValueError: the game has no boxes, or `ram` is not of 128 bytes.
    """
    if ram.shape != (RAM,):
        raise ValueError(f"`ram` must be {RAM} bytes. Received shape {ram.shape}.")
    name = game_name(game, tuple(MASK_CLASSES))
    return BOX_FUNCTIONS[name]({variable: int(ram[where.address]) for variable, where in GAMES[name].items()})


def atari_mask(game: str, frame: UInt8[np.ndarray, "210 160 3"], ram: UInt8[np.ndarray, " 128"]) -> Mask:
    """Return the class of each pixel of `frame`, which was drawn from the RAM `ram`; see `MASK_CLASSES`.

    The value 255 (ignored) is the second player's chicken in Freeway, which looks like the first player's and
    does not move.

    Raises:
        ValueError: see `object_boxes`.
    """
    name = game_name(game, tuple(MASK_CLASSES))
    first_row, last_row, first_column, last_column = FIELDS[name]
    mask = np.zeros(SCREEN, np.uint8)
    for box in object_boxes(name, ram):
        rows = np.arange(max(box.top, first_row), min(box.top + box.height, last_row))
        columns = np.arange(box.left, box.left + box.width) % SCREEN[1]  # the screen wraps around
        columns = columns[(columns >= first_column) & (columns < last_column)]
        area = np.ix_(rows, columns)
        if box.color is None:
            inside = (frame[area] != np.array(BACKGROUNDS[name], np.uint8)).any(-1)
        else:
            inside = (frame[area] == np.array(box.color, np.uint8)).all(-1)
        mask[area] = np.where(inside, np.uint8(box.label), mask[area])
    return mask


def shrink_frame(frame: UInt8[np.ndarray, "210 160 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return `frame` at `size`, by area interpolation."""
    import cv2

    return np.asarray(cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA))


def shrink_mask(mask: Mask, size: tuple[int, int]) -> UInt8[np.ndarray, "rows columns"]:
    """Return `mask` at a smaller `size`: a pixel gets the object that covers most of it, if at least a fifth.

    Nearest-neighbor interpolation would lose a ball in some frames.

    Raises:
        ValueError: `size` is larger than the mask, or below 1.
    """
    if not (1 <= size[0] <= mask.shape[0] and 1 <= size[1] <= mask.shape[1]):
        raise ValueError(f"`size` must be at least 1 and at most {mask.shape}. Received {size}.")
    import cv2

    classes = [label for label in np.unique(mask).tolist() if label]
    small: np.ndarray = np.zeros(size, np.uint8)
    best = np.full(size, MIN_COVERAGE, np.float32)
    for label in classes:
        covered = cv2.resize(
            (mask == label).astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA
        )
        small[covered >= best] = label
        best = np.maximum(best, covered)
    return small


def _pong(ram: Ram) -> list[ObjectBox]:
    # Paddles are 16 x 4, the ball is 4 x 2; heights are drawn in steps of two rows.
    return [
        ObjectBox(2, ram["enemy_y"] - 15, ram["enemy_x"] - 48, 16, 4, (213, 130, 74)),
        ObjectBox(1, ram["player_y"] - 14, ram["player_x"] - 48, 17, 4, (92, 186, 92)),
        ObjectBox(3, ram["ball_y"] - 15, ram["ball_x"] - 49, 5, 2, (236, 236, 236)),
    ]


def _breakout(ram: Ram) -> list[ObjectBox]:
    # The RAM does not store bricks by position: any color in their rows is a brick.  The ball, 4 x 2, has the
    # color of the rows that it is in; the paddle, 4 x 16, is halved once the ball has reached the top.
    boxes = [ObjectBox(2, 57, 8, 36, 144), ObjectBox(1, 189, ram["player_x"] - 47, 4, 16, (200, 72, 72))]
    ball = ObjectBox(3, ram["ball_y"] + 9, ram["ball_x"] - 49, 4, 2)
    return [*boxes, ball] if ram["ball_y"] else boxes


def _freeway(ram: Ram) -> list[ObjectBox]:
    # Ten lanes of 16 rows, from the top and the last address; cars are 10 x 8 with their black wheels.
    cars = [ObjectBox(2, 27 + 16 * lane, ram[f"enemy_car_x_{9 - lane}"] - 3, 10, 9) for lane in range(10)]
    yellow = (252, 252, 84)
    return [
        *cars,
        ObjectBox(IGNORE_INDEX, 186, 107, 9, 9, yellow),
        ObjectBox(1, 193 - ram["player_y"], 44, 9, 8, yellow),
    ]


BOX_FUNCTIONS: Mapping[str, Callable[[Ram], list[ObjectBox]]] = {
    "pong": _pong,
    "breakout": _breakout,
    "freeway": _freeway,
}
