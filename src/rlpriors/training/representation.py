"""Training loop of an encoder, with a progress bar, TensorBoard and checkpoints.

`train_encoder`     the remaining updates of a `RepresentationLearner`
`TrainingCallback`  type of the function that logs further numbers
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from rlpriors.checkpoint import save_resume
from rlpriors.representation import Recipe, RepresentationLearner
from rlpriors.training.run_folder import write_json

__all__ = ["TrainingCallback", "train_encoder"]

TrainingCallback = Callable[[SummaryWriter, int], Mapping[str, float]]
"""Function of the writer and the number of updates, called after each update; its numbers are returned by
`train_encoder`."""


def train_encoder(
    learner: RepresentationLearner,
    *,
    resume_file: Path,
    log_folder: Path,
    checkpoint_every: int,
    log_every: int = 10,
    callback: TrainingCallback | None = None,
) -> dict[str, float]:
    """Make the remaining updates and return the last numbers; `learner.finish()` then returns the encoder.

    Args:
        learner: the representation training; one that was resumed continues at its update.
        resume_file: file of the checkpoint.  The last numbers are written next to it, with the suffix .json,
            so that a run that was killed after its last update still returns them.
        log_folder: folder of TensorBoard's scalars.
        checkpoint_every: updates between checkpoints; the last update always has one.
        log_every: updates between scalars; the first and the last update are always logged.
        callback: function that logs more, such as `log_feature_statistics` returns.
    """
    updates, first = learner.settings.updates, learner.updates
    numbers_file = resume_file.with_suffix(".json")
    last: dict[str, float] = json.loads(numbers_file.read_text()) if first and numbers_file.exists() else {}
    bar = tqdm(total=updates, initial=first, desc=learner.recipe.name, unit="update")
    # Updates after the last checkpoint are logged again: TensorBoard drops their first entries.
    with SummaryWriter(str(log_folder), purge_step=first + 1) as writer, bar:
        while learner.updates < updates:
            numbers = learner.update()
            step, is_last = learner.updates, learner.updates == updates
            bar.update()
            if step % log_every == 0 or is_last or step == 1:
                _log(writer, numbers, learner.recipe, step)
                bar.set_postfix(loss=f"{numbers['loss']:.4g}")
                last |= numbers
            if callback is not None:
                last |= callback(writer, step)
            if step % checkpoint_every == 0 or is_last:
                writer.flush()
                write_json(numbers_file, last)  # first: a kill between both repeats some updates
                save_resume(resume_file, learner.state())
    return last


def _log(writer: SummaryWriter, numbers: Mapping[str, float], recipe: Recipe, step: int) -> None:
    for name, value in numbers.items():
        family = "loss" if name in recipe.losses or name == "loss" else "charts"
        writer.add_scalar(f"{family}/{'sum' if name == 'loss' else name}", value, step)
