"""Checkpoints of other people: their tensors are read, and nothing of theirs runs."""

import argparse
import collections
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.weights import read_weights
from rlpriors.encoders.torch_checkpoint import Stub, load_tensors

WEIGHTS = {"a": torch.ones(2), "b": torch.zeros(1)}


class AttributeDict(dict[str, Any]):
    """As in Lightning, which saves a module's hyperparameters in one."""


class Trainer:
    """An object with a state of its own."""

    def __init__(self) -> None:
        self.weights = {"c": torch.ones(1)}
        self.folder = Path("runs")


class Evaluating:
    def __reduce__(self) -> Any:
        return (eval, ("__import__('pathlib').Path('exploded').touch()",))


class Calling:
    def __reduce__(self) -> Any:
        return (os.system, ("touch exploded",))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize(
    "extra",
    [
        np.float64(0.3),
        np.float32(0.3),
        np.arange(4),
        np.dtype("float32"),
        Path("data/run"),
        argparse.Namespace(lr=0.1, folder=Path("data")),
        AttributeDict(lr=0.1, folder=Path("data")),
        collections.defaultdict(list, {"loss": [np.float64(1.0)]}),
        {np.float64(0.5): "a number as key"},
        Trainer(),
        Trainer,
        complex(1, 2),
        {"deep": [{"deeper": (np.int64(3), Path("x"))}]},
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_objects_next_to_the_tensors(extra: Any, legacy: bool, tmp_path: Path) -> None:
    torch.save(
        {"state_dict": WEIGHTS, "extra": extra},
        tmp_path / "w.pt",
        _use_new_zipfile_serialization=not legacy,
    )
    assert {key: value.tolist() for key, value in read_weights(tmp_path / "w.pt").items()} == {
        "a": [1.0, 1.0],
        "b": [0.0],
    }


def test_objects_become_stubs_of_their_name(tmp_path: Path) -> None:
    torch.save({"best": np.float64(0.3), "trainer": Trainer()}, tmp_path / "w.pt")
    content = load_tensors(tmp_path / "w.pt")
    assert isinstance(content["best"], Stub)
    assert type(content["trainer"]).__name__ == "Trainer"
    assert vars(content["trainer"]) == {}


def test_entries_of_dictionaries_are_kept(tmp_path: Path) -> None:
    torch.save({"state_dict": AttributeDict(WEIGHTS)}, tmp_path / "w.pt")
    assert read_weights(tmp_path / "w.pt").keys() == WEIGHTS.keys()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("bomb", [Evaluating(), Calling()], ids=["eval", "shell"])
def test_no_code_runs(bomb: Any, legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**WEIGHTS, "x": bomb}, "w.pt", _use_new_zipfile_serialization=not legacy)
    if isinstance(bomb, Evaluating):
        assert read_weights("w.pt").keys() == WEIGHTS.keys()
    else:
        with pytest.raises(CheckpointError, match=r"posix\.system whose module posix is blocked"):
            read_weights("w.pt")
    assert not Path("exploded").exists()
    torch.load("w.pt", weights_only=False)  # without these restrictions
    assert Path("exploded").exists()


def test_a_whole_network_is_named(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 1), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"holds a Linear, not the weights.*`state_dict\(\)`"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [b"", b"\x80\x02", pickle.dumps({"a": 1})])
def test_damaged_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged, or is not a file of torch"):
        read_weights(tmp_path / "w.pt")
