"""Services that keep the runs of many experiments: Weights & Biases and Trackio.

`RunRecord`      id of a run, and the last step of each part, in the run's folder
`ServiceRun`     protocol of a run of a service
`ServiceWriter`  writer of a part of the run
`WandbRun`       run of Weights & Biases
`TrackioRun`     run of Trackio

Both are imported when they are used.  A service cannot take back what was written, so a resumed part skips
the steps that it has written already.
"""

import html
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, runtime_checkable
from uuid import uuid4

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from rlpriors.storage.atomic import write_text_atomically
from rlpriors.training.tracking.page import markdown_table

__all__ = ["RunRecord", "ServiceRun"]

PROJECT = "rlpriors"
"""Name of the project, unless the service's environment variable names another."""


@runtime_checkable
class ServiceRun(Protocol):
    """A run of a service."""

    record: "RunRecord"

    def log(self, part: str, step: int, values: Mapping[str, Any]) -> None:
        """Write numbers, texts and pictures of a step of a part."""

    def text(self, text: str) -> Any:
        """Return a text as the service's object."""

    def image(self, image: UInt8[np.ndarray, "height width 3"]) -> Any:
        """Return a picture as the service's object."""

    def log_animation(self, part: str, step: int, tag: str, gif: bytes) -> None:
        """Write an animated GIF."""


class RunRecord:
    """Id of a run and the last step of each part, in a file of the run's folder.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "wandb.json"
        >>> record = RunRecord(path)
        >>> record.reach("prior", 20)
        >>> RunRecord(path).id == record.id, RunRecord(path).steps
        (True, {'prior': 20})
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content: dict[str, Any] = (
            json.loads(path.read_text()) if path.exists() else {"id": uuid4().hex[:8], "steps": {}}
        )
        self.is_new = not path.exists()
        self.id: str = content["id"]
        self.steps: dict[str, int] = content["steps"]
        self._save()

    def reach(self, part: str, step: int) -> None:
        """Record that a step of a part is written."""
        if step > self.steps.get(part, -1):
            self.steps[part] = step
            self._save()

    def _save(self) -> None:
        write_text_atomically(self.path, json.dumps({"id": self.id, "steps": self.steps}) + "\n")


class ServiceWriter:
    """Writer of a part of a run.

    Args:
        run: run of the service.
        part: name of the part, such as "prior".
        first: first step; above 1 the part is resumed, and skips the steps that it has written.
    """

    def __init__(self, run: ServiceRun, part: str, first: int = 0) -> None:
        self.run, self.part = run, part
        self.written = run.record.steps.get(part, -1) if first > 1 else -1

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._log(step, {tag: float(value) for tag, value in values.items()})

    def text(self, tag: str, text: str, step: int = 0) -> None:
        self._log(step, {tag: self.run.text(text)})

    def image(self, tag: str, image: UInt8[np.ndarray, "height width 3"], step: int = 0) -> None:
        self._log(step, {tag: self.run.image(image)})

    def animation(self, tag: str, gif: bytes, step: int = 0) -> None:
        # The last step of a finished part is written: its animation follows it.
        self.run.log_animation(self.part, step, tag, gif)

    def _log(self, step: int, values: Mapping[str, Any]) -> None:
        if step > self.written:
            self.run.log(self.part, step, values)
            self.run.record.reach(self.part, step)

    def flush(self) -> None:
        """Do nothing: the services write in the background."""

    def close(self) -> None:
        """Do nothing: other parts of the run follow."""


class WandbRun:
    """Run of Weights & Biases, with its files in `<folder>/wandb`.

    The project is `rlpriors`, or that of the environment variable WANDB_PROJECT.  Each part has its own axis
    of steps.  With WANDB_MODE=offline nothing leaves the machine, and `wandb sync` sends it later.

    Raises:
        ValueError: the service refuses the run, for example without `wandb login`.
    """

    def __init__(self, folder: Path) -> None:
        self.wandb: Any = import_module("wandb")
        self.record = RunRecord(folder / "wandb.json")
        self.tags: set[str] = set()
        try:
            self.run = self.wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                dir=str(folder),
                id=self.record.id,
                name=folder.name,
                resume="allow",
                reinit="create_new",
                settings=self.wandb.Settings(console="off"),
            )
        except self.wandb.errors.Error as error:
            raise ValueError(
                f'`tracker` "wandb" could not start ({error}). Run `wandb login`, or set WANDB_MODE=offline.'
            ) from error

    def overview(self, settings: Mapping[str, Any], command: str) -> None:
        """Write the settings."""
        self.run.config.update(json.loads(json.dumps(settings, default=str)), allow_val_change=True)

    def results(
        self, settings: Mapping[str, Any], results: Mapping[str, Any], metrics: Sequence[str]
    ) -> None:
        """Write the results as a text, and `metrics` of them as the run's summary."""
        self.run.log({"results": self.text(markdown_table(results, "result"))})
        self.run.summary.update({f"summary/{name}": float(results[name]) for name in metrics})

    def writer(self, name: str, first: int = 0) -> ServiceWriter:
        """Return the writer of a part of the run."""
        return ServiceWriter(self, name, first)

    def log(self, part: str, step: int, values: Mapping[str, Any]) -> None:
        axis = f"steps/{part}"
        for tag in set(values) - self.tags:
            self.run.define_metric(tag, step_metric=axis)
            self.tags.add(tag)
        self.run.log({**values, axis: step})

    def text(self, text: str) -> Any:
        return self.wandb.Html(f"<pre>{html.escape(text)}</pre>")

    def image(self, image: UInt8[np.ndarray, "height width 3"]) -> Any:
        return self.wandb.Image(image)

    def log_animation(self, part: str, step: int, tag: str, gif: bytes) -> None:
        self.log(part, step, {tag: self.wandb.Video(BytesIO(gif), format="gif")})

    def close(self) -> None:
        """Send what is left and end the run."""
        self.run.finish()


class TrackioRun:
    """Run of Trackio, with its files in the folder of TRACKIO_DIR.

    The project is `rlpriors`, or that of the environment variable TRACKIO_PROJECT.  The run has the folder's
    name and four letters that make it unique.
    """

    def __init__(self, folder: Path) -> None:
        self.trackio: Any = import_module("trackio")
        self.record = RunRecord(folder / "trackio.json")
        with redirect_stdout(StringIO()):  # a command's last line is its folder
            self.run = self.trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", PROJECT),
                name=f"{folder.name}-{self.record.id[:4]}",
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    def overview(self, settings: Mapping[str, Any], command: str) -> None:
        """Write the settings."""
        plain = json.loads(json.dumps(settings, default=str))
        self.run.config.update(plain)
        self.log("overview", 0, {"settings": self.text(markdown_table(settings, "setting"))})

    def results(
        self, settings: Mapping[str, Any], results: Mapping[str, Any], metrics: Sequence[str]
    ) -> None:
        """Write the results as a text, and `metrics` of them as numbers."""
        numbers = {f"summary/{name}": float(results[name]) for name in metrics}
        self.log("overview", 0, {"results": self.text(markdown_table(results, "result")), **numbers})

    def writer(self, name: str, first: int = 0) -> ServiceWriter:
        """Return the writer of a part of the run."""
        return ServiceWriter(self, name, first)

    def log(self, part: str, step: int, values: Mapping[str, Any]) -> None:
        self.run.log(dict(values), step=step)

    def text(self, text: str) -> Any:
        return self.trackio.Markdown(text)

    def image(self, image: UInt8[np.ndarray, "height width 3"]) -> Any:
        return self.trackio.Image(Image.fromarray(image))

    def log_animation(self, part: str, step: int, tag: str, gif: bytes) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "animation.gif"
            path.write_bytes(gif)
            self.log(part, step, {tag: self.trackio.Image(path)})

    def close(self) -> None:
        """Write what is left and end the run."""
        with redirect_stdout(StringIO()):
            self.run.finish()
