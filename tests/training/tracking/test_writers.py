"""Writers of a run's numbers, texts, pictures and animations."""

from contextlib import closing
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.training.tracking.animation import gif_bytes
from rlpriors.training.tracking.csv_files import CsvWriter
from rlpriors.training.tracking.run_tracker import RunTracker
from rlpriors.training.tracking.tensorboard_files import TensorBoardWriter
from rlpriors.training.tracking.writer import RunWriter

RED = np.full((2, 3, 3), [255, 0, 0], np.uint8)
GIF = gif_bytes([np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)])


def write(writer: RunWriter) -> None:
    writer.scalars({"prior/loss": 0.5, "speed/prior_update_ms": 3.0}, step=1)
    writer.scalars({"prior/loss": 0.25}, step=2)
    writer.text("settings", "seed 0")
    writer.image("pictures/red", RED, step=2)
    writer.animation("pictures/film", GIF, step=2)
    writer.flush()
    writer.close()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    tracker = RunTracker(tmp_path, ("tensorboard", "csv"))
    write(tracker.writer("prior"))
    tracker.close()
    return tmp_path


def test_tensorboard_holds_numbers_texts_and_pictures(written: Path) -> None:
    events = EventAccumulator(str(written / "tensorboard" / "prior"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("prior/loss")] == [(1, 0.5), (2, 0.25)]
    assert events.Images("pictures/red")[0].height == 2
    assert "settings/text_summary" in events.Tags()["tensors"]


def test_tensorboard_holds_an_animation_that_moves(written: Path) -> None:
    events = EventAccumulator(str(written / "tensorboard" / "prior"))
    events.Reload()
    [film] = events.Images("pictures/film")
    assert (film.step, film.width, film.height) == (2, 6, 4)
    picture = Image.open(BytesIO(film.encoded_image_string))
    assert (picture.format, picture.n_frames) == ("GIF", 2)


def test_a_csv_holds_the_same(written: Path) -> None:
    folder = written / "csv" / "prior"
    rows = (folder / "scalars.csv").read_text().splitlines()
    assert rows == [
        "step,tag,value",
        "1,prior/loss,0.5",
        "1,speed/prior_update_ms,3.0",
        "2,prior/loss,0.25",
    ]
    assert (folder / "settings-0.md").read_text() == "seed 0\n"
    assert (np.asarray(Image.open(folder / "pictures-red-2.png")) == RED).all()
    assert (folder / "pictures-film-2.gif").read_bytes() == GIF


def test_a_csv_that_continues_drops_what_is_written_again(tmp_path: Path) -> None:
    write(CsvWriter(tmp_path))
    with (tmp_path / "scalars.csv").open("a") as file:
        file.write("3,prior/lo")  # a kill in the middle of a row
    with closing(CsvWriter(tmp_path, first=2)) as writer:
        writer.scalars({"prior/loss": 0.125}, step=2)
    rows = (tmp_path / "scalars.csv").read_text().splitlines()
    assert rows == [
        "step,tag,value",
        "1,prior/loss,0.5",
        "1,speed/prior_update_ms,3.0",
        "2,prior/loss,0.125",
    ]


def test_tensorboard_hides_what_is_written_again(tmp_path: Path) -> None:
    write(TensorBoardWriter(tmp_path))
    with closing(TensorBoardWriter(tmp_path, first=2)) as writer:
        writer.scalars({"prior/loss": 0.125}, step=2)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert sum(e.step == 2 for e in events.Scalars("prior/loss")) == 1
