import subprocess
import sys

import pytest

from rlpriors.storage.module_files import (
    CheckpointError,
    add_entries,
    config_path,
    read_module_files,
    write_module_files,
)

KILLED_WRITE = """
import os, signal, sys
from pathlib import Path
from rlpriors.storage.module_files import write_module_files

folder, left = Path(sys.argv[1]), int(sys.argv[2])


def kill(event, arguments):
    global left
    if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir"}:
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1


sys.addaudithook(kill)
write_module_files(folder, b"new", {"class": "New", "settings": {}, "version": "2"})
"""


def config(name):
    return {"class": name, "settings": {}, "version": "1"}


def test_round_trip(tmp_path):
    write_module_files(tmp_path / "deep", b"old", config("Old"))
    read, weights = read_module_files(tmp_path / "deep")
    assert weights == b"old"
    assert read.pop("fingerprint").startswith("cba06b5736faf67e54b07b561eae94395e774c517a7d910a5436")
    assert read == config("Old")


def test_a_kill_at_any_moment_leaves_the_old_pair_or_the_new_one(tmp_path):
    outcomes, killed = [], True
    while killed:
        folder = tmp_path / str(len(outcomes))
        write_module_files(folder, b"old", config("Old"))
        arguments = [sys.executable, "-c", KILLED_WRITE, str(folder), str(len(outcomes))]
        killed = subprocess.run(arguments).returncode == -9
        read, weights = read_module_files(folder)
        assert (read["class"], weights) in {("Old", b"old"), ("New", b"new")}
        outcomes.append(read["class"])
        write_module_files(folder, b"last", config("Last"))
        assert read_module_files(folder)[0]["class"] == "Last"
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    n_old = outcomes.count("Old")
    assert outcomes == ["Old"] * n_old + ["New"] * (len(outcomes) - n_old)
    assert n_old > 4
    assert len(outcomes) - n_old > 2  # at least one kill after the weights and before the configuration


def test_a_folder_without_configuration_is_no_checkpoint(tmp_path):
    write_module_files(tmp_path, b"old", config("Old"))
    (tmp_path / "config.json").rename(tmp_path / ".config.json.next")
    with pytest.raises(CheckpointError, match=r"is not a checkpoint: it has no config\.json"):
        read_module_files(tmp_path)


def test_a_folder_of_modules_names_them(tmp_path):
    for name in ("reward", "prior"):
        (tmp_path / name).mkdir()
        write_module_files(tmp_path / name, b"old", config("Old"))
    with pytest.raises(
        CheckpointError, match=rf"safetensors, such as {tmp_path}/prior or {tmp_path}/reward\."
    ):
        read_module_files(tmp_path)


def test_a_damaged_configuration_to_come_is_ignored(tmp_path):
    write_module_files(tmp_path, b"old", config("Old"))
    (tmp_path / ".config.json.next").write_text("[")
    assert config_path(tmp_path) == tmp_path / "config.json"
    assert read_module_files(tmp_path)[1] == b"old"


def test_entries_are_added_and_weights_stay(tmp_path):
    write_module_files(tmp_path, b"old", config("Old"))
    add_entries(tmp_path, {"provenance": {"env": "A-v0"}})
    add_entries(tmp_path, {"provenance": {"env": "B-v0"}, "more": 1})
    read, weights = read_module_files(tmp_path)
    assert (read["provenance"], read["more"], read["class"]) == ({"env": "B-v0"}, 1, "Old")
    assert weights == b"old"
    with pytest.raises(ValueError, match=r"`entries` must not be of \['class'.*Received \['class'\]"):
        add_entries(tmp_path, {"class": "New"})
    with pytest.raises(TypeError):
        add_entries(tmp_path, {"more": object()})
    assert read_module_files(tmp_path)[0]["more"] == 1


def test_entries_are_added_to_the_configuration_of_a_killed_write(tmp_path):
    """The weights were replaced, and their configuration had not yet its final name."""
    write_module_files(tmp_path, b"new", config("New"))
    (tmp_path / "config.json").rename(tmp_path / ".config.json.next")
    write_module_files(tmp_path / "other", b"old", config("Old"))
    (tmp_path / "other" / "config.json").rename(tmp_path / "config.json")
    add_entries(tmp_path, {"more": 1})
    read, weights = read_module_files(tmp_path)
    assert (read["class"], read["more"], weights) == ("New", 1, b"new")
    assert not (tmp_path / ".config.json.next").exists()
