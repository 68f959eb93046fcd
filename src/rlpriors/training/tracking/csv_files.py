"""Csv files of a run, with pictures next to them.

`CsvWriter`  one csv file of a part of the run
`CsvRun`     folder of these files
"""

import csv
from collections.abc import Mapping, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from rlpriors.storage.atomic import write_atomically, write_text_atomically

__all__ = ["CsvRun", "CsvWriter"]


class CsvWriter:
    """One csv file with the columns step, tag, value, and pictures as PNG and GIF files next to it.

    Rows are added to `<folder>/scalars.csv`.  Texts and pictures are `<folder>/<tag>-<step>.md`, `.png` and
    `.gif`, where slashes of the tag become dashes.

    Args:
        folder: folder of the files.
        first: first step; rows of an earlier writer from this step on are removed.

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

    def animation(self, tag: str, gif: bytes, step: int = 0) -> None:
        def write(path: Path) -> None:
            path.write_bytes(gif)

        write_atomically(self._path(tag, step, "gif"), write)

    def _path(self, tag: str, step: int, suffix: str) -> Path:
        return self.folder / f"{tag.replace('/', '-')}-{step}.{suffix}"

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class CsvRun:
    """Folder of the csv files of a run, `<folder>/csv`.

    Settings and results are in settings.json and results.json of the run, and are not written again.

    Example:
        >>> from tempfile import mkdtemp
        >>> CsvRun(Path(mkdtemp()) / "run").folder.name
        'csv'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "csv"

    def overview(self, settings: Mapping[str, Any], command: str) -> None:
        """Write nothing."""

    def results(
        self, settings: Mapping[str, Any], results: Mapping[str, Any], metrics: Sequence[str]
    ) -> None:
        """Write nothing."""

    def writer(self, name: str, first: int = 0) -> CsvWriter:
        """Return the writer of a part of the run."""
        return CsvWriter(self.folder / name, first)

    def close(self) -> None:
        """Do nothing."""
