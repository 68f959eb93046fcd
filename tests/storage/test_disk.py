import errno
import os
import shutil

import pytest

from rlpriors.storage.disk import explain_disk_errors, reserve_blocks


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (
            errno.ENOSPC,
            OSError,
            r"there is no space left for .*out \(.* MB free, or a quota\)\. Free",
        ),
        (errno.EDQUOT, OSError, r"there is no space left for .*out .*another disk"),
        (errno.EROFS, OSError, r"the disk of .*out is read-only\. Choose another folder"),
        (errno.EACCES, PermissionError, r"this user may not write .*out\. Change its permissions"),
    ],
)
def test_errors_name_the_place_and_the_remedy(tmp_path, number, kind, message):
    def fail():
        with explain_disk_errors(tmp_path / "outer"), explain_disk_errors(tmp_path / "deep" / "out"):
            raise OSError(number, os.strerror(number))

    with pytest.raises(kind, match=message) as caught:
        fail()
    assert caught.value.errno == number


def test_other_errors_are_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, explain_disk_errors(tmp_path):
        (tmp_path / "none").read_bytes()
    assert caught.value.filename == str(tmp_path / "none")


def test_a_sparse_file_gets_its_blocks(tmp_path):
    path = tmp_path / "features"
    with open(path, "wb") as file:
        file.truncate(1_000_000)
    assert path.stat().st_blocks * 512 < 1_000_000
    reserve_blocks(path)
    assert path.stat().st_size == 1_000_000
    assert path.stat().st_blocks * 512 >= 1_000_000
    reserve_blocks(path)


def test_an_empty_file(tmp_path):
    (tmp_path / "features").touch()
    reserve_blocks(tmp_path / "features")
    assert (tmp_path / "features").stat().st_size == 0


def test_too_little_space(tmp_path):
    path = tmp_path / "features"
    with open(path, "wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).free + 10**10)
    with pytest.raises(OSError, match=r"there is no space left for .*features"):
        reserve_blocks(path)
    assert path.stat().st_blocks == 0
