"""Tables of benchmarks: csv files, Markdown and marked sections of pages."""

from pathlib import Path

from benchmarks.tables import markdown, read_csv, replace_section, write_csv


def test_rows_are_read_without_the_header(tmp_path: Path) -> None:
    path = tmp_path / "results" / "some.csv"
    assert read_csv(path) == []
    write_csv(path, ["name", "value"], [["a, b", 0.5], ["c", ""]])
    assert read_csv(path) == [["a, b", "0.5"], ["c", ""]]


def test_columns_after_the_text_columns_align_right() -> None:
    assert markdown([["a", "b", "c"], ["x", "y", "1"]], 2).splitlines() == [
        "| a | b | c |",
        "| --- | --- | ---: |",
        "| x | y | 1 |",
    ]


def test_only_the_section_between_its_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    replace_section(page, "a", "new")
    assert not page.exists()
    page.write_text("<!-- a -->\nold\n<!-- end of a -->\n<!-- a b -->\nold\n<!-- end of a b -->\n")
    replace_section(page, "a", "new")
    replace_section(page, "missing", "new")
    assert page.read_text() == "<!-- a -->\nnew\n<!-- end of a -->\n<!-- a b -->\nold\n<!-- end of a b -->\n"
