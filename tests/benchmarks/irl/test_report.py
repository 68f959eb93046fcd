"""Tables of reward learning."""

from pathlib import Path

import pytest
from benchmarks.irl import report as irl_report
from benchmarks.irl.report import (
    METRIC_GROUPS,
    TRUTH_GROUPS,
    complete_table,
    demonstrations,
    report,
    table,
)


def test_a_table_shows_means_and_intervals_with_twenty_demonstrations() -> None:
    scores = {
        "bc": {"20": {"success": [0.25], "seconds": [12.4]}, "5": {"success": [1.0]}},
        "contrastive": {"20": {"success": [0.5, 0.5, 0.5], "spearman": [0.9, 0.9, 0.9], "other": [1.0]}},
        "relative": {"5": {"success": [1.0]}},
    }
    assert table(scores, ("success", "spearman", "epic", "seconds")).splitlines() == [
        "| method | seeds | success | Spearman | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| bc | 1 | 0.25 |  | 12 |",
        "| contrastive | 3 | 0.50 [0.50, 0.50] | 0.90 [0.90, 0.90] |  |",
    ]
    assert table(scores, ("spearman",)).splitlines()[2:] == ["| contrastive | 3 | 0.90 [0.90, 0.90] |"]
    assert table(scores, ("epic",)) == ""


def test_the_interval_of_two_seeds_is_between_them() -> None:
    # The mean of two draws of {0, 1} is 0 or 1 with a chance of 1/4 each: beyond 2.5 % at both ends.
    text = table({"bc": {"20": {"success": [0.0, 1.0]}}}, ("success",))
    assert text.endswith("| bc | 2 | 0.50 [0.00, 1.00] |")


def test_each_number_of_demonstrations_has_a_line() -> None:
    scores = {
        "bc": {"20": {"success": [1.0]}},
        "contrastive": {"5": {"success": [0.5], "seconds": [3.0]}, "20": {"success": [1.0, 1.0]}},
    }
    assert demonstrations(scores).splitlines() == [
        "| method | demonstrations | seeds | success |",
        "| --- | ---: | ---: | ---: |",
        "| contrastive | 5 | 1 | 0.50 |",
        "| contrastive | 20 | 2 | 1.00 [1.00, 1.00] |",
    ]


def test_variants_stand_below_their_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(irl_report, "draw_methods", lambda *arguments: None)
    page = tmp_path / "results" / "irl.md"
    page.parent.mkdir()
    names = ("umaze policies", "umaze variants")
    page.write_text("".join(f"<!-- {name} -->\n<!-- end of {name} -->\n" for name in names))
    methods = ("bc", "full-obs-unweighted", "contrastive-full-obs")
    rows = [["umaze", name, "0", "20", "success", str(place / 2)] for place, name in enumerate(methods)]
    report(rows, tmp_path, main=("contrastive-full-obs", "bc"), variants=("full-obs-unweighted",))
    policies, variants = page.read_text().split("<!-- end of umaze policies -->")
    assert [line.split(" | ")[0] for line in policies.splitlines()[3:]] == ["| contrastive-full-obs", "| bc"]
    assert [line.split(" | ")[0] for line in variants.splitlines()[4:6]] == [
        "| contrastive-full-obs",
        "| full-obs-unweighted",
    ]


def test_no_metric_is_in_two_tables() -> None:
    groups = (*METRIC_GROUPS.values(), *TRUTH_GROUPS.values())
    metrics = [metric for group in groups for metric in group]
    assert len(metrics) == len(set(metrics))


def test_missing_cells_are_shown() -> None:
    scores = {
        "oracle": {"20": {"step_pearson": [1.0], "step_epic": [0.0]}},
        "bc": {"20": {"success": [1.0]}},
        "gail": {"20": {"step_pearson": [0.5]}},
    }
    text = complete_table(scores, ("step_pearson", "step_epic"), ("oracle", "gail", "drail", "bc"))
    assert text.splitlines() == [
        "| method | seeds | step: Pearson | EPIC |",
        "| --- | ---: | ---: | ---: |",
        "| oracle | 1 | 1.00 | 0.00 |",
        "| gail | 1 | 0.50 | - |",
        "",
        "Without these results: `drail`, `bc`.",
    ]
    assert complete_table({}, ("step_pearson",), ("oracle",)) == "Not run."


def test_tables_of_truths_and_policies_have_eight_columns() -> None:
    assert max(len(metrics) for metrics in TRUTH_GROUPS.values()) + 2 <= 8
