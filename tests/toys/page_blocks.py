"""Python blocks of the pages of the documentation."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_blocks(page: Path) -> dict[str, object]:
    """Run the blocks of a page in order and return their names.

    They share their names, as a reader who types them one by one would have it.
    """
    text = page.read_text()
    names: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        # The padding makes a traceback name the page's own line.
        exec(compile("\n" * line + block.group(1), str(page), "exec"), names)
    return names


def block_with(page: Path, text: str) -> str:
    """Return the only block of a page that contains a text."""
    (found,) = (block.group(1) for block in BLOCK.finditer(page.read_text()) if text in block.group(1))
    return found
