"""Animated GIFs, and pictures over a training that is stopped and resumed."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rlpriors.training.tracking.animation import Flipbook, gif_bytes, square
from rlpriors.training.tracking.csv_files import CsvWriter
from rlpriors.training.tracking.figures import figure_image, image_grid, panel


def gray(level: int) -> np.ndarray:
    return np.full((5, 5, 3), level, np.uint8)


def levels(gif: bytes) -> list[int]:
    picture = Image.open(BytesIO(gif))
    values = []
    for number in range(picture.n_frames):
        picture.seek(number)
        values.append(int(np.asarray(picture.convert("RGB"))[0, 0, 0]))
    return values


def test_a_gif_shows_its_pictures_in_order_and_rests_on_the_last() -> None:
    gif = gif_bytes([gray(0), gray(100), gray(200)], fps=5)
    assert levels(gif) == [0, 100, 200]
    picture = Image.open(BytesIO(gif))
    assert picture.info["duration"] == 200
    picture.seek(2)
    assert picture.info["duration"] == 1200
    assert picture.info["loop"] == 0  # without end


def test_no_picture_makes_no_gif() -> None:
    with pytest.raises(ValueError, match="`frames` must be at least one picture"):
        gif_bytes([])
    with pytest.raises(ValueError, match=r"`fps` must be above 0 .* Received 0"):
        gif_bytes([gray(0)], fps=0)


def test_a_square_keeps_the_whole_picture() -> None:
    wide = np.zeros((10, 30, 3), np.uint8)
    picture = square(wide, 60)
    assert picture.shape == (60, 60, 3)
    assert (picture[20:40] == 0).all()
    assert (picture[:20] == 255).all()
    assert (picture[40:] == 255).all()


class Count:
    """Picture whose level is the number of pictures that were drawn before."""

    def __init__(self, first: int = 0) -> None:
        self.n = first

    def __call__(self) -> np.ndarray:
        self.n += 1
        return gray(20 * self.n)


def test_pictures_are_spread_over_the_training(tmp_path: Path) -> None:
    book = Flipbook(tmp_path / "map", Count(), length=100, n_frames=5)
    drawn = [step for step in range(0, 101, 10) if book.add(step)]
    assert drawn == [0, 30, 50, 80, 100]
    assert book.steps == drawn


def test_a_resumed_training_continues_the_animation(tmp_path: Path) -> None:
    first = Flipbook(tmp_path / "map", Count(), length=100, n_frames=3)
    assert [first.add(step) for step in (0, 50)] == [True, True]
    second = Flipbook(tmp_path / "map", Count(2), length=100, n_frames=3)
    assert [second.add(step) for step in (50, 60, 100)] == [False, False, True]
    writer = CsvWriter(tmp_path / "csv")
    second.write(writer, "pictures/map")
    writer.close()
    assert levels((tmp_path / "map.gif").read_bytes()) == [20, 40, 60]
    assert levels((tmp_path / "csv" / "pictures-map-100.gif").read_bytes()) == [20, 40, 60]


def test_a_book_without_pictures_writes_nothing(tmp_path: Path) -> None:
    writer = CsvWriter(tmp_path / "csv")
    Flipbook(tmp_path / "map", Count(), length=10).write(writer, "pictures/map")
    writer.close()
    assert not list(tmp_path.glob("**/*.gif"))


def test_a_panel_is_one_square_picture_with_a_large_title() -> None:
    image = figure_image(panel("H", lambda ax: ax.set_axis_off()))
    assert image.shape == (504, 504, 3)
    rows = np.flatnonzero(image.min(axis=(1, 2)) < 128)
    # A capital letter of 17 points has 0.73 * 17 / 72 * 140 = 24 pixels, which are 10 of a card's 215.
    assert 22 <= np.ptp(rows) + 1 <= 26


def test_a_grid_magnifies_small_images_by_a_whole_number() -> None:
    images = torch.zeros(4, 3, 10, 10)
    images[1] = 1.0
    grid = image_grid(images)
    assert grid.shape == (17 * 21, 17 * 21, 3)  # 2 x 2 images and a line between them
    assert (grid[: 17 * 10, : 17 * 10] == 0).all()
    assert (grid[: 17 * 10, 17 * 11 :] == 255).all()
