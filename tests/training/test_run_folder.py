"""Run folders under kills; `test_offline.py` has their other tests."""

import json
import subprocess
import sys
from dataclasses import dataclass

from rlpriors.storage.atomic import is_temporary
from rlpriors.training.run_folder import create_or_resume_run

KILLED_START = """
import os, signal, sys
from dataclasses import dataclass
from pathlib import Path
from rlpriors.training.run_folder import create_or_resume_run

@dataclass
class Settings:
    seed: int = 1

left = int(sys.argv[2])


def kill(event, arguments):
    global left
    if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir"}:
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1


sys.addaudithook(kill)
create_or_resume_run(Path(sys.argv[1]), Settings(), resume=False)
"""


@dataclass(frozen=True)
class Settings:
    seed: int = 1


def test_a_kill_leaves_no_folder_without_settings(tmp_path) -> None:
    n_kills, was_created = 0, []
    while True:
        parent = tmp_path / str(n_kills)
        run = subprocess.run([sys.executable, "-c", KILLED_START, str(parent / "run"), str(n_kills)])
        created = (parent / "run").exists()
        if created:
            assert json.loads((parent / "run" / "settings.json").read_text()) == {"seed": 1}
            assert create_or_resume_run(parent / "run", Settings(), resume=True) == parent / "run"
        new = create_or_resume_run(parent / "run", Settings(), resume=False)
        assert new.name == ("run-2" if created else "run")
        assert not [path for path in parent.iterdir() if is_temporary(path.name)]
        was_created.append(created)
        if run.returncode == 0:
            break
        n_kills += 1
    assert n_kills >= 4
    assert was_created == sorted(was_created)


def test_an_empty_folder_is_used(tmp_path) -> None:
    (tmp_path / "run").mkdir()
    assert create_or_resume_run(tmp_path / "run", Settings(), resume=False) == tmp_path / "run"
    assert create_or_resume_run(tmp_path / "run", Settings(), resume=True) == tmp_path / "run"
