import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlpriors.storage.atomic import (
    STALE_SECONDS,
    is_temporary,
    remove_stale,
    temporary_name,
    write_atomically,
    write_text_atomically,
)


@pytest.fixture(scope="module")
def dead_name():
    """Name that a process which has ended gave to its temporary of "b.txt"."""
    code = "from rlpriors.storage.atomic import temporary_name; print(temporary_name('b.txt'))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


class TestWriteAtomically:
    def test_makes_folders_and_leaves_no_traces(self, tmp_path):
        write_atomically(tmp_path / "a" / "b.txt", lambda path: path.write_text("new") and None)
        assert (tmp_path / "a" / "b.txt").read_text() == "new"
        assert len(list((tmp_path / "a").iterdir())) == 1

    def test_a_failure_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "b.txt"
        path.write_text("old")

        def fail(temporary):
            temporary.write_text("half")
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            write_atomically(path, fail)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_leftovers_of_a_killed_process_are_removed(self, tmp_path, dead_name):
        (tmp_path / dead_name).write_text("half")
        (tmp_path / dead_name.replace("b.txt", "c.txt")).write_text("half")
        write_text_atomically(tmp_path / "b.txt", "new")
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            dead_name.replace("b.txt", "c.txt"),
            "b.txt",
        ]


class TestRemoveStale:
    def test_folders(self, tmp_path, dead_name):
        (tmp_path / dead_name / "deep").mkdir(parents=True)
        remove_stale(tmp_path / "b.txt")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("name", "age", "is_removed"),
        [
            (temporary_name("b.txt"), 2 * STALE_SECONDS, False),  # this process is running
            (".b.txt.1-another-machine-0123abcd.tmp", 60, False),
            (".b.txt.1-another-machine-0123abcd.tmp", 2 * STALE_SECONDS, True),
            (".b.txt.123.tmp", 2 * STALE_SECONDS, True),
            (".b.txt.notes", 2 * STALE_SECONDS, False),
            ("b.txt", 2 * STALE_SECONDS, False),
        ],
        ids=["running", "other-host-new", "other-host-old", "no-host", "other-file", "target"],
    )
    def test_owner_and_age(self, tmp_path, name, age, is_removed):
        path = tmp_path / name
        path.write_text("half")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
        remove_stale(tmp_path / "b.txt")
        assert path.exists() != is_removed

    def test_no_folder(self, tmp_path):
        remove_stale(tmp_path / "none" / "b.txt")
        assert not list(tmp_path.iterdir())

    def test_names(self):
        first, second = temporary_name("b.txt"), temporary_name("b.txt")
        assert first != second
        assert is_temporary(first)
        assert Path(first).name == first
