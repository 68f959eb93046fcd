import pytest

from rlpriors.storage.checksum import append_checksum, has_valid_checksum


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "numbers"
    path.write_bytes(bytes(range(256)) * 5000)  # more than one chunk
    append_checksum(path)
    return path


def test_the_content_comes_first(path):
    assert path.read_bytes()[: 256 * 5000] == bytes(range(256)) * 5000
    assert has_valid_checksum(path)


@pytest.mark.parametrize("place", [0, 700_000, 256 * 5000 - 1, -1, -65, -70])
def test_each_flipped_bit_is_found(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 16
    path.write_bytes(data)
    assert not has_valid_checksum(path)


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"0", lambda data: b"0" + data]
)
def test_another_length(path, change):
    path.write_bytes(change(path.read_bytes()))
    assert not has_valid_checksum(path)


@pytest.mark.parametrize("data", [b"", b"123", b"0" * 72])
def test_no_checksum(tmp_path, data):
    (tmp_path / "numbers").write_bytes(data)
    assert not has_valid_checksum(tmp_path / "numbers")
