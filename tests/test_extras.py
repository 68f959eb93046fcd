"""Commands that install extras: of a checkout, and of an installed wheel."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rlpriors import extras
from rlpriors.extras import install_command, missing_extra

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("place", "is_checkout", "command"),
    [
        ("my code", True, "pip install -e '{folder}/my code[maze]'"),
        ("lib/python3.11", False, 'pip install "rlpriors[maze]"'),
    ],
)
def test_the_command_fits_the_installation(place, is_checkout, command, tmp_path, monkeypatch) -> None:
    """Code in <checkout>/src/rlpriors, and in <environment>/lib/python3.11/site-packages/rlpriors."""
    root = tmp_path / place
    root.mkdir(parents=True)
    if is_checkout:
        (root / "pyproject.toml").touch()
    monkeypatch.setattr(extras, "__file__", str(root / "site-packages" / "rlpriors" / "extras.py"))
    expected = command.format(folder=tmp_path)
    assert install_command("maze") == expected
    assert missing_extra("Mazes need mujoco", "maze") == f"Mazes need mujoco: {expected}"


def test_every_named_extra_exists_and_no_message_has_its_own_command() -> None:
    known = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    named = set()
    for path in (
        path
        for top in ("src", "agents", "rewards", "scripts", "wrappers")
        for path in (ROOT / top).rglob("*.py")
    ):
        text = path.read_text()
        named |= set(re.findall(r"missing_extra\((?:[^()]|\([^()]*\))*?,\s*\"(\w+)\"\s*\)", text))
        assert path.name == "extras.py" or "rlpriors[" not in text.replace("rlpriors[docs]", ""), path
    assert {"atari", "maze", "offline", "openvino", "pretrain", "vision"} <= named <= known


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pip") is None, reason="needs pip")
def test_pip_accepts_the_command_of_this_installation() -> None:
    words = shlex.split(install_command("maze"))[1:]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--dry-run", "--no-index", "--no-build-isolation", "--no-deps"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
