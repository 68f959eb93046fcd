"""Offline training with Tianshou's trainer, with a progress bar, logs and checkpoints.

`train_offline`   gradient updates on a fixed buffer, resumable from the last checkpoint
`OfflineLearner`  protocol of the algorithms
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tianshou.data import ReplayBuffer
from tianshou.trainer import OfflineTrainerParams
from tianshou.utils.torch_utils import torch_device
from torch import Tensor
from tqdm import tqdm

from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.training.run_logger import RunLogger
from rlpriors.training.tracking.animation import Flipbook
from rlpriors.training.tracking.run_tracker import Trackers, use_tracker
from rlpriors.training.tracking.writer import RunWriter

__all__ = ["OfflineLearner", "train_offline"]


@runtime_checkable
class OfflineLearner(Protocol):
    """Members of an offline algorithm that counts its updates and resumes, such as `WindowAlgorithm`."""

    policy: Any
    """Policy, a torch module."""
    updates: Tensor
    """Number of updates."""

    def run_training(self, params: OfflineTrainerParams, /) -> Any:
        """Train with Tianshou's trainer."""
        ...

    def resume_state(self) -> dict[str, Any]:
        """Return the training state."""
        ...

    def resume(self, state: Mapping[str, Any], /) -> None:
        """Restore a training state."""
        ...

    def check_resumed_data(self, buffer: ReplayBuffer, /) -> None:
        """Check that a resumed training continues on the data that it was started with."""
        ...


def train_offline(
    algorithm: OfflineLearner,
    buffer: ReplayBuffer,
    *,
    folder: Path,
    name: str,
    n_updates: int,
    batch_size: int,
    epoch_updates: int,
    resume: bool,
    tracker: Trackers = "tensorboard",
    group: str | None = None,
    pictures: Mapping[str, Flipbook] = {},
) -> None:
    """Train an offline algorithm with Tianshou's trainer, with a progress bar, logs and checkpoints.

    Every `epoch_updates` updates the whole state goes to `<folder>/<name>.resume.pt`, and `resume`
    continues from this file.  The losses go to `tracker`, as `<group>/loss`; TensorBoard's files are in
    `<folder>/tensorboard/<name>`.

    Args:
        algorithm: algorithm that learns from a fixed buffer.
        buffer: data.
        folder: folder of the run.
        name: name of the training's files in the folder.
        n_updates: number of updates, a multiple of `epoch_updates`.
        batch_size: number of windows, transitions or pairs in an update.
        epoch_updates: number of updates between checkpoints.
        resume: continue from the checkpoint in the folder, if there is one.
        tracker: destination of the losses, by its name or several names, or the tracker of a whole run.
        group: group of the tags; `name` by default.
        pictures: pictures over the training by their tags, drawn after checkpoints.

    Raises:
        ValueError: `n_updates` is not a multiple of `epoch_updates`, or the tracker is unknown.
        ImportError: the tracker is not installed.
        CheckpointError: the checkpoint is damaged, or of another algorithm, other settings or other data.
    """
    if n_updates < 1 or n_updates % epoch_updates:
        raise ValueError(
            f"`n_updates` must be a multiple of the {epoch_updates} updates between checkpoints. "
            f"Received {n_updates}."
        )
    state = folder / f"{name}.resume.pt"
    if resume and state.exists():
        algorithm.resume(load_resume(state, torch_device(algorithm.policy)))
    first = int(algorithm.updates)
    if first >= n_updates:
        algorithm.check_resumed_data(buffer)
        return

    def save_checkpoint(epoch: int, env_step: int, gradient_step: int) -> str:
        for book in pictures.values():  # first: a kill between both draws nothing twice
            book.add(int(algorithm.updates))
        save_resume(state, algorithm.resume_state())
        return str(state)

    with ExitStack() as stack:
        run = stack.enter_context(use_tracker(tracker, folder))
        # Updates after the last checkpoint are logged again, and replace their first entries.
        writer = stack.enter_context(closing(run.writer(name, first + 1)))
        bar = stack.enter_context(tqdm(total=n_updates, initial=first, desc=name, unit="update"))
        logger = _OfflineLogger(
            writer, group or name, algorithm, n_updates, epoch_updates, batch_size, bar.update
        )
        for book in pictures.values():
            book.add(first)
        algorithm.run_training(
            OfflineTrainerParams(
                buffer=buffer,
                batch_size=batch_size,
                max_epochs=n_updates // epoch_updates,
                epoch_num_steps=epoch_updates,
                logger=logger,
                save_checkpoint_fn=save_checkpoint,
                resume_from_log=True,
                show_progress=False,
                verbose=False,
            )
        )
        for tag, book in pictures.items():
            book.write(writer, tag)


class _OfflineLogger(RunLogger):
    """Logger with the checkpoint's count of updates, and a progress bar."""

    def __init__(
        self,
        writer: RunWriter,
        group: str,
        algorithm: OfflineLearner,
        n_updates: int,
        epoch_updates: int,
        batch_size: int,
        advance_bar: Callable[[], Any],
    ) -> None:
        super().__init__(writer, group, length=n_updates)
        self._algorithm, self._epoch_updates, self._batch_size = algorithm, epoch_updates, batch_size
        self._advance_bar = advance_bar

    def restore_data(self) -> tuple[int, int, int]:
        updates = int(self._algorithm.updates)
        if updates:
            self.last_log_update_step = updates  # logs at the same updates as a run without a stop
        return updates // self._epoch_updates, updates * self._batch_size, updates

    def log_update_data(self, log_data: dict[str, Any], step: int) -> None:
        self._advance_bar()
        super().log_update_data(log_data, step)
