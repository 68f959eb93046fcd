"""Event files of TensorBoard.

`TensorBoardWriter`  event files of a part of a run
`TensorBoardRun`     event files of a run, with the tabs "Custom scalars", "HParams" and "Text"
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tensorboard.compat.proto import summary_pb2
from torch.utils.tensorboard import SummaryWriter

from rlpriors.training.tracking.page import chart_layout, is_number, markdown_table

__all__ = ["TensorBoardRun", "TensorBoardWriter"]

RGB = 3  # code of the color space in image summaries


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

    def animation(self, tag: str, gif: bytes, step: int = 0) -> None:
        # `add_video` needs moviepy below version 2.  A browser plays a GIF in an image summary.
        with Image.open(BytesIO(gif)) as picture:
            width, height = picture.size
        proto: Any = summary_pb2
        image = proto.Summary.Image(height=height, width=width, colorspace=RGB, encoded_image_string=gif)
        file_writer: Any = self.writer.file_writer
        file_writer.add_summary(proto.Summary(value=[proto.Summary.Value(tag=tag, image=image)]), step)

    def flush(self) -> None:
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


class TensorBoardRun:
    """Event files of a run in `<folder>/tensorboard`, one folder for each part.

    Example:
        >>> from tempfile import mkdtemp
        >>> run = TensorBoardRun(Path(mkdtemp()))
        >>> run.overview({"seed": 0}, "learn-prior")
        >>> run.writer("prior").close()
        >>> sorted(path.name for path in run.folder.iterdir() if path.is_dir())
        ['prior']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tensorboard"

    def overview(self, settings: Mapping[str, Any], command: str) -> None:
        """Write the settings as a text and the layout of the main charts."""
        with SummaryWriter(str(self.folder)) as writer:
            writer.add_text("settings", markdown_table(settings, "setting"))
            writer.add_custom_scalars(chart_layout(command))

    def results(
        self, settings: Mapping[str, Any], results: Mapping[str, Any], metrics: Sequence[str]
    ) -> None:
        """Write the results as a text, and `metrics` of them next to the settings in the tab "HParams"."""
        numbers = {f"summary/{name}": float(results[name]) for name in metrics}
        hparams = {k: v if is_number(v) or isinstance(v, str | bool) else str(v) for k, v in settings.items()}
        with SummaryWriter(str(self.folder)) as writer:
            writer.add_text("results", markdown_table(results, "result"))
            writer.add_hparams(hparams, numbers, run_name=".")

    def writer(self, name: str, first: int = 0) -> TensorBoardWriter:
        """Return the writer of a part of the run."""
        return TensorBoardWriter(self.folder / name, first)

    def close(self) -> None:
        """Do nothing: each part closes its own files."""
