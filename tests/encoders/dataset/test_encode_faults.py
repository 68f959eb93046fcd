"""Encoding under faults: kills, full disks, and two runs in one folder."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_encoder import FRAMES, tiny_encoder

from rlpriors.encoders.dataset import encode
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.storage.atomic import temporary_name
from rlpriors.storage.lock import lock_folder


def test_a_kill_at_any_operation_is_resumed(tmp_path):
    script = Path(__file__).with_name("kill_encode.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "toys")}
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 20


def test_a_leftover_temporary_is_no_foreign_file(tmp_path):
    for name in (".progress.json.123.tmp", temporary_name("progress.json"), ".lock"):
        (tmp_path / name).write_text("x")
    encoded = encode_dataset(FRAMES, tiny_encoder(), tmp_path, progress=False)
    assert len(encoded.features) == 7


def test_foreign_files_are_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="`folder` must be new, empty or unfinished"):
        encode_dataset(FRAMES, tiny_encoder(), tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_runs_in_one_folder(tmp_path):
    with (
        lock_folder(tmp_path, "run"),
        pytest.raises(ValueError, match=r"one run of `encode_dataset` at a time.*wait for it"),
    ):
        encode_dataset(FRAMES, tiny_encoder(), tmp_path, progress=False)


def test_a_finished_folder_is_read_without_the_right_to_write(tmp_path):
    encode_dataset(FRAMES, tiny_encoder(), tmp_path / "out", progress=False)
    with lock_folder(tmp_path / "out", "run"):
        assert len(encode_dataset(FRAMES, tiny_encoder(), tmp_path / "out", progress=False).features) == 7


def test_a_full_disk_is_an_error_before_the_first_frame(tmp_path, monkeypatch):
    def fail(descriptor, offset, length):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", fail)
        with pytest.raises(OSError, match=r"there is no space left for .*features\.npy .*Free some space"):
            encode_dataset(FRAMES, tiny_encoder(), tmp_path, progress=False)
    assert not (tmp_path / "features.npy").exists()
    assert len(encode_dataset(FRAMES, tiny_encoder(), tmp_path, progress=False).features) == 7


def test_the_blocks_of_the_features_are_reserved(tmp_path, monkeypatch):
    blocks = []

    def count(*arguments):
        status = (tmp_path / "features.npy").stat()
        blocks.append(status.st_blocks * 512 >= status.st_size)
        return torch.zeros(len(arguments[1]), 6).numpy()

    monkeypatch.setattr(encode, "_encode", count)
    encode_dataset(FRAMES, tiny_encoder(), tmp_path, progress=False)
    assert blocks == [True]
