"""No module of the package imports itself through others, lazy imports included."""

import grimp
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


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
    graph = grimp.build_graph("rlpriors", cache_dir=None)
    assert len(graph.modules) > 200
    assert import_cycles(graph) == []


def test_a_cycle_is_found() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]:
        graph.add_import(importer=importer, imported=imported)
    assert import_cycles(graph) == [["a", "b", "c"]]
