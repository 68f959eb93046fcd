"""Tables that benchmarks read and write.

`read_csv`    rows without the head
`write_csv`   all of them, at once
`markdown`    for people
`replace`     put a text between two marks of a page of the documentation
"""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rlpriors.checkpoint import write_atomically

__all__ = ["markdown", "read_csv", "replace", "write_csv"]


def read_csv(path: Path) -> list[list[str]]:
    """The rows below the head; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A head and its rows, in the place of what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])

    write_atomically(path, write)


def markdown(lines: Sequence[Sequence[str]], names: int = 1) -> str:
    """A table whose first line is its head, and whose first `names` columns are words."""
    ruled = [lines[0], ["---"] * names + ["---:"] * (len(lines[0]) - names), *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)


def replace(page: Path, mark: str, text: str) -> None:
    """Put `text` between `<!-- mark -->` and `<!-- end of mark -->`; a page without them stays as it is."""
    if not page.exists():
        return
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before = page.read_text()
    found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", before, re.DOTALL)
    if found is None:
        return
    after = before.replace(found.group(), f"{begin}\n{text}\n{end}")

    def write(temporary: Path) -> None:
        temporary.write_text(after)

    write_atomically(page, write)
