"""Logger of Tianshou's trainers that writes few, grouped charts.

`RunLogger`  logger of one training: losses, returns and speed

Tianshou's own logger writes about thirty tags, most of them constant or written once.  This one writes the
numbers that change, under the groups `prior/`, `reward/`, `policy/`, `update/`,
`diagnostics/` and `speed/`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tianshou.utils.logger.logger_base import BaseLogger

from rlpriors.training.tracking.writer import RunWriter

__all__ = ["RunLogger"]

N_POINTS = 200
"""Number of points of a curve, for lengths that are known."""


class RunLogger(BaseLogger):
    """Logger of one training.

    Losses go to `<group>/<name>`, over updates.  With a collector, returns and lengths of episodes go to
    `<group>/`, losses go to `update/`, and all steps are environment steps.

    Args:
        writer: destination.
        group: group of the tags: "prior", "reward" or "policy".
        length: number of updates or environment steps of the whole training; a curve has about 200 points.
        first: number of environment steps before this run, if it continues an earlier one.
        learned: draw the return by the agent's reward next to the environment's return (`EnvReturnStats`).
        collects: a collector takes the steps.

    Example:
        >>> from rlpriors.training.tracking.csv_files import CsvWriter
        >>> from tempfile import mkdtemp
        >>> from pathlib import Path
        >>> folder = Path(mkdtemp())
        >>> writer = CsvWriter(folder)
        >>> logger = RunLogger(writer, "prior", length=20)
        >>> logger.log_update_data({"loss": 0.25, "train_time": 0.1, "smoothed_loss": {"loss": 0.25}}, step=1)
        >>> logger.finalize()
        >>> print((folder / "scalars.csv").read_text().strip())
        step,tag,value
        1,prior/loss,0.25
        1,speed/prior_update_ms,100.0
    """

    def __init__(
        self,
        writer: RunWriter,
        group: str,
        *,
        length: int,
        first: int = 0,
        learned: bool = False,
        collects: bool = False,
    ) -> None:
        interval = max(1, length // N_POINTS)
        super().__init__(training_interval=1, update_interval=interval, save_interval=1)
        self.writer, self.group, self.first, self.learned = writer, group, first, learned
        self._env_steps = first if collects else None
        self._last_save = -1

    def log_training_data(self, log_data: dict[str, Any], step: int) -> None:
        """Write the returns and lengths of the episodes that ended; nothing if none did."""
        self._env_steps = self.first + step
        if not log_data["n_collected_episodes"]:
            return
        numbers = {
            "learned_return" if self.learned else "return": log_data["returns_stat"]["mean"],
            "episode_length": log_data["lens_stat"]["mean"],
        }
        if self.learned:
            numbers["true_return"] = log_data["env_returns_stat"]["mean"]
        values = {f"{self.group}/{name}": value for name, value in numbers.items()}
        values[f"speed/{self.group}_steps_per_second"] = log_data["collect_speed"]
        if log_data.get("distances_stat"):
            values["diagnostics/demonstration_distance"] = log_data["distances_stat"]["mean"]
        self.writer.scalars(values, self._env_steps)

    def log_update_data(self, log_data: dict[str, Any], step: int) -> None:
        """Write the losses of the first update in each interval."""
        position = step if self._env_steps is None else self._env_steps
        if position // self.update_interval == self.last_log_update_step // self.update_interval:
            return
        self.last_log_update_step = position
        # Statistics of a wrapper algorithm are only among the smoothed ones.
        smoothed = {k.replace("/", "_"): v for k, v in log_data.get("smoothed_loss", {}).items()}
        losses = flatten(smoothed) | flatten(log_data)
        dropped = ("train_time", "gradient_steps", "smoothed_loss")
        # With a collector, the few returns are a group of their own, which the page shows first.
        group = self.group if self._env_steps is None else "update"
        values = {f"{group}/{k}": v for k, v in losses.items() if not k.startswith(dropped)}
        values[f"speed/{self.group}_update_ms"] = 1000 * log_data["train_time"]
        self.writer.scalars(values, position)

    def log_info_data(self, log_data: dict[str, Any], step: int) -> None:
        """Write nothing: Tianshou's summary of an epoch repeats what the curves show."""

    def save_data(
        self,
        epoch: int,
        env_step: int,
        update_step: int,
        save_checkpoint_fn: Callable[[int, int, int], str] | None = None,
    ) -> None:
        """Save a checkpoint."""
        if save_checkpoint_fn is not None and epoch > self._last_save:
            self._last_save = epoch
            save_checkpoint_fn(epoch, env_step, update_step)

    def restore_data(self) -> tuple[int, int, int]:
        """Return no epochs and steps: checkpoints hold the counts."""
        return 0, 0, 0

    @staticmethod
    def restore_logged_data(log_path: str) -> dict[str, Any]:
        """Return nothing: checkpoints hold the state."""
        return {}

    def prepare_dict_for_logging(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return the numbers of nested statistics by their names."""
        return dict(flatten(log_data))

    def write(self, step_type: str, step: int, data: dict[str, Any]) -> None:
        """Write statistics of a test collector."""
        scope = step_type.split("/")[0]
        self.writer.scalars({f"{scope}/{k}": float(v) for k, v in data.items()}, self.first + step)

    def finalize(self) -> None:
        """Close the destination."""
        self.writer.close()


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of nested statistics, with names that are joined by underscores.

    Example:
        >>> flatten({"loss": 1.0, "objective": {"accuracy": 0.5}, "alpha": {"mean": 2.0}, "note": "x"})
        {'loss': 1.0, 'objective_accuracy': 0.5, 'alpha': 2.0}
    """
    numbers: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            # A summary of several numbers, such as losses of a collection's batches.
            part = {"mean": value["mean"]} if "mean" in value else value
            for inner, number in flatten(part).items():
                numbers[prefix + (name if inner == "mean" else f"{name}_{inner}")] = number
        elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
            numbers[prefix + name] = float(value)
    return numbers
