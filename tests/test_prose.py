"""Plain words: breaks of the writing rules in docstrings and pages, which only become fewer.

CONTRIBUTING.md lists the rules.  A bound below is the number found when it was last lowered; where a
count is lower now, lower the bound in the same change.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "rlpriors"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

OPENING = re.compile(r"(what|how|where|which|whether|who|when|of)\b", re.I)
DIALECT = re.compile(r"\b(told|tells?|judge[sd]?|judging|beside|nobody|somebody|whatever|goes on)\b", re.I)


def python_files(folder: Path = PACKAGE) -> Iterator[Path]:
    """Every source file of the package, through the links to the folders at the top."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from python_files(path)
        elif path.suffix == ".py":
            yield path


def docstrings(source: str) -> Iterator[str]:
    """Docstrings of modules, classes and functions, and the strings below attributes."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for item in body if isinstance(body, list) else []:
            value = getattr(getattr(item, "value", None), "value", None)
            if isinstance(item, ast.Expr) and isinstance(value, str):
                yield value.strip()


def opening_breaks(texts: list[str]) -> list[str]:
    """First lines that open with a question word instead of a noun or an imperative."""
    return [text.splitlines()[0] for text in texts if text and OPENING.match(text)]


def dialect_breaks(texts: list[str]) -> list[str]:
    """Lines that use a word of the dialect that the writing rules replace."""
    return [line.strip() for text in texts for line in text.splitlines() if DIALECT.search(line)]


@pytest.fixture(scope="module")
def package_docstrings() -> list[str]:
    """All docstrings of the package."""
    return [text for path in python_files() for text in docstrings(path.read_text())]


def test_rules_by_hand() -> None:
    texts = list(
        docstrings('"""What it is."""\nclass A:\n    """A thing."""\n    x: int = 0\n    """Of x."""')
    )
    assert texts == ["What it is.", "A thing.", "Of x."]
    assert opening_breaks(texts) == ["What it is.", "Of x."]
    assert dialect_breaks(["A line.\n It tells more.", "retells", "He goes on."]) == [
        "It tells more.",
        "He goes on.",
    ]


def test_first_lines_of_docstrings(package_docstrings: list[str]) -> None:
    assert len(package_docstrings) > 1000
    breaks = opening_breaks(package_docstrings)
    assert len(breaks) <= 0, breaks


def test_words_of_docstrings(package_docstrings: list[str]) -> None:
    breaks = dialect_breaks(package_docstrings)
    assert len(breaks) <= 0, breaks


def test_words_of_pages() -> None:
    breaks = dialect_breaks([page.read_text() for page in PAGES])
    assert len(breaks) <= 0, breaks
