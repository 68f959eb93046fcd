"""Tables of the imitation benchmark."""

from pathlib import Path

import pytest
from benchmarks.imitation.report import report, table


def test_methods_stand_below_their_controls() -> None:
    def row(method: str, mode: str, augment: str, seed: int, normalized: float | str) -> list[str]:
        return ["pong", method, mode, augment, str(seed), "0", str(normalized), "9"]

    rows = [row("simclr", "joint", "yes", 0, 0.25), row("none", "scratch", "no", 0, 0.5)]
    rows += [row("simclr", "pretrain", "yes", seed, 0.75) for seed in (0, 1)]
    rows += [row("simclr", "pretrain", "no", 0, 0.5), row("simclr", "pretrain", "no", 1, "")]
    rows += [row("vae", "joint", "no", 0, "")]
    assert table(rows).splitlines() == [
        "| mode | method | seeds | augmented | not augmented |",
        "| --- | --- | ---: | ---: | ---: |",
        "| cloning alone | none | 1 |  | 0.50 |",
        "| pretrain | simclr | 2 | 0.75 [0.75, 0.75] | 0.50, without 1 |",
        "| joint | simclr | 1 | 0.25 |  |",
        "| joint | vae | 1 |  | without 1 |",
    ]


def test_the_table_goes_between_its_markers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- pong -->\nold\n<!-- end of pong -->\nAfter.\n")
    report([["pong", "none", "scratch", "no", "0", "-3", "0.25", "40"]], page)
    text = page.read_text()
    assert text.startswith("Before.\n<!-- pong -->\n| mode |")
    assert text.endswith("| cloning alone | none | 1 |  | 0.25 |\n<!-- end of pong -->\nAfter.\n")
    assert "## pong" in capsys.readouterr().out
