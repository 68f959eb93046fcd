"""Destinations of the numbers, texts and pictures of a run.

`RunWriter`          protocol of a destination
`TensorBoardWriter`  event files of TensorBoard
`CsvWriter`          one csv file, and pictures as PNG files next to it
`Tracker`            names of the destinations
`make_writer`        destination by name

All steps start at 0, and a writer that continues a run removes what an earlier one wrote from `first` on.
"""

import csv
from collections.abc import Mapping
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from rlpriors.storage.atomic import write_atomically, write_text_atomically

__all__ = ["CsvWriter", "RunWriter", "TensorBoardWriter", "Tracker", "make_writer"]

Tracker = Literal["tensorboard", "csv"]
"""Names of the destinations: TensorBoard, or a csv file."""


@runtime_checkable
class RunWriter(Protocol):
    """Destination of the numbers, texts and pictures of a run."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers by their tags; the part of a tag before the slash is its group."""

    def text(self, tag: str, text: str, step: int = 0) -> None:
        """Write a text in Markdown."""

    def image(self, tag: str, image: UInt8[np.ndarray, "height width 3"], step: int = 0) -> None:
        """Write a picture."""

    def close(self) -> None:
        """Write what is left and close the destination."""


class TensorBoardWriter:
    """Event files of TensorBoard.

    Args:
        folder: folder of the files; TensorBoard's run has its name.
        first: first step; TensorBoard hides earlier entries from this step on.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp()) / "prior"
        >>> writer = TensorBoardWriter(folder)
        >>> writer.scalars({"prior/loss": 0.5}, step=10)
        >>> writer.close()
        >>> len(list(folder.iterdir()))
        1
    """

    def __init__(self, folder: Path, first: int = 0) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=first)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for tag, value in values.items():
            self.writer.add_scalar(tag, value, step)

    def text(self, tag: str, text: str, step: int = 0) -> None:
        self.writer.add_text(tag, text, step)

    def image(self, tag: str, image: UInt8[np.ndarray, "height width 3"], step: int = 0) -> None:
        self.writer.add_image(tag, image, step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


class CsvWriter:
    """One csv file with the columns step, tag, value, and pictures as PNG files next to it.

    Rows are added to `<folder>/scalars.csv`.  Texts and pictures are `<folder>/<tag>-<step>.md` and `.png`,
    where slashes of the tag become dashes.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> writer = CsvWriter(folder)
        >>> writer.scalars({"prior/loss": 0.5}, step=10)
        >>> writer.close()
        >>> (folder / "scalars.csv").read_text().split()
        ['step,tag,value', '10,prior/loss,0.5']
    """

    def __init__(self, folder: Path, first: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, file = folder, folder / "scalars.csv"
        earlier: list[list[str]] = []
        if file.exists():
            rows = csv.reader(StringIO(file.read_text()))
            # A kill may leave half a row at the end of the file.
            earlier = [row for row in rows if len(row) == 3 and row[0].isdigit() and int(row[0]) < first]
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([["step", "tag", "value"], *earlier])
        write_text_atomically(file, text.getvalue())
        self._file = file.open("a", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._rows.writerows([step, tag, float(value)] for tag, value in values.items())
        self._file.flush()

    def text(self, tag: str, text: str, step: int = 0) -> None:
        write_text_atomically(self._path(tag, step, "md"), text + "\n")

    def image(self, tag: str, image: UInt8[np.ndarray, "height width 3"], step: int = 0) -> None:
        picture = Image.fromarray(image)
        write_atomically(self._path(tag, step, "png"), partial(picture.save, format="PNG"))

    def _path(self, tag: str, step: int, suffix: str) -> Path:
        return self.folder / f"{tag.replace('/', '-')}-{step}.{suffix}"

    def close(self) -> None:
        self._file.close()


def make_writer(tracker: Tracker, folder: Path, name: str, first: int = 0) -> RunWriter:
    """Return a destination by name.

    Args:
        tracker: name of the destination.
        folder: folder of the run.
        name: name of the part of the run: "prior", "reward", "policy".
        first: first step; entries of an earlier writer from this step on are removed.
    """
    if tracker == "tensorboard":
        return TensorBoardWriter(folder / "tensorboard" / name, first)
    return CsvWriter(folder / "csv" / name, first)
