"""Writers of a run's numbers, texts and pictures.

`RunWriter`  protocol of a writer
`Writers`    several writers as one
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

__all__ = ["RunWriter", "Writers"]


@runtime_checkable
class RunWriter(Protocol):
    """Writer of the numbers, texts and pictures of one part of a run."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers by their tags; the part of a tag before the slash is its group."""

    def text(self, tag: str, text: str, step: int = 0) -> None:
        """Write a text in Markdown."""

    def image(self, tag: str, image: UInt8[np.ndarray, "height width 3"], step: int = 0) -> None:
        """Write a picture."""

    def animation(self, tag: str, gif: bytes, step: int = 0) -> None:
        """Write an animated GIF, such as `gif_bytes` returns."""

    def flush(self) -> None:
        """Write what is left."""

    def close(self) -> None:
        """Write what is left and close the destination."""


class Writers:
    """Several writers as one.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from rlpriors.training.tracking.csv_files import CsvWriter
        >>> folder = Path(mkdtemp())
        >>> writer = Writers([CsvWriter(folder / "a"), CsvWriter(folder / "b")])
        >>> writer.scalars({"prior/loss": 0.5}, step=10)
        >>> writer.close()
        >>> (folder / "b" / "scalars.csv").read_text().split()
        ['step,tag,value', '10,prior/loss,0.5']
    """

    def __init__(self, writers: Sequence[RunWriter]) -> None:
        self.writers = tuple(writers)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for writer in self.writers:
            writer.scalars(values, step)

    def text(self, tag: str, text: str, step: int = 0) -> None:
        for writer in self.writers:
            writer.text(tag, text, step)

    def image(self, tag: str, image: UInt8[np.ndarray, "height width 3"], step: int = 0) -> None:
        for writer in self.writers:
            writer.image(tag, image, step)

    def animation(self, tag: str, gif: bytes, step: int = 0) -> None:
        for writer in self.writers:
            writer.animation(tag, gif, step)

    def flush(self) -> None:
        for writer in self.writers:
            writer.flush()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()
