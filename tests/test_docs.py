"""Documentation that runs: the python blocks of README.md and docs/, and every docstring's examples."""

import dataclasses
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/rlpriors"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def module_names(folder: Path = PACKAGE, prefix: str = "rlpriors") -> Iterator[str]:
    """Every module of the package, through the links, without importing any."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py":
            yield prefix if path.stem == "__init__" else f"{prefix}.{path.stem}"
        elif (path / "__init__.py").exists():
            yield from module_names(path, f"{prefix}.{path.name}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks run in order and share their names, as a reader who types them one by one would have it."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    names: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        # The padding makes a traceback name the page's own line.
        exec(compile("\n" * line + block.group(1), str(page), "exec"), names)


@pytest.mark.parametrize("name", list(module_names()))
def test_examples_in_docstrings_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(module, optionflags=options, verbose=False)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples failed, printed above"


@pytest.mark.parametrize("name", list(module_names()))
def test_public_names_exist_and_classes_show_an_example(name: str) -> None:
    """Records and interfaces are exempt: settings, statistics, errors, protocols, abstract classes."""
    module = importlib.import_module(name)
    public = {entry: getattr(module, entry) for entry in getattr(module, "__all__", ())}
    silent = [
        entry
        for entry, value in public.items()
        if inspect.isclass(value) and value.__module__ == name and not _is_record_or_interface(value)
        if ">>>" not in (value.__doc__ or "")
    ]
    assert silent == []


def _is_record_or_interface(cls: type) -> bool:
    return (
        issubclass(cls, tuple | Exception)
        or dataclasses.is_dataclass(cls)
        or inspect.isabstract(cls)
        or getattr(cls, "_is_protocol", False)
    )
