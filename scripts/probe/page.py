"""Page of `rlpriors probe` in TensorBoard: tables, a chart of the subjects, and HParams.

`log_page`        the page
`table_markdown`  a table of rich in Markdown
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from rich.table import Table
from torch.utils.tensorboard import SummaryWriter

from rlpriors.scripts.probe.tables import Subject, main_number
from rlpriors.training.tracking.figures import figure_image, panel
from rlpriors.training.tracking.page import markdown_rows, markdown_table, plain_settings

__all__ = ["log_page", "table_markdown"]

FEATURES = {"rankme": "RankMe", "feature_std": "feature_std"}


def log_page(
    run: Path, settings: Any, subjects: Mapping[str, Subject], tables: Sequence[Table], verdict: str
) -> None:
    """Write the tables as texts, the main number of each subject as a picture, and HParams of the subjects.

    Each subject is a row of the tab "HParams", with its main number and the measures of its features.

    Args:
        run: folder of the run; the files are in `<run>/tensorboard`.
        settings: dataclass of settings.
        subjects: scores by name.
        tables: tables of the scores.
        verdict: comparison of the encoder with the baselines.
    """
    folder = run / "tensorboard"
    numbers = {name: main_number(subject) for name, subject in subjects.items()}
    found = {name: number for name, number in numbers.items() if number is not None}
    with SummaryWriter(str(folder)) as writer:
        text = "\n\n".join([f"**{verdict}**", *map(table_markdown, tables)])
        writer.add_text("scores", text)
        writer.add_text("settings", markdown_table(plain_settings(settings), "setting"))
        if found:
            figure = panel(f"{next(iter(found.values()))[0]} of each subject", lambda ax: _bars(ax, found))
            writer.add_image("pictures/scores", figure_image(figure), dataformats="HWC")
    for name, subject in subjects.items():
        metrics = {}
        if name in found:
            metric, value = found[name]
            metrics[f"summary/{metric}"] = value
        for key, value in subject.numbers.items():
            metric = key.split("/")[-1]
            if metric in FEATURES:
                metrics[f"summary/{FEATURES[metric]}"] = value
        slug = re.sub(r"[^\w.()-]+", "-", name).strip("-")
        with SummaryWriter(str(folder / slug)) as writer:
            writer.add_hparams({"subject": name, "seed": settings.seed}, metrics, run_name=".")


def table_markdown(table: Table) -> str:
    """Return a table of rich in Markdown, with its title above it.

    Example:
        >>> table = Table("subject", "F1", title="pong")
        >>> table.add_row("pixels", "0.50")
        >>> print(table_markdown(table))
        ### pong
        <BLANKLINE>
        | subject | F1 |
        | --- | --- |
        | pixels | 0.50 |
    """
    columns = [list(map(str, column.cells)) for column in table.columns]
    headers = [str(column.header) for column in table.columns]
    return f"### {table.title}\n\n" + markdown_rows(headers, list(zip(*columns, strict=True)))


def _bars(ax: Axes, numbers: Mapping[str, tuple[str, float]]) -> None:
    names = list(numbers)[::-1]
    values = [numbers[name][1] for name in names]
    ax.barh([name.replace(" (", "\n(") for name in names], values)
    for row, value in enumerate(values):
        ax.text(max(value, 0), row, f" {value:.2f}", va="center", fontsize=13)
    ax.set_xlim(min(0, *values), max(1, *values) * 1.2)
