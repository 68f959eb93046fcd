from pathlib import Path

import numpy as np
import pytest

from rlpriors.storage.array_folder import check_inside, map_array


@pytest.mark.parametrize("path", ["1.jpg", "train2017/1.jpg", "a..b.jpg", ".1.jpg"])
def test_paths_inside(path):
    assert check_inside("file_name", path) == path


@pytest.mark.parametrize(
    "path", ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", r"..\1.jpg", r"C:\1.jpg", r"\1.jpg", ""]
)
def test_paths_outside(path):
    with pytest.raises(ValueError, match="file_name must be a relative path inside its folder, not "):
        check_inside("file_name", path)


def test_a_header_that_no_literal_can_be_read_from_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "frames.npy"
    np.save(path, np.zeros((2, 3), np.uint8))
    data = bytearray(path.read_bytes())
    data[data.index(b"{")] ^= 0x40  # one flipped bit
    path.write_bytes(data)
    with pytest.raises(ValueError, match="header"):
        map_array(tmp_path, "frames")
