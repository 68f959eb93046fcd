import pytest

from rlpriors.storage.array_folder import check_inside


@pytest.mark.parametrize("path", ["1.jpg", "train2017/1.jpg", "a..b.jpg", ".1.jpg"])
def test_paths_inside(path):
    assert check_inside("file_name", path) == path


@pytest.mark.parametrize(
    "path", ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", r"..\1.jpg", r"C:\1.jpg", r"\1.jpg", ""]
)
def test_paths_outside(path):
    with pytest.raises(ValueError, match="file_name must be a relative path inside its folder, not "):
        check_inside("file_name", path)
