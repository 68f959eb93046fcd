"""Structure of the package: no import cycle, small folders, settings only at a command's door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).parents[1]
TOP = ("agents", "rewards", "scripts", "wrappers")
MOST_FILES = 16
"""Source files in one folder; `representation/methods` holds one small file per method."""
MOST_SCRIPT_LINES = 8200


def folders() -> Iterator[Path]:
    """Source folders of the package, without the links to the folders at the top."""
    for top in (ROOT / "src/rlpriors", *(ROOT / name for name in TOP)):
        if (top / "__init__.py").exists():
            yield top
        yield from (
            init.parent
            for init in sorted(top.rglob("__init__.py"))
            if init.parent != top and not (top.name == "rlpriors" and init.relative_to(top).parts[0] in TOP)
        )


def import_cycles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Groups of modules that import each other, directly or through other modules of the group."""
    names = sorted(graph.modules)
    number = {name: i for i, name in enumerate(names)}
    edges = [
        (number[name], number[used])
        for name in names
        for used in graph.find_modules_directly_imported_by(name)
        if used in number
    ]
    rows, columns = np.array(edges).T
    matrix = coo_array((np.ones(len(edges)), (rows, columns)), shape=(len(names), len(names)))
    n, group = connected_components(matrix, directed=True, connection="strong")
    members = [[name for name in names if group[number[name]] == i] for i in range(n)]
    return [cycle for cycle in members if len(cycle) > 1]


def test_no_import_cycle() -> None:
    """Lazy imports inside functions count too."""
    graph = grimp.build_graph("rlpriors", cache_dir=None)
    assert len(graph.modules) > 200
    assert import_cycles(graph) == []


def test_a_cycle_is_found() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]:
        graph.add_import(importer=importer, imported=imported)
    assert import_cycles(graph) == [["a", "b", "c"]]


def test_folders_are_small() -> None:
    counts = {
        folder.relative_to(ROOT).as_posix(): len([p for p in folder.glob("*.py") if p.name != "__init__.py"])
        for folder in folders()
    }
    assert counts.pop("src/rlpriors/representation/methods") > MOST_FILES
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_scripts_stay_thin() -> None:
    lines = sum(len(path.read_text().splitlines()) for path in (ROOT / "scripts").rglob("*.py"))
    assert lines < MOST_SCRIPT_LINES


def command_settings() -> set[str]:
    """Class names of the commands' settings: the types of `settings` in the entries of `scripts/`."""
    return {
        argument.annotation.id
        for path in (ROOT / "scripts").glob("*/run.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == path.parent.name
        for argument in node.args.args
        if argument.arg == "settings" and isinstance(argument.annotation, ast.Name)
    }


def parameters_of_type(names: set[str], path: Path) -> Iterator[str]:
    """Functions of a file with a parameter that is annotated with one of the class `names`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            used = {
                word.id if isinstance(word, ast.Name) else getattr(word, "attr", getattr(word, "value", ""))
                for argument in arguments
                if argument.annotation is not None
                for word in ast.walk(argument.annotation)
            }
            if used & names:
                yield f"{path.relative_to(ROOT)}:{node.name}"


def test_settings_become_values_at_the_door() -> None:
    """Only a command's entry function takes its settings; everything else takes values."""
    names = command_settings()
    assert len(names) == 16
    takers = [
        taker
        for folder in folders()
        for path in sorted(folder.glob("*.py"))
        for taker in parameters_of_type(names, path)
    ]
    below = [taker for taker in takers if not taker.startswith("scripts/")]
    assert below == []
    helpers = [taker for taker in takers if not is_entry(taker)]
    assert helpers == []


def is_entry(taker: str) -> bool:
    """True for `scripts/<command>/run.py:<command>` and for `scripts/<command>.py:<command>`."""
    path, function = taker.split(":")
    parts = Path(path).with_suffix("").parts
    command = parts[1] if len(parts) == 3 and parts[2] == "run" else parts[-1]
    return function == command
