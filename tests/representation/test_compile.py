"""A network that is really compiled learns the same, and the copy that gives targets follows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlpriors.data.frames import FrameStore


@pytest.mark.slow
@pytest.mark.timeout(900)  # half a minute on a machine that does nothing else
def test_a_compiled_network_learns_the_same_and_its_average_follows(
    store: FrameStore, tmp_path: Path
) -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        pytest.skip(f"torch.compile needs a C++ compiler, and there is no {compiler} on this machine")
    worker = Path(__file__).with_name("compile_worker.py")
    done = subprocess.run(
        [sys.executable, str(worker), str(store.folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)},  # empty: it is compiled now
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.so"))
