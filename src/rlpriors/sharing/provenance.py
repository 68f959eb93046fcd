"""Provenance of a saved model: its environment, data, metrics and command.

`Provenance`       record that commands add to a saved model
`read_provenance`  provenance in the configuration of a saved model
`select_metrics`   finite numbers and short texts of nested results
`shorten_paths`    text without the folders of this machine
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from rlpriors.settings import check_fields
from rlpriors.storage.module_files import CheckpointError

__all__ = ["Provenance", "read_provenance", "select_metrics", "shorten_paths"]

PROVENANCE = "provenance"  # entry of the saved configuration
MAX_TEXT = 200
Metric: TypeAlias = str | bool | int | float


@dataclass(frozen=True)
class Provenance:
    """Provenance of a saved model, which the model itself does not contain.

    `save` writes it to `config.json` and to the model card.

    Raises:
        ValueError: a field has another type, or a number is not finite.
    """

    env: str | None = None
    """Id of the model's environment, as in `gymnasium.make`; None if unknown."""

    env_args: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the environment, as plain data."""

    data: Mapping[str, str] = field(default_factory=dict)
    """Data that the model was made from: a title, and source, size and fingerprint in words."""

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """Measured numbers by name; `select_metrics` selects them from nested results."""

    command: str | None = None
    """Command line that made the model; None if unknown."""

    def __post_init__(self) -> None:
        check_fields(self)

    def entries(self) -> dict[str, Any]:
        """Return the provenance as an entry of a saved configuration, without its empty fields."""
        return {PROVENANCE: {name: value for name, value in asdict(self).items() if value}}


def read_provenance(config: Mapping[str, Any]) -> Provenance:
    """Return the provenance in a saved configuration; an empty one if there is none.

    Raises:
        CheckpointError: the entry is damaged.

    Example:
        >>> read_provenance(Provenance("Reacher-v5").entries()).env
        'Reacher-v5'
    """
    entry = config.get(PROVENANCE, {})
    try:
        return Provenance(**entry)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"`{PROVENANCE}` of a saved model is damaged: {error} Delete this entry of config.json."
        ) from error


def select_metrics(results: Mapping[str, Any]) -> dict[str, Metric]:
    """Return the finite numbers and short texts of nested results, their names joined by spaces.

    Example:
        >>> select_metrics({"trained": {"return": 3.0, "loss": float("nan")}, "verdict": "good"})
        {'trained return': 3.0, 'verdict': 'good'}
    """
    selected: dict[str, Metric] = {}
    for name, value in results.items():
        if isinstance(value, Mapping):
            selected |= {f"{name} {inner}": entry for inner, entry in select_metrics(value).items()}
        elif isinstance(value, str):
            selected[name] = value[:MAX_TEXT]
        elif isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            selected[name] = value
    return selected


def shorten_paths(text: str) -> str:
    """Replace absolute paths by their last part, so that a card does not show a machine's folders.

    Example:
        >>> shorten_paths("--demos /home/me/data/demos.npz --data runs/data.npz")
        '--demos demos.npz --data runs/data.npz'
    """
    return re.sub(
        r"(?<![\w./:~-])(?:~|[A-Za-z]:)?[/\\](?:[^\s'\"/\\]+[/\\])*([^\s'\"/\\]+)[/\\]?", r"\1", text
    )
