"""Tables of the documentation that benchmarks write.

`replace`   put a text between two marks of a page
"""

import re
from pathlib import Path

from rlpriors.checkpoint import write_atomically

__all__ = ["replace"]


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
