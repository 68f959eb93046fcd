import subprocess
import sys

import pytest

from rlpriors.storage.lock import lock_folder

HOLD = """
import sys
from rlpriors.storage.lock import lock_folder
with lock_folder(sys.argv[1], "encode"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time(tmp_path):
    folder = tmp_path / "deep" / "out"
    with lock_folder(folder, "encode"):
        assert folder.is_dir()
        with (
            pytest.raises(ValueError, match=r"used by one encode at a time\. Received .*out.*wait for it"),
            lock_folder(folder, "encode"),
        ):
            pass
        with lock_folder(tmp_path / "other", "encode"):
            pass
    with lock_folder(folder, "encode"):
        pass
    assert not list(folder.iterdir())


def test_another_process_and_its_kill(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="another process writes"), lock_folder(tmp_path, "encode"):
            pass
        process.kill()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]  # the file of a killed process
    with lock_folder(tmp_path, "encode"):
        pass
    assert not list(tmp_path.iterdir())


def test_an_error_in_the_body_frees_the_lock(tmp_path):
    with pytest.raises(RuntimeError, match="broke"), lock_folder(tmp_path, "encode"):
        raise RuntimeError("broke")
    with lock_folder(tmp_path, "encode"):
        pass
