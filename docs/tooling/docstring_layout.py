"""Extension of griffe: docstrings of this package in the form that mkdocstrings renders.

`DocstringLayout`  turn lists of names into tables with links, and "Example:" into a section of code
"""

import re
from typing import Any

from api_reference import ENTRY, NAME, class_links, definition, find_modules, link_classes
from griffe import Extension, Module, Object

__all__ = ["DocstringLayout"]

BAR = "\\|"
ITEM = re.compile(rf"^ *(?P<names>{NAME}(?:, {NAME})*) +(?P<text>\S.*)$")


class DocstringLayout(Extension):
    """Rewrite each docstring when griffe has read it."""

    def __init__(self) -> None:
        super().__init__()
        self._modules = find_modules()
        self._classes = class_links(self._modules)

    def on_instance(self, *, obj: Object, **kwargs: Any) -> None:
        """Replace the docstring of an object."""
        if obj.docstring is None:
            return
        text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
        if isinstance(obj, Module):
            text = self.tables(text, obj.path)
        text = link_classes(text, self._classes, skip=obj.name)
        obj.docstring.value = text

    def tables(self, text: str, path: str) -> str:
        """Return the text with each paragraph of entries as a table."""
        return "\n\n".join(self._table(paragraph, path) for paragraph in text.split("\n\n"))

    def _table(self, paragraph: str, path: str) -> str:
        lines = paragraph.splitlines()
        first = next((index for index, line in enumerate(lines[:2]) if ENTRY.match(line)), None)
        if first is None:
            return paragraph
        rows: list[list[str]] = []
        for line in lines[first:]:
            entry = ITEM.match(line)
            if entry:
                rows.append([self._link(entry["names"], path), entry["text"]])
            else:
                rows[-1][1] += " " + line.strip()
        head = [f"**{lines[0].strip()}**", ""] if first else []
        cells = [f"| {name} | {text.replace('|', BAR)} |" for name, text in rows]
        return "\n".join([*head, "| name | description |", "|---|---|", *cells])

    def _link(self, names: str, path: str) -> str:
        return ", ".join(self._target(name.strip("`"), path) for name in names.split(", "))

    def _target(self, name: str, path: str) -> str:
        """Return a link to a module below `path` or to a public name defined in it."""
        full = f"{path}.{name}"
        module = self._modules[path]
        if full in self._modules or (name in module.public and name in module.defined):
            return f"[`{name}`][{full}]"
        origin = definition(module, name, self._modules) if name in module.public else None
        return f"[`{name}`][{origin}]" if origin else f"`{name}`"
