"""Where things are drawn in an Atari game, from the console's memory: masks of Pong, Breakout and Freeway.

`MASK_CLASSES`  the classes of each game that has masks
`Box`           where a thing lies, and in which color
`boxes`         the things of one frame
`atari_mask`    the class of every pixel of one frame
`shrink_frame`, `shrink_mask`  a frame made smaller, and its mask alike

A box says where a thing is, by AtariARI's addresses (`atari_ram`) and offsets that were measured on drawn
frames; only pixels in the thing's own color belong to it.  The memory must be that in which the frame was
drawn, and the frame a single one: the brighter of two, as agents see, shows a moving thing twice.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from rlpriors.data.photos.image_folder import NOT_JUDGED
from rlpriors.envs.atari.ram_annotations import GAMES, RAM, game_name

__all__ = ["MASK_CLASSES", "SCREEN", "Box", "atari_mask", "boxes", "shrink_frame", "shrink_mask"]

Memory = Mapping[str, int]
Mask = UInt8[np.ndarray, "height width"]

MASK_CLASSES: Mapping[str, tuple[str, ...]] = {
    "pong": ("background", "player", "opponent", "ball"),
    "breakout": ("background", "player", "bricks", "ball"),
    "freeway": ("background", "player", "cars"),
}
SCREEN = (210, 160)
"""Height and width of what the console draws."""
FIELDS = {"pong": (34, 194, 0, 160), "breakout": (32, 196, 8, 152), "freeway": (14, 197, 8, 160)}
"""First and last row and column (exclusive) of where the game is played: no scores, no walls."""
BACKGROUNDS = {"pong": (144, 72, 17), "breakout": (0, 0, 0), "freeway": (142, 142, 142)}
# A pixel of a smaller mask belongs to a thing that covers so much of it: at 64 x 64 half a ball does.
COVERED = 0.2


class Box(NamedTuple):
    """`height` rows from `top` and `width` columns from `left`: what has `color` there is `label`."""

    label: int
    top: int
    left: int
    height: int
    width: int
    color: tuple[int, int, int] | None = None
    """None for every color but the background's."""


def boxes(game: str, ram: UInt8[np.ndarray, " 128"]) -> list[Box]:
    """The things of `game` when its memory is `ram`; later ones hide earlier ones.

    Boxes may reach a pixel too far, where a thing is drawn at one of two places, and over the field's edge.

    Raises:
        ValueError: nobody measured this game, or `ram` is no console's.
    """
    if ram.shape != (RAM,):
        raise ValueError(f"`ram` must be {RAM} bytes. Received shape {ram.shape}.")
    name = game_name(game, tuple(MASK_CLASSES))
    return DRAWN[name]({variable: int(ram[where.address]) for variable, where in GAMES[name].items()})


def atari_mask(game: str, frame: UInt8[np.ndarray, "210 160 3"], ram: UInt8[np.ndarray, " 128"]) -> Mask:
    """The class of every pixel of `frame`, which was drawn when the memory was `ram`; see `MASK_CLASSES`.

    255, not judged, is the second player's chicken in Freeway, which looks like the first's and rests.

    Raises:
        ValueError: see `boxes`.
    """
    name = game_name(game, tuple(MASK_CLASSES))
    first_row, last_row, first_column, last_column = FIELDS[name]
    mask = np.zeros(SCREEN, np.uint8)
    for box in boxes(name, ram):
        rows = np.arange(max(box.top, first_row), min(box.top + box.height, last_row))
        columns = np.arange(box.left, box.left + box.width) % SCREEN[1]  # what leaves enters opposite
        columns = columns[(columns >= first_column) & (columns < last_column)]
        there = np.ix_(rows, columns)
        if box.color is None:
            belongs = (frame[there] != np.array(BACKGROUNDS[name], np.uint8)).any(-1)
        else:
            belongs = (frame[there] == np.array(box.color, np.uint8)).all(-1)
        mask[there] = np.where(belongs, np.uint8(box.label), mask[there])
    return mask


def shrink_frame(frame: UInt8[np.ndarray, "210 160 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "_ _ 3"]:
    """`frame` at `size`, by the means of areas, as agents see games."""
    import cv2

    return np.asarray(cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA))


def shrink_mask(mask: Mask, size: tuple[int, int]) -> UInt8[np.ndarray, "rows columns"]:
    """`mask` at a smaller `size`: the thing that covers most of a pixel, if that is a fifth of it or more.

    By the nearest pixel a ball would be there in some frames and not in others.

    Raises:
        ValueError: `size` is larger than the mask, or below 1.
    """
    if not (1 <= size[0] <= mask.shape[0] and 1 <= size[1] <= mask.shape[1]):
        raise ValueError(f"`size` must be at least 1 and at most {mask.shape}. Received {size}.")
    import cv2

    labels = [label for label in np.unique(mask).tolist() if label]
    small: np.ndarray = np.zeros(size, np.uint8)
    best = np.full(size, COVERED, np.float32)
    for label in labels:
        part = (mask == label).astype(np.float32)
        covered = cv2.resize(part, (size[1], size[0]), interpolation=cv2.INTER_AREA)
        small[covered >= best] = label
        best = np.maximum(best, covered)
    return small


def _pong(ram: Memory) -> list[Box]:
    # Paddles are 16 x 4, the ball is 4 x 2; heights are drawn in steps of two rows.
    return [
        Box(2, ram["enemy_y"] - 15, ram["enemy_x"] - 48, 16, 4, (213, 130, 74)),
        Box(1, ram["player_y"] - 14, ram["player_x"] - 48, 17, 4, (92, 186, 92)),
        Box(3, ram["ball_y"] - 15, ram["ball_x"] - 49, 5, 2, (236, 236, 236)),
    ]


def _breakout(ram: Memory) -> list[Box]:
    # The memory of bricks is not by place: whatever is drawn in their rows is one.  The ball, 4 x 2, has the
    # color of the rows where it is; the paddle, 4 x 16, is halved when the ball has been at the top.
    things = [Box(2, 57, 8, 36, 144), Box(1, 189, ram["player_x"] - 47, 4, 16, (200, 72, 72))]
    ball = Box(3, ram["ball_y"] + 9, ram["ball_x"] - 49, 4, 2)
    return [*things, ball] if ram["ball_y"] else things


def _freeway(ram: Memory) -> list[Box]:
    # Ten lanes of 16 rows from above, the last address first; cars are 10 x 8 with their black wheels.
    cars = [Box(2, 27 + 16 * lane, ram[f"enemy_car_x_{9 - lane}"] - 3, 10, 9) for lane in range(10)]
    yellow = (252, 252, 84)
    return [*cars, Box(NOT_JUDGED, 186, 107, 9, 9, yellow), Box(1, 193 - ram["player_y"], 44, 9, 8, yellow)]


DRAWN: Mapping[str, Callable[[Memory], list[Box]]] = {
    "pong": _pong,
    "breakout": _breakout,
    "freeway": _freeway,
}
