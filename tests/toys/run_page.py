"""Results on the TensorBoard page of a run, to compare with its results.json.

`results_on_page`  rows of the table "results"
`expected_rows`    rows by the numbers of results.json
"""

import json
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def results_on_page(run: Path) -> dict[str, str]:
    """Return the rows of the Markdown table "results" of a run, read from its event files."""
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    (content,) = events.Tensors("results/text_summary")[-1].tensor_proto.string_val
    head, line, *rows = content.decode().splitlines()
    assert (head, line) == ("| result | value |", "| --- | --- |")
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    return {name: value for name, value in cells}


def expected_rows(run: Path) -> dict[str, str]:
    """Return each number and text of results.json, nested names joined by dots, with four digits."""

    def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in values.items():
            found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        return found

    values = flat(json.loads((run / "results.json").read_text()))
    return {name: f"{v:.4g}" if isinstance(v, float) else str(v) for name, v in values.items()}
