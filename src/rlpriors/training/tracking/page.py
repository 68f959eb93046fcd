"""Content of a run's page: its main charts, its settings and its results.

`CHARTS`          charts that matter, by the command of a run
`chart_layout`    layout of TensorBoard's tab "Custom scalars"
`flat`            nested values by their names
`plain_settings`  settings of a dataclass by their names
`main_settings`   settings that differ from their defaults
`markdown_table`  table in Markdown of values by their names
`markdown_rows`   table in Markdown of rows
`is_number`       True for numbers other than truth values
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any

__all__ = [
    "CHARTS",
    "chart_layout",
    "flat",
    "is_number",
    "main_settings",
    "markdown_rows",
    "markdown_table",
    "plain_settings",
]

CHARTS: dict[str, dict[str, Sequence[str]]] = {
    "demo": {
        "loss of the prior": ["prior/loss"],
        "reward of demonstrations and negatives": ["reward/demonstration_reward", "reward/sample_reward"],
        "loss of the reward": ["reward/loss"],
    },
    "learn-prior": {"loss of the prior": ["prior/loss"]},
    "learn-reward": {
        "reward of demonstrations and negatives": ["reward/demonstration_reward", "reward/sample_reward"],
        "return of the policy": ["policy/true_return", "policy/learned_return"],
        "distance to the demonstrations": ["diagnostics/demonstration_distance"],
        "loss of the prior": ["prior/loss"],
    },
    "train-policy": {
        "return of the policy": ["policy/true_return", "policy/learned_return", "policy/return"],
        "distance to the demonstrations": ["diagnostics/demonstration_distance"],
        "length of the episodes": ["policy/episode_length"],
        "loss of the critic": ["update/critic1_loss", "update/critic_loss", "update/vf_loss", "update/loss"],
    },
    "pretrain": {
        "loss of the encoder": ["encoder/loss"],
        "rank of the features (RankMe)": ["diagnostics/rankme"],
        "spread of the features": ["diagnostics/feature_std"],
        "norm of the gradient": ["encoder/grad_norm"],
    },
    "imitate": {
        "loss of cloning": ["cloning/loss"],
        "loss of the encoder": ["encoder/loss"],
        "rank of the features (RankMe)": ["diagnostics/rankme"],
        "return of the policy": ["policy/true_return", "policy/return"],
    },
    "zero-shot": {
        "loss of the features": ["skills/feature_loss"],
        "loss of the successor features": ["skills/successor_loss"],
        "loss of the policy": ["skills/actor_loss"],
    },
}
"""Tags of each main chart by its title, by the command of the run."""


WITHOUT_EFFECT = {"device", "threads", "n_workers", "checkpoint_every", "log_every", "log_images_every"}
"""Settings that do not change the result of a run."""


def chart_layout(command: str) -> dict[str, dict[str, list[Any]]]:
    """Return the layout of charts for TensorBoard.

    TensorBoard joins the equal categories of several runs.

    Example:
        >>> chart_layout("learn-prior")
        {'learn-prior': {'loss of the prior': ['Multiline', ['prior/loss']]}}
    """
    return {command: {title: ["Multiline", list(tags)] for title, tags in CHARTS[command].items()}}


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


def plain_settings(settings: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by their names, nested ones joined by dots."""
    return flat(asdict(settings))


def main_settings(settings: Any) -> dict[str, Any]:
    """Return the seed, and the fields of a dataclass that have no default or another value, by their names.

    Fields that do not change the result, such as the device, are left out.

    Example:
        >>> from rlpriors.agents import AlgorithmSettings
        >>> main_settings(AlgorithmSettings("sac", lr=0.1))
        {'lr': 0.1}
    """
    result: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if field.name in WITHOUT_EFFECT:
            continue
        if field.name == "seed" or default is MISSING or value != default:
            plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
            result |= flat({field.name: plain})
    return result


def markdown_table(values: Mapping[str, Any], title: str) -> str:
    """Return a table of two columns in Markdown.

    Example:
        >>> print(markdown_table({"seed": 0}, "setting"))
        | setting | value |
        | --- | --- |
        | seed | 0 |
    """
    return markdown_rows((title, "value"), [(name, _cell(value)) for name, value in values.items()])


def markdown_rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Return a table in Markdown.

    Example:
        >>> print(markdown_rows(["a", "b"], [["1", "2|3"]]))
        | a | b |
        | --- | --- |
        | 1 | 2\|3 |
    """
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def is_number(value: Any) -> bool:
    """Return True for finite and infinite numbers, and False for truth values."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)
