"""Offline training with Tianshou's trainer, with a progress bar, logs and checkpoints.

`train_offline`  gradient updates on a fixed buffer, resumable from the last checkpoint
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tianshou.data import ReplayBuffer
from tianshou.trainer import OfflineTrainerParams
from tianshou.utils import TensorboardLogger
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.checkpoint import load_resume, save_resume

__all__ = ["train_offline"]


def train_offline(
    algorithm: WindowAlgorithm[Any],
    buffer: ReplayBuffer,
    *,
    folder: Path,
    name: str,
    n_updates: int,
    batch_size: int,
    epoch_updates: int,
    resume: bool,
) -> None:
    """Train an offline algorithm with Tianshou's trainer, with a progress bar, logs and checkpoints.

    Every `epoch_updates` updates the whole state goes to `<folder>/<name>.resume.pt`, and `resume`
    continues from this file.  The scalars go to `<folder>/tensorboard/<name>`.

    Raises:
        ValueError: `n_updates` is not a multiple of `epoch_updates`.
        CheckpointError: the checkpoint is damaged, or of another algorithm, other settings or other data.
    """
    if n_updates < 1 or n_updates % epoch_updates:
        raise ValueError(
            f"`n_updates` must be a multiple of the {epoch_updates} updates between checkpoints. "
            f"Received {n_updates}."
        )
    state = folder / f"{name}.resume.pt"
    if resume and state.exists():
        algorithm.resume(load_resume(state, algorithm.policy.device))
    first = int(algorithm.updates)
    if first >= n_updates:
        algorithm.check_resumed_data(buffer)
        return

    def save_checkpoint(epoch: int, env_step: int, gradient_step: int) -> str:
        save_resume(state, algorithm.resume_state())
        return str(state)

    # Updates after the last checkpoint are logged again: TensorBoard drops their first entries.
    writer = SummaryWriter(str(folder / "tensorboard" / name), purge_step=first + 1)
    with writer, tqdm(total=n_updates, initial=first, desc=name, unit="update") as bar:
        logger = _RunLogger(writer, algorithm, epoch_updates, batch_size, bar.update)
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


class _RunLogger(TensorboardLogger):
    """Tianshou's logger with the checkpoint's count of updates, and a progress bar.

    Tianshou takes the count from the log, which may lag behind the checkpoint.
    """

    def __init__(
        self,
        writer: SummaryWriter,
        algorithm: WindowAlgorithm[Any],
        epoch_updates: int,
        batch_size: int,
        advance_bar: Callable[[], Any],
    ) -> None:
        super().__init__(writer, update_interval=10, save_interval=1)
        self._algorithm, self._epoch_updates, self._batch_size = algorithm, epoch_updates, batch_size
        self._advance_bar = advance_bar

    def restore_data(self) -> tuple[int, int, int]:
        updates = int(self._algorithm.updates)
        self.last_log_update_step = updates - 1  # logs at the same updates as a run without a stop
        return updates // self._epoch_updates, updates * self._batch_size, updates

    def log_update_data(self, log_data: dict[str, Any], step: int) -> None:
        self._advance_bar()
        super().log_update_data(log_data, step)
