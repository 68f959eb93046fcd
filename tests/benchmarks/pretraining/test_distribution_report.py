"""Tables of the benchmark of pretraining distributions."""

from pathlib import Path

import pytest
from benchmarks.pretraining import distribution_report as benchmark

from rlpriors.scripts.study.report import Row


def rows() -> list[Row]:
    result = []
    for seed in (0, 1):
        for distance, split in enumerate(("target", "near", "far", "mix")):
            distances = (float(distance), 1.0, 0.5)
            result.append(Row("pong", split, 8, "frozen", seed, *distances, 0.8 - distance / 10))
        result.append(Row("pong", "none", 8, "frozen", seed, None, None, None, 0.3))
    return result


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Return a page with the markers of all tables."""
    page = tmp_path / benchmark.PAGE
    page.parent.mkdir()
    names = [
        *("comparison", "distances", "mIoU", "rank correlation"),
        *("difference to none", "difference to mix"),
    ]
    names = [*(f"pong, {name}" for name in names), "longer"]
    page.write_text("".join(f"<!-- {name} -->\n<!-- end of {name} -->\n" for name in names))
    return page


def test_the_page_has_all_tables_and_the_figure(page: Path, tmp_path: Path) -> None:
    benchmark.report(rows(), tmp_path)
    text = page.read_text()
    assert "| target | 0.800 [0.800, 0.800] |" in text
    # Of the 24 orders of four splits, one correlates as strongly, and one in the other direction.
    assert "| frechet | -1.00 [-1.00, -1.00], p 0.08 |" in text
    assert "against no pretraining: higher: frozen with 8 labels; lower: none; overlapping: none." in text
    assert "| far | 2.000 [2.000, 2.000] | 1.000 [1.000, 1.000] | 0.500 [0.500, 0.500] |" in text
    assert "| none | 2" not in text
    assert "| auc |  |" in text  # equal for all splits, so there is no order
    assert "| far | +0.300 [+0.300, +0.300] |" in text  # to none
    assert "| none | -0.200 [-0.200, -0.200] |" in text  # to the mix
    assert (tmp_path / "images" / "pretraining-distribution-pong.png").exists()
    assert "](../images/pretraining-distribution-pong.png)" in text


def test_without_a_folder_nothing_is_written(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = page.read_text()
    benchmark.report(rows(), None)
    benchmark.report_longer(rows(), None)
    assert page.read_text() == before
    assert "## pong, mIoU (seeds [0, 1])" in capsys.readouterr().out


def test_the_comparison_lists_higher_lower_and_overlapping_settings() -> None:
    lower = [row._replace(miou=0.0) if row.split == "target" else row for row in rows()]
    assert benchmark.compare_target(lower).endswith("lower: frozen with 8 labels; overlapping: none.")
    equal = [row._replace(miou=0.3) if row.split == "target" else row for row in rows()]
    assert benchmark.compare_target(equal).endswith("overlapping: frozen with 8 labels.")
    assert benchmark.compare_target(rows()[:5]) == "No comparison: it needs at least two seeds."


def test_splits_have_their_order_and_missing_seeds_are_listed() -> None:
    fewer = [row for row in rows() if (row.split, row.seed) not in (("mix", 0), ("none", 0))]
    table = benchmark.by_split(fewer, benchmark.score)
    assert "| mix | 0.500 (seeds 1) |" in table
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [
        "| far",
        "| near",
        "| target",
        "| mix",
        "| none",
    ]


def test_the_table_of_a_longer_training_has_both_splits_and_their_difference(
    page: Path, tmp_path: Path
) -> None:
    benchmark.report_longer(rows(), tmp_path)
    assert page.read_text().split("<!-- longer -->\n")[1].splitlines()[:-1] == [
        "| target, split | frozen, 8 labels |",
        "| --- | ---: |",
        "| Pong, target | 0.800 [0.800, 0.800] |",
        "| Pong, none | 0.300 [0.300, 0.300] |",
        "| Pong, difference | +0.500 [+0.500, +0.500] |",
    ]
