"""Weights & Biases and Trackio, the real libraries without a network: one run for all parts, also resumed."""

import json
import sqlite3
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.main import main
from rlpriors.training.tracking.animation import gif_bytes
from rlpriors.training.tracking.run_tracker import RunTracker

pytest.importorskip("wandb", reason="Weights & Biases is not installed: `make test-peers`")
pytest.importorskip("trackio.sqlite_storage", reason="Trackio is not installed: `make test-peers`")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RED = np.full((4, 4, 3), [255, 0, 0], np.uint8)
GIF = gif_bytes([RED, 0 * RED])


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture
def trackio_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folder of Trackio's data base; the library reads its variable once, when it is imported."""
    folder = tmp_path / "trackio"
    for module in list(sys.modules.values()):
        name = getattr(module, "__name__", "")
        if name.startswith("trackio"):
            for variable, path in (("TRACKIO_DIR", folder), ("MEDIA_DIR", folder / "media")):
                if hasattr(module, variable):
                    monkeypatch.setattr(module, variable, path)
    return folder


def run_part(folder: Path, tracker: str, steps: range, first: int = 0) -> None:
    run = RunTracker(folder, tracker)  # type: ignore[arg-type]
    writer = run.writer("reward", first)
    for step in steps:
        writer.scalars({"reward/loss": 1.0 / (step + 1)}, step)
    writer.text("report", "| a | b |")
    writer.image("pictures/red", RED, steps[-1])
    writer.animation("pictures/film", GIF, steps[-1])
    writer.close()
    run.close()


def records(path: Path) -> Iterator[bytes]:
    """Records of a .wandb file: blocks of 32 KiB, and headers of 7 bytes as in LevelDB's logs."""
    content, at, parts = path.read_bytes(), 7, b""
    while at + 7 < len(content):
        if 32768 - at % 32768 < 7:  # no header fits into the rest of a block
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def history(folder: Path) -> list[dict[str, Any]]:
    """Rows of the offline files of Weights & Biases, in the order of their writing."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for _ in range(600):  # the library's process writes the file in the background
            found = [Record.FromString(content) for content in records(path)]
            if any(record.WhichOneof("record_type") == "exit" for record in found):
                break
            time.sleep(0.1)
        for record in found:
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                rows.append({i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items})
    return rows


def test_weights_and_biases_has_an_axis_of_steps_for_each_part(tmp_path: Path) -> None:
    folder = tmp_path / "reward-seed0"
    folder.mkdir()
    run_part(folder, "wandb", range(3))
    rows = history(folder)
    assert [(row["steps/reward"], row["reward/loss"]) for row in rows if "reward/loss" in row] == [
        (0, 1.0),
        (1, 0.5),
        (2, pytest.approx(1 / 3)),
    ]
    media = {row[tag] for row in rows for tag in row if tag.endswith("._type")} - {"html-file"}
    assert media == {"image-file", "video-file"}
    assert len(list(folder.glob("wandb/offline-run-*/files/media/videos/pictures/*.gif"))) == 1


def test_a_resumed_run_keeps_its_id_and_skips_what_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "reward-seed0"
    folder.mkdir()
    run_part(folder, "wandb", range(1, 5))
    before = json.loads((folder / "wandb.json").read_text())
    assert before["steps"] == {"reward": 4}
    run_part(folder, "wandb", range(3, 7), first=3)  # killed after step 4, its checkpoint is of step 2
    after = json.loads((folder / "wandb.json").read_text())
    assert after == {"id": before["id"], "steps": {"reward": 6}}
    assert {path.suffix for path in folder.glob(f"wandb/offline-run-*/*{before['id']}.wandb")} == {".wandb"}
    steps = [row["steps/reward"] for row in history(folder) if "reward/loss" in row]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_trackio_holds_the_same_and_resumes(tmp_path: Path, trackio_folder: Path) -> None:
    folder = tmp_path / "reward-seed0"
    folder.mkdir()
    run_part(folder, "trackio", range(1, 5))
    run_part(folder, "trackio", range(3, 7), first=3)
    run_id = json.loads((folder / "trackio.json").read_text())["id"]
    [database] = trackio_folder.glob("*.db")
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select run_name, step, metrics from metrics order by id").fetchall()
    connection.close()
    assert {name for name, *_ in rows} == {f"reward-seed0-{run_id[:4]}"}
    metrics = [(step, json.loads(text)) for _, step, text in rows]
    losses = [(step, values["reward/loss"]) for step, values in metrics if "reward/loss" in values]
    assert losses == [(step, pytest.approx(1 / (step + 1))) for step in range(1, 7)]
    kinds = {value["_type"] for _, values in metrics for value in values.values() if isinstance(value, dict)}
    assert kinds == {"trackio.image", "trackio.markdown"}
    assert len(list(trackio_folder.glob("media/**/*.gif"))) == 2


def test_a_command_writes_to_all_trackers(
    tmp_path: Path, trackio_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reward = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path / "reward")
    folder = tmp_path / "policy-seed0"
    words = f"train-policy --reward {reward} --env Pendulum-v1 --max-episode-steps 6 --device cpu --films 0"
    words += " --env-steps 48 --n-envs 2 --random-steps 16 --batch-size 8 --n-episodes 2"
    words += f" --tracker tensorboard csv wandb trackio --folder {folder}"
    monkeypatch.setattr(sys, "argv", ["rlpriors", *words.split()])
    main()
    assert capsys.readouterr().out.splitlines()[-1] != ""
    assert (folder / "csv/policy/scalars.csv").exists()
    assert list(folder.glob("tensorboard/policy/events*"))
    assert any("policy/learned_return" in row for row in history(folder))
    [database] = trackio_folder.glob("*.db")
    with sqlite3.connect(database) as connection:
        [(config,)] = connection.execute("select config from configs").fetchall()
    connection.close()
    assert json.loads(config)["n_envs"] == 2
