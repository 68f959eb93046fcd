"""`import rlpriors`: every name loads on first use, is explained, and costs nothing before."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rlpriors

SOURCE = Path(rlpriors.__file__).read_text()
NAMES = [name for name in rlpriors.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_loads_and_is_explained(name: str) -> None:
    value = getattr(rlpriors, name)
    assert value.__name__ == name
    assert f"    `{name}` " in (rlpriors.__doc__ or "")
    assert name in dir(rlpriors)


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING lead to the objects that `__getattr__` loads."""
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    static = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert static == rlpriors._MODULE_OF
    assert sorted(static) == sorted(NAMES)


def test_packages_load_and_unknown_names_are_refused() -> None:
    assert rlpriors.rewards.MLPReward is rlpriors.MLPReward
    with pytest.raises(AttributeError, match="module 'rlpriors' has no attribute 'nope'"):
        _ = rlpriors.nope


def test_the_import_is_quick_and_light() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import rlpriors; "
        "print(time.perf_counter() - start, *{'torch', 'gymnasium', 'tianshou', 'numpy'} & set(sys.modules))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in "123"
    ]
    seconds, *heavy = min((run.stdout.split() for run in runs), key=lambda words: float(words[0]))
    assert heavy == []
    assert float(seconds) < 0.3
