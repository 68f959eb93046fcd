"""Pages of the API reference: one per module of the package, in a tree that mirrors its folders.

`NAME`, `ENTRY`   patterns of a name and of a line that describes a name in a docstring
`Module`          a module with its public names, read without importing it
`find_modules`    every module of the package
`page`            the Markdown page of a module
`class_links`     the classes and constants that prose can link to by their name alone
`link_classes`    text with these links
`definition`      the place where a public name is defined
`documented`      the public names with an entry on the page of a module
`navigation`      the tree of pages for the site's navigation
"""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "ENTRY",
    "NAME",
    "Module",
    "class_links",
    "definition",
    "documented",
    "find_modules",
    "link_classes",
    "navigation",
    "page",
]

NAME = r"`[\w.\-/ ]+`"
ENTRY = re.compile(rf"^ *(?P<names>{NAME}(?:, {NAME})*) {{2,}}(?P<text>\S.*)$", re.MULTILINE)
"""Line of a list in a docstring: a name in backticks, two spaces, a description."""
CODE_OR_NAME = re.compile(
    r"""^```[\s\S]*?^```$          # fenced code
    | ^\#.*$ | ^\ *(?:>>>|\.\.\.)\ .*$    # headings, examples
    | \[[^\]]*\](?:\[[^\]]*\]|\([^)]*\))    # links
    | `(?P<name>[A-Z]\w*)`""",
    re.MULTILINE | re.VERBOSE,
)
PACKAGE = Path(__file__).parents[2] / "src" / "rlpriors"


@dataclass(frozen=True)
class Module:
    """A module of the package, parsed but not imported."""

    name: str
    """Dotted name, such as "rlpriors.rewards.mlp"."""

    path: Path
    """File of the module."""

    listed: frozenset[str]
    """Names that the docstring lists, each with a description."""

    public: tuple[str, ...]
    """Names of `__all__`, in their order."""

    defined: dict[str, str]
    """Names that the module defines, each with the first line of its docstring."""

    imported: dict[str, str] = field(default_factory=dict)
    """Names that the module imports from the package, each with the dotted name of its origin."""

    @property
    def is_package(self) -> bool:
        """True for the `__init__.py` of a folder."""
        return self.path.name == "__init__.py"

    @property
    def uri(self) -> str:
        """Path of the page inside the documentation."""
        parts = ["reference", *self.name.split(".")[1:], *(["index"] if self.is_package else [])]
        return "/".join(parts) + ".md"


def find_modules() -> dict[str, Module]:
    """Return every module of the package by its dotted name; parents come before their children."""
    return {name: _parse(name, path) for name, path in _files(PACKAGE, "rlpriors")}


def page(module: Module, modules: dict[str, Module]) -> str:
    """Return the Markdown page: docstring, names defined here, links to names defined elsewhere."""
    own, links = _entries(module, modules)
    # The docstring's list has links of its own.
    links = {name: link for name, link in links.items() if name not in module.listed}
    members = f"[{', '.join(own)}]" if own else "false"
    lines = [
        f"---\ntitle: {module.name.rpartition('.')[2]}\n---\n",
        f"::: {module.name}",
        "    options:",
        f"      members: {members}",
    ]
    if links:
        heading = "Exported names" if module.is_package else "Names from other modules"
        lines += ["", f"## {heading}", "", "| name | description |", "|---|---|"]
        lines += [f"| [`{name}`][{origin}] | {summary} |" for name, (origin, summary) in links.items()]
    return "\n".join(lines) + "\n"


def documented(module: Module, modules: dict[str, Module]) -> set[str]:
    """Return the public names that have an entry on the page of the module."""
    own, links = _entries(module, modules)
    return {*own, *links}


def definition(module: Module, name: str, modules: dict[str, Module]) -> str | None:
    """Return the dotted name under which a name is defined and public; None if there is none."""
    while name not in module.defined:
        if name not in module.imported:
            return None
        home, _, name = module.imported[name].rpartition(".")
        if f"{home}.{name}" in modules or home not in modules:
            return None
        module = modules[home]
    return f"{module.name}.{name}" if name in module.public else None


def class_links(modules: dict[str, Module]) -> dict[str, str]:
    """Return the capitalized public names that only one module defines, with their dotted names."""
    homes: dict[str, list[str]] = {}
    for module in modules.values():
        for name in module.public:
            if name in module.defined and name[0].isupper():
                homes.setdefault(name, []).append(f"{module.name}.{name}")
    return {name: places[0] for name, places in homes.items() if len(places) == 1}


def link_classes(text: str, links: dict[str, str], skip: str = "") -> str:
    """Return the text with each `Name` of `links` as a link, except in code, headings and links."""

    def link(match: re.Match[str]) -> str:
        name = match["name"] or ""
        return f"[`{name}`][{links[name]}]" if name in links and name != skip else match[0]

    return CODE_OR_NAME.sub(link, text)


def navigation(modules: dict[str, Module], package: str = "rlpriors") -> list[Any]:
    """Return the pages of a package as a navigation tree: its own page, then folders, then files."""
    prefix = f"{package}."
    children = [m for n, m in modules.items() if n.startswith(prefix) and "." not in n.removeprefix(prefix)]
    folders = [{m.name.removeprefix(prefix): navigation(modules, m.name)} for m in children if m.is_package]
    files = [{m.name.removeprefix(prefix): m.uri} for m in children if not m.is_package]
    return [modules[package].uri, *folders, *files]


def _entries(module: Module, modules: dict[str, Module]) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """Return the public names defined here, and the others with their origin and summary."""
    own = [name for name in module.public if name in module.defined]
    links = {}
    for name in module.public:
        origin = definition(module, name, modules)
        if name not in own and origin is not None:
            home, _, last = origin.rpartition(".")
            links[name] = (origin, modules[home].defined[last])
    return own, links


def _files(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Yield dotted names and files, through the links to the folders at the top."""
    yield name, folder / "__init__.py"
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").exists():
            yield from _files(path, f"{name}.{path.name}")
        elif path.suffix == ".py" and path.stem != "__init__":
            yield f"{name}.{path.stem}", path


def _parse(name: str, path: Path) -> Module:
    """Read the public names, definitions and imports of a file."""
    public: tuple[str, ...] = ()
    defined: dict[str, str] = {}
    imported: dict[str, str] = {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [entry["names"] for entry in ENTRY.finditer(ast.get_docstring(tree) or "")]
    body: list[ast.stmt] = []
    for statement in tree.body:
        # Names that are imported on first use stand under `if TYPE_CHECKING`.
        body += statement.body if isinstance(statement, ast.If) else [statement]
    for position, node in enumerate(body):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                defined[node.name] = _first_line(ast.get_docstring(node))
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                public = _public(name, node.value)
            case ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)):
                follower = body[position + 1] if position + 1 < len(body) else None
                defined[target] = _first_line(_string(follower))
            case ast.ImportFrom(module=str(origin)) if origin.startswith("rlpriors"):
                imported |= {alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names}
    return Module(name, path, frozenset(re.findall(r"`([^`]+)`", " ".join(names))), public, defined, imported)


def _public(name: str, value: ast.expr) -> tuple[str, ...]:
    """Return the names of an `__all__`; a computed one is read from the imported module."""
    try:
        return tuple(ast.literal_eval(value))
    except ValueError:
        return tuple(importlib.import_module(name).__all__)


def _string(node: ast.stmt | None) -> str | None:
    """Return the text of a string statement: the docstring of a constant follows it."""
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return None


def _first_line(docstring: str | None) -> str:
    """Return the first paragraph as one line that fits into a table cell."""
    return " ".join((docstring or "").strip().split("\n\n")[0].split()).replace("|", "\\|")
