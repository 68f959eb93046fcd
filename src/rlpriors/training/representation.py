"""Training loop of an encoder, with a progress bar, logs and checkpoints.

`train_encoder`     the remaining updates of a `RepresentationLearner`
`TrainingCallback`  type of the function that logs further numbers
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from rlpriors.checkpoint import save_resume
from rlpriors.representation import Recipe, RepresentationLearner
from rlpriors.training.run_folder import write_json
from rlpriors.training.tracking.run_tracker import Trackers, use_tracker
from rlpriors.training.tracking.writer import RunWriter

__all__ = ["TrainingCallback", "train_encoder"]

NAME = "encoder"
"""Name of the training among the parts of a run, and group of its losses."""

TrainingCallback = Callable[[RunWriter, int], Mapping[str, float]]
"""Function of the writer and the number of updates, called after each update; its numbers are returned by
`train_encoder`."""


def train_encoder(
    learner: RepresentationLearner,
    *,
    resume_file: Path,
    folder: Path,
    checkpoint_every: int,
    log_every: int = 10,
    callback: TrainingCallback | None = None,
    tracker: Trackers = "tensorboard",
) -> dict[str, float]:
    """Make the remaining updates and return the last numbers; `learner.finish()` then returns the encoder.

    Losses and other numbers of an update are logged as `encoder/<name>`.

    Args:
        learner: the representation training; one that was resumed continues at its update.
        resume_file: file of the checkpoint.  The last numbers are written next to it, with the suffix .json,
            so that a run that was killed after its last update still returns them.
        folder: folder of the run; TensorBoard's files are in `<folder>/tensorboard/encoder`.
        checkpoint_every: updates between checkpoints; the last update always has one.
        log_every: updates between scalars; the first and the last update are always logged.
        callback: function that logs more, such as `log_feature_statistics` returns.
        tracker: destination of the numbers, by its name or several names, or a whole run's tracker.
    """
    updates, first = learner.settings.updates, learner.updates
    numbers_file = resume_file.with_suffix(".json")
    last: dict[str, float] = json.loads(numbers_file.read_text()) if first and numbers_file.exists() else {}
    if first >= updates:
        return last
    bar = tqdm(total=updates, initial=first, desc=learner.recipe.name, unit="update")
    # Updates after the last checkpoint are logged again, and replace their first entries.
    with use_tracker(tracker, folder) as run, closing(run.writer(NAME, first + 1)) as writer, bar:
        while learner.updates < updates:
            started = time.monotonic()
            numbers = learner.update()
            seconds = time.monotonic() - started
            step, is_last = learner.updates, learner.updates == updates
            bar.update()
            if step % log_every == 0 or is_last or step == 1:
                speed = {f"speed/{NAME}_update_ms": 1000 * seconds}
                writer.scalars(_tags(numbers, learner.recipe) | speed, step)
                bar.set_postfix(loss=f"{numbers['loss']:.4g}")
                last |= numbers
            if callback is not None:
                last |= callback(writer, step)
            if step % checkpoint_every == 0 or is_last:
                writer.flush()
                write_json(numbers_file, last)  # first: a kill between both repeats some updates
                save_resume(resume_file, learner.state())
    return last


def _tags(numbers: Mapping[str, float], recipe: Recipe) -> dict[str, float]:
    """Return the numbers by their tags; a single loss equals the sum, and is left out."""
    dropped = recipe.losses if len(recipe.losses) == 1 else ()
    return {
        f"{NAME}/{name}": value for name, value in numbers.items() if name not in dropped or name == "loss"
    }
