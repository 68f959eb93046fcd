"""The updates that train an encoder, with a progress bar, TensorBoard and checkpoints.

`learn_encoder`  makes the updates that are left of a `RepresentationLearner`
`Look`           what else is shown of them
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from rlpriors.checkpoint import save_resume
from rlpriors.representation import Recipe, RepresentationLearner

__all__ = ["Look", "learn_encoder"]

Look = Callable[[SummaryWriter, int], Mapping[str, float]]
"""Of the writer and the number of updates, further numbers to return; called after each update."""


def learn_encoder(
    learner: RepresentationLearner,
    *,
    state: Path,
    logs: Path,
    checkpoint_every: int,
    log_every: int = 10,
    look: Look | None = None,
) -> dict[str, float]:
    """Train the encoder to the end and return the last numbers; `learner.finish()` then gives it.

    Args:
        learner: what trains it; one that was resumed goes on where it was.
        state: file that its state goes to, and is resumed from.
        logs: folder of TensorBoard's scalars.
        checkpoint_every: updates between checkpoints; the last one is always kept.
        log_every: updates between scalars; the first and the last are always shown.
        look: what else is shown, such as `rlpriors.training.collapse_monitor.looks`.
    """
    updates, first = learner.settings.updates, learner.updates
    last: dict[str, float] = {}
    bar = tqdm(total=updates, initial=first, desc=learner.recipe.name, unit="update")
    # What was logged after the last checkpoint is logged again: TensorBoard drops the first take.
    with SummaryWriter(str(logs), purge_step=first + 1) as writer, bar:
        while learner.updates < updates:
            numbers = learner.update()
            step, done = learner.updates, learner.updates == updates
            bar.update()
            if step % log_every == 0 or done or step == 1:
                _log(writer, numbers, learner.recipe, step)
                bar.set_postfix(loss=f"{numbers['loss']:.4g}")
                last |= numbers
            if look is not None:
                last |= look(writer, step)
            if step % checkpoint_every == 0 or done:
                writer.flush()
                save_resume(state, learner.state())
    return last


def _log(writer: SummaryWriter, numbers: Mapping[str, float], recipe: Recipe, step: int) -> None:
    for name, value in numbers.items():
        family = "loss" if name in recipe.losses or name == "loss" else "charts"
        writer.add_scalar(f"{family}/{'sum' if name == 'loss' else name}", value, step)
