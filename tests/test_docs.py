"""Documentation: code blocks and docstring examples run, links resolve, every public name has an entry."""

import dataclasses
import doctest
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import api_reference
import page_blocks
import pytest
import yaml
from markdown.extensions.toc import slugify

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/rlpriors"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# tests/peers runs the pages about other libraries, where these are installed.
PAGES_THAT_RUN = [page for page in PAGES if not page.name.startswith("with_")]
TEXTS = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((PACKAGE / "encoders").rglob("*.md")),
]
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MOST_COLUMNS = 8


def page_id(page: Path) -> str:
    """Path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def module_names(folder: Path = PACKAGE, prefix: str = "rlpriors") -> Iterator[str]:
    """Every module of the package, through the links, without importing any."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py":
            yield prefix if path.stem == "__init__" else f"{prefix}.{path.stem}"
        elif (path / "__init__.py").exists():
            yield from module_names(path, f"{prefix}.{path.name}")


@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=page_id)
def test_code_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page_blocks.run_blocks(page)


@pytest.fixture(scope="module")
def modules() -> dict[str, api_reference.Module]:
    """Every module of the package, parsed by the generator of the API reference."""
    return api_reference.find_modules()


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {slugify(heading.replace("`", ""), "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS, ids=page_id)
def test_links_of_a_page_resolve(page: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(CODE.sub("", page.read_text())):
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", [page for page in TEXTS if page.name != "CHANGELOG.md"], ids=page_id)
def test_files_and_modules_of_a_page_exist(page: Path) -> None:
    """Paths are relative to the repository, to the package or to a package with subfolders."""
    text = page.read_text()
    homes = [ROOT, PACKAGE, *PACKAGE.iterdir(), PACKAGE / "agents" / "irl"]
    paths = re.findall(r"`((?:\w[\w-]*/)+[\w-]*\.(?:py|csv|json|toml))`", text)
    modules = [name.replace(".", "/") for name in re.findall(r"-m (benchmarks[.\w]+)", text)]
    names = [*paths, *(f"{module}.py" for module in modules)]
    assert [name for name in names if not any((home / name).exists() for home in homes)] == []


@pytest.mark.parametrize("page", TEXTS, ids=page_id)
def test_tables_of_a_page_are_narrow(page: Path) -> None:
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert [line for line in lines if line.replace("\\|", "").count("|") - 1 > MOST_COLUMNS] == []


def test_the_navigation_contains_every_page() -> None:
    listed = re.findall(r"[\w/]+\.md", str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    written = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.parent != ROOT]
    assert sorted(listed) == sorted([*written, "index.md", "contributing.md", "changelog.md"])


def test_the_reference_has_a_page_for_every_module(modules: dict[str, api_reference.Module]) -> None:
    pages = re.findall(r"[\w/]+\.md", str(api_reference.navigation(modules)))
    assert sorted(pages) == sorted(module.uri for module in modules.values())
    assert sorted(modules) == sorted(module_names())


@pytest.mark.parametrize("name", list(module_names()))
def test_the_reference_has_an_entry_for_every_public_name(
    name: str, modules: dict[str, api_reference.Module]
) -> None:
    public = set(getattr(importlib.import_module(name), "__all__", ()))
    assert public - api_reference.documented(modules[name], modules) == set()


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
        or typing.is_typeddict(cls)
    )
