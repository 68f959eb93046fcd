"""Overview of a run in TensorBoard: its settings, its final numbers and its main charts.

`Chart`          a chart of the overview
`CHARTS`         charts of each part of a run
`log_overview`   settings as a text, and the layout of the charts
`log_results`    final numbers as a text, and as metrics of the settings ("HParams")
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

__all__ = ["CHARTS", "Chart", "log_overview", "log_results"]

Chart = tuple[str, Sequence[str]]
"""Title of a chart, and the tags of its curves."""

CHARTS: dict[str, Sequence[Chart]] = {
    "prior": [("loss of the prior", ["prior/loss"])],
    "reward": [
        ("reward of demonstrations and negatives", ["reward/demonstration_reward", "reward/sample_reward"]),
        ("loss of the reward", ["reward/loss"]),
    ],
    "policy": [
        ("return of the policy", ["policy/true_return", "policy/learned_return", "policy/return"]),
        ("length of the episodes", ["policy/episode_length"]),
    ],
}
"""Charts that matter, by the part of a run: "prior", "reward" or "policy"."""


def log_overview(folder: Path, settings: Any, parts: Sequence[str]) -> None:
    """Write the settings as a text and the layout of the charts to `<folder>/tensorboard`.

    Args:
        folder: folder of the run.
        settings: dataclass of settings.
        parts: parts of the run, which are keys of `CHARTS`.
    """
    layout = {
        f"{folder.name}: {part}": {title: ["Multiline", list(tags)] for title, tags in CHARTS[part]}
        for part in parts
    }
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        writer.add_text("settings", table(flat(asdict(settings)), "setting"))
        writer.add_custom_scalars(layout)


def log_results(folder: Path, settings: Any, results: Mapping[str, Any]) -> None:
    """Write the final numbers as a text, and as metrics next to the settings in the tab "HParams".

    Entries of `results` that are no numbers appear in the text only.
    """
    numbers = flat(results)
    metrics = {f"final/{k}": float(v) for k, v in numbers.items() if is_number(v)}
    hparams = {
        k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in flat(asdict(settings)).items()
    }
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        writer.add_text("results", table(numbers, "result"))
        writer.add_hparams(hparams, metrics, run_name=".")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by their names, which are joined by dots.

    Example:
        >>> flat({"seed": 0, "run": {"folder": None}})
        {'seed': 0, 'run.folder': None}
    """
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = value
    return result


def table(values: Mapping[str, Any], title: str) -> str:
    """Return a table in Markdown.

    Example:
        >>> print(table({"seed": 0}, "setting"))
        | setting | value |
        | --- | --- |
        | seed | 0 |
    """
    rows = [f"| {name} | {shown(value)} |" for name, value in values.items()]
    return "\n".join([f"| {title} | value |", "| --- | --- |", *rows])


def shown(value: Any) -> str:
    """Return a value as a cell of a table."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.replace("|", "\\|")


def is_number(value: Any) -> bool:
    """Return True for finite and infinite numbers, and False for truth values."""
    return isinstance(value, int | float) and not isinstance(value, bool)
