"""Pictures of segments: recorded images, drawings, files."""

from io import BytesIO

import numpy as np
import pytest
from comparisons import counting_store, image_store
from matplotlib.axes import Axes
from PIL import Image

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.preferences import ClipPainter, cut_clip
from rlpriors.preferences.pictures import entry_names, image_file


def test_recorded_images_are_shown() -> None:
    store = image_store()
    pictures = ClipPainter(store)(cut_clip(store, 0, 2, 3))
    assert (pictures == store.obs[2:6]).all()
    assert ClipPainter(store).names == ()


def test_a_path_has_names_and_the_limits_of_all_data() -> None:
    store = counting_store()
    axes: list[Axes] = []
    paint = ClipPainter(store, background=axes.append)
    (picture,) = paint(cut_clip(store, 0, 2, 3))
    (ax,) = axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("observation[0]", "observation[1]")
    assert ax.get_xlim() == pytest.approx((-5.25, 110.25))  # 0..105, with a margin of 5 %
    assert picture.shape[0] == picture.shape[1] > 300
    assert tuple(picture[0, 0]) == (255, 255, 255)
    start, end = ax.lines[1], ax.lines[2]
    assert (start.get_xdata(), end.get_xdata()) == ([2.0], [5.0])
    assert [line.get_label() for line in (start, end)] == ["start", "end"]


def test_two_segments_look_different() -> None:
    store = counting_store()
    paint = ClipPainter(store)
    first, second = (paint(cut_clip(store, episode, 1, 3)) for episode in (0, 1))
    assert (first != second).any()
    assert (first == paint(cut_clip(store, 0, 1, 3))).all()


def test_one_entry_is_a_curve() -> None:
    store = counting_store()
    assert ClipPainter(store, entries=[1]).names == ("observation[1]",)
    assert len(ClipPainter(store, entries=[1])(cut_clip(store, 0, 1, 3))) == 1
    numbers = EpisodeStore.from_episodes([Episode(np.arange(5), np.zeros(4, int), *np.zeros((3, 4)))])
    assert ClipPainter(numbers)(cut_clip(numbers, 0, 0, 4)).shape[3] == 3


@pytest.mark.parametrize("entries", [(), (0, 0), (0, 1, 2), (0, 2), (-1,)])
def test_entries_in_bounds(entries: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`entries` must be one or two different entries in 0\.\.1"):
        ClipPainter(counting_store(), entries)


def test_images_have_no_entries() -> None:
    with pytest.raises(ValueError, match="`entries` are for observations without images"):
        ClipPainter(image_store(), (0, 1))


def test_entries_have_the_names_of_their_leaves() -> None:
    obs = {"xy": np.zeros((3, 2)), "goal": np.zeros((3, 1))}
    store = EpisodeStore.from_episodes([Episode(obs, np.zeros((2, 1)), *np.zeros((3, 2)))], ["xy", "goal"])
    assert entry_names(store) == ["xy[0]", "xy[1]", "goal[0]"]
    assert ClipPainter(store, (1, 2)).names == ("xy[1]", "goal[0]")


def test_files_show_the_pictures() -> None:
    store = image_store()
    paint = ClipPainter(store)
    content, kind = image_file(paint(cut_clip(store, 0, 0, 4)))
    film = Image.open(BytesIO(content))
    assert (kind, film.format, getattr(film, "n_frames", 0)) == ("gif", "GIF", 5)
    assert film.size == (240, 240)  # 12 rows, enlarged by 20
    for number in range(5):
        film.seek(number)
        columns = np.asarray(film.convert("RGB"))[0, ::20, 0]
        assert columns.tolist() == [255 if column == number else 0 for column in range(12)]


def test_one_picture_is_a_png() -> None:
    content, kind = image_file(np.full((1, 500, 400, 3), 7, np.uint8))
    image = Image.open(BytesIO(content))
    assert (kind, image.format, image.size) == ("png", "PNG", (400, 500))
    assert (np.asarray(image) == 7).all()


def test_no_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="`frames` must be at least one picture"):
        image_file(np.zeros((0, 4, 4, 3), np.uint8))
