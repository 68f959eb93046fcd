"""Damaged and foreign files for the loaders.

`write_originals`  small folders and files that the loaders accept
`loaders`          their paths, with functions that load and use them
`spoil`            a random change of a copy
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.robustness.fuzz_inputs import (
    BOX,
    STATES,
    frames,
    make_encoder,
    make_reward,
    make_store,
    normal,
    score,
)
from rlpriors import agents, data, encoders, rewards
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.encoders.dataset.encoded_dataset import load_encoded

__all__ = ["loaders", "spoil", "write_originals"]

Loader = Callable[[Path], Any]


def write_originals(folder: Path) -> None:
    """Write a small file or folder for each loader."""
    make_reward().save(folder / "reward")
    rewards.SumReward([make_reward(), make_reward()], [1.0, 2.0]).save(folder / "sum")
    make_encoder().save(folder / "encoder")
    settings = agents.AlgorithmSettings("sac", hidden=(4,))
    algorithm = agents.make_algorithm(STATES, BOX, settings, device="cpu")
    agents.save_policy(algorithm.policy, settings, folder / "policy")
    make_store().save(folder / "store.npz")
    with FrameWriter(folder / "frames") as writer:
        writer.add_episode(frames(5, 16), act=np.arange(5))
    encode_dataset(frames(5), make_encoder(), folder / "encoded")
    save_resume(folder / "resume.pt", {"updates": 3, "weights": {"w": torch.randn(4)}})


def loaders(folder: Path) -> dict[str, tuple[Path, Loader]]:
    """Return the path and the loader of each original in `folder`, by name."""

    def load_windows(path: Path) -> Any:
        store = data.EpisodeStore.load(path)
        return store.transitions()

    def load_frames(path: Path) -> Any:
        store = FrameStore.open(path)
        return [np.asarray(store.frames), store.episode(0)]

    return {
        "load_reward": (folder / "reward", lambda path: score(rewards.load_reward(path, "cpu"))),
        "load_reward (sum)": (folder / "sum", lambda path: score(rewards.load_reward(path, "cpu"))),
        "load_encoder": (
            folder / "encoder",
            lambda path: encoders.load_encoder(str(path), device="cpu").encode(frames(1)),
        ),
        "load_policy": (folder / "policy", lambda path: agents.load_policy(path, STATES, BOX, device="cpu")),
        "EpisodeStore.load": (folder / "store.npz", load_windows),
        "FrameStore.open": (folder / "frames", load_frames),
        "load_encoded": (folder / "encoded", lambda path: np.asarray(load_encoded(path).features)),
        "load_resume": (folder / "resume.pt", load_resume),
    }


def spoil(original: Path, copy: Path, rng: np.random.Generator) -> str:
    """Copy a file or a folder, change it at random, and return a description of the change."""
    if original.is_file():
        shutil.copyfile(original, copy)
    else:
        shutil.copytree(original, copy)
    files = [copy] if copy.is_file() else sorted(path for path in copy.rglob("*") if path.is_file())
    path = files[rng.integers(len(files))]
    changes: list[Callable[[Path, np.random.Generator], str]] = [_truncate, _flip, _remove, _empty, _foreign]
    if path.suffix == ".json":
        changes += 6 * [_edit_json]
    if path.suffix == ".npy":
        changes += 2 * [_other_array]
    return f"{path.suffix}: {changes[rng.integers(len(changes))](path, rng)}"


def _truncate(path: Path, rng: np.random.Generator) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(len(content))])
    return "truncated"


def _flip(path: Path, rng: np.random.Generator) -> str:
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    return "flipped bit"


def _remove(path: Path, rng: np.random.Generator) -> str:
    path.unlink()
    return "removed"


def _empty(path: Path, rng: np.random.Generator) -> str:
    path.write_bytes(b"")
    return "empty"


def _foreign(path: Path, rng: np.random.Generator) -> str:
    contents = [b"\x80\x04K\x01.", b"PK\x03\x04", b"{}", b"[]", b"null", b"\xff" * 64, rng.bytes(200)]
    path.write_bytes(contents[rng.integers(len(contents))])
    return "foreign content"


def _other_array(path: Path, rng: np.random.Generator) -> str:
    arrays: list[Any] = [normal(3), normal(2, 2), np.zeros((0, 4)), np.array(1.0), np.full(5, np.nan)]
    arrays += [np.array(["a", "b"]), np.zeros(5, np.complex64), np.zeros(5, [("x", int)])]
    np.save(path, arrays[rng.integers(len(arrays))])
    return "other array"


def _edit_json(path: Path, rng: np.random.Generator) -> str:
    """Replace, remove or add an entry anywhere in a JSON file."""
    content = json.loads(path.read_text())
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        entries = (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        )
        for key, value in entries:
            places.append((node, key))
            visit(value)

    visit(content)
    values = [None, -1, 0, 1.5, 10**30, 2**40, True, "", "../../etc/passwd", "x", [], {}, [None], {"a": 1}]
    values += [float("nan"), float("inf"), [[1, 2], [3]], "http://127.0.0.1:9/x"]
    node, key = places[rng.integers(len(places))]
    if rng.random() < 0.2 and isinstance(node, dict):
        del node[key]
        action = f"{key} removed"
    elif rng.random() < 0.1 and isinstance(node, dict):
        node["pretrained"] = values[rng.integers(len(values))]
        action = "entry added"
    else:
        value = values[rng.integers(len(values))]
        node[key] = value
        action = f"{key} = {str(value)[:30]}"
    path.write_text(json.dumps(content))
    return action
