"""Tables of benchmarks.

`read_csv`         rows below the header
`write_csv`        header and all rows at once
`markdown`         Markdown table
`replace_section`  text between two markers of a page of the documentation
`make_parser`      argument parser with a module docstring as its description
"""

import argparse
import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rlpriors.storage.atomic import write_atomically

__all__ = ["make_parser", "markdown", "read_csv", "replace_section", "write_csv"]


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that prints `description`, a module docstring, with its line breaks."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def read_csv(path: Path) -> list[list[str]]:
    """Return the rows below the header, or an empty list if `path` does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Replace the file at `path` by a header and its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])

    write_atomically(path, write)


def markdown(lines: Sequence[Sequence[str]], n_text_columns: int = 1) -> str:
    """Return a Markdown table with `lines[0]` as its header; columns after the text columns align right."""
    rule = ["---"] * n_text_columns + ["---:"] * (len(lines[0]) - n_text_columns)
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def replace_section(page: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- name -->` and `<!-- end of name -->`.

    A page that does not exist, or that has no such markers, stays unchanged.
    """
    if not page.exists():
        return
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before = page.read_text()
    section = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", before, re.DOTALL)
    if section is None:
        return
    after = before.replace(section.group(), f"{begin}\n{text}\n{end}")

    def write(temporary: Path) -> None:
        temporary.write_text(after)

    write_atomically(page, write)
