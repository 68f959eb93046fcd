"""A run on disk: its folder, its TensorBoard logs, and going on where it was stopped."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tianshou.data import ReplayBuffer
from tianshou.trainer import OfflineTrainerParams
from tianshou.utils import TensorboardLogger
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from rlpriors.agents.windows import WindowAlgorithm
from rlpriors.checkpoint import load_resume, save_resume, write_atomically

__all__ = ["check_settings", "open_run", "train", "write_json"]


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` for people and programs to read."""

    def write(temporary: Path) -> None:
        temporary.write_text(json.dumps(content, indent=2) + "\n")

    write_atomically(path, write)


def open_run(folder: Path, settings: Any, *, resume: bool) -> Path:
    """The folder of a new run, or with `resume` that of an earlier one.

    A new run never writes over an earlier one: where `folder` exists, "-2", "-3", ... are tried.
    `resume` takes the latest of these that has these settings.

    Raises:
        FileNotFoundError: there is nothing to resume.
        ValueError: all of them have other settings; those of the latest are told.
    """
    taken = [path for path in _names(folder) if (path / "settings.json").exists()]
    if not resume:
        new = next(path for path in _names(folder, endless=True) if not path.exists())
        new.mkdir(parents=True)
        write_json(new / "settings.json", _plain(settings))
        return new
    if not taken:
        raise FileNotFoundError(f"There is no run to resume in {folder}. Start it without --resume.")
    saved = {path: json.loads((path / "settings.json").read_text()) for path in reversed(taken)}
    run = next((path for path in saved if not _unlike(saved[path], settings)), taken[-1])
    check_settings(run, saved[run], settings)
    return run


def check_settings(folder: Path, saved: Mapping[str, Any], settings: Any) -> None:
    """Refuse to go on with what was begun otherwise.

    Args:
        folder: where it is, for the error.
        saved: the settings that it was begun with, as JSON has them.
        settings: those of now, a dataclass.

    Raises:
        ValueError: they differ.
    """
    differ = _unlike(saved, settings)
    if differ:
        told = ", ".join(f"{name} {saved.get(name)!r} (now {now!r})" for name, now in differ.items())
        raise ValueError(f"{folder} was started with {told}. Resume it with the settings it began with.")


def _unlike(saved: Mapping[str, Any], settings: Any) -> dict[str, Any]:
    """Settings of now that were others."""
    return {name: now for name, now in _plain(settings).items() if now != saved.get(name)}


def _plain(settings: Any) -> dict[str, Any]:
    """A dataclass as JSON has it."""
    return dict(json.loads(json.dumps(asdict(settings), default=str)))


def _names(folder: Path, *, endless: bool = False) -> list[Path]:
    paths = [folder]
    while paths[-1].exists():
        paths.append(folder.with_name(f"{folder.name}-{len(paths) + 1}"))
    return paths if endless else paths[:-1]


def train(
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
    """Run an offline algorithm by Tianshou's trainer, with a progress bar, logs and checkpoints.

    Every `epoch_updates` updates the whole state goes to `<folder>/<name>.resume.pt`, from where
    `resume` goes on; the scalars go to `<folder>/tensorboard/<name>`.

    Raises:
        ValueError: `n_updates` is not a multiple of `epoch_updates`.
        CheckpointError: the state to resume from is damaged or another algorithm's.
    """
    if n_updates < 1 or n_updates % epoch_updates:
        raise ValueError(
            f"`n_updates` must be a multiple of the {epoch_updates} updates between checkpoints. "
            f"Received {n_updates}."
        )
    state = folder / f"{name}.resume.pt"
    if resume and state.exists():
        algorithm.resume(load_resume(state, algorithm.policy.device))
    done = int(algorithm.updates)
    if done >= n_updates:
        return

    def save_checkpoint(epoch: int, env_step: int, gradient_step: int) -> str:
        save_resume(state, algorithm.resume_state())
        return str(state)

    # What was logged after the last checkpoint is logged again: TensorBoard drops the first take.
    writer = SummaryWriter(str(folder / "tensorboard" / name), purge_step=done + 1)
    with writer, tqdm(total=n_updates, initial=done, desc=name, unit="update") as bar:
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
    """Tianshou's logger, which goes on from the checkpoint's count of updates and moves a bar.

    Tianshou takes that count from the log; a log may be a moment behind the checkpoint.
    """

    def __init__(
        self,
        writer: SummaryWriter,
        algorithm: WindowAlgorithm[Any],
        epoch_updates: int,
        batch_size: int,
        tick: Callable[[], Any],
    ) -> None:
        super().__init__(writer, update_interval=10, save_interval=1)
        self._algorithm, self._epoch_updates, self._batch_size = algorithm, epoch_updates, batch_size
        self._tick = tick

    def restore_data(self) -> tuple[int, int, int]:
        updates = int(self._algorithm.updates)
        self.last_log_update_step = updates - 1  # the next to be logged is that of a run without a stop
        return updates // self._epoch_updates, updates * self._batch_size, updates

    def log_update_data(self, log_data: dict[str, Any], step: int) -> None:
        self._tick()
        super().log_update_data(log_data, step)
