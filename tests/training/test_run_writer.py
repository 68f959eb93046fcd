"""Destinations of a run's numbers, texts and pictures."""

from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.training.run_writer import CsvWriter, RunWriter, TensorBoardWriter, make_writer

RED = np.full((2, 3, 3), [255, 0, 0], np.uint8)


def write(writer: RunWriter) -> None:
    writer.scalars({"prior/loss": 0.5, "diagnostics/prior_update_ms": 3.0}, step=1)
    writer.scalars({"prior/loss": 0.25}, step=2)
    writer.text("settings", "seed 0")
    writer.image("pictures/red", RED, step=2)
    writer.close()


def test_tensorboard_holds_numbers_texts_and_pictures(tmp_path: Path) -> None:
    write(make_writer("tensorboard", tmp_path, "prior"))
    events = EventAccumulator(str(tmp_path / "tensorboard" / "prior"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("prior/loss")] == [(1, 0.5), (2, 0.25)]
    assert events.Images("pictures/red")[0].height == 2
    assert "settings/text_summary" in events.Tags()["tensors"]


def test_a_csv_holds_the_same(tmp_path: Path) -> None:
    write(make_writer("csv", tmp_path, "prior"))
    folder = tmp_path / "csv" / "prior"
    rows = (folder / "scalars.csv").read_text().splitlines()
    assert rows == [
        "step,tag,value",
        "1,prior/loss,0.5",
        "1,diagnostics/prior_update_ms,3.0",
        "2,prior/loss,0.25",
    ]
    assert (folder / "settings-0.md").read_text() == "seed 0\n"
    assert (np.asarray(Image.open(folder / "pictures-red-2.png")) == RED).all()


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
        "1,diagnostics/prior_update_ms,3.0",
        "2,prior/loss,0.125",
    ]


def test_tensorboard_hides_what_is_written_again(tmp_path: Path) -> None:
    write(TensorBoardWriter(tmp_path))
    with closing(TensorBoardWriter(tmp_path, first=2)) as writer:
        writer.scalars({"prior/loss": 0.125}, step=2)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert sum(e.step == 2 for e in events.Scalars("prior/loss")) == 1
