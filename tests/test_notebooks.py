"""Notebooks of the documentation: their cells run, in a process of their own, and they hold no outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SHELL = """
import subprocess
import matplotlib
matplotlib.use("Agg")

def run_shell(command):
    subprocess.run(command, shell=True, check=True)
"""


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    return list(json.loads(notebook.read_text())["cells"])


def script_of(notebook: Path) -> str:
    """Return the code cells as a script; `!command` runs in a shell, as in IPython."""
    lines = [SHELL]
    for cell in cells_of(notebook):
        if cell["cell_type"] == "code":
            for line in "".join(cell["source"]).splitlines():
                lines.append(f"run_shell(f{line[1:]!r})" if line.startswith("!") else line)
    return "\n".join(lines)


def test_there_is_a_notebook() -> None:
    assert [notebook.name for notebook in NOTEBOOKS] == ["reward_from_demonstrations.ipynb"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_file_is_a_valid_notebook_without_outputs(notebook: Path) -> None:
    content = json.loads(notebook.read_text())
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    identifiers = [cell["id"] for cell in content["cells"]]
    assert len(set(identifiers)) == len(identifiers)
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    first = next("".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code")
    assert 'find_spec("rlpriors") is None' in first  # installs it on Colab


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_run(notebook: Path, tmp_path: Path) -> None:
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    done = subprocess.run(
        [sys.executable, "-c", script_of(notebook)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "## Choices" in done.stdout  # the report
    demonstrated, random = (float(line.rpartition(" ")[2]) for line in done.stdout.strip().splitlines()[-2:])
    assert demonstrated > random
