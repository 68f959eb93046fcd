"""`rlpriors label`: pairs, labelers, resuming, Ctrl-C and kills."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from comparisons import counting_store
from processes import reset_interrupt, wait_until

from rlpriors.preferences import OracleLabeler, PreferenceSet, collect_preferences, cut_clip, uniform_pairs
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.label.run import label
from rlpriors.scripts.label.settings import LabelSettings
from rlpriors.scripts.label.sources import choose_pairs, import_function, make_painter, read_data
from rlpriors.scripts.main import main

MODULE = """
import numpy as np

def compare(task, first, second):
    assert task == "count"
    return int(second.rew.sum() > first.rew.sum()), 0.9

def look(task, first, second):
    assert first.shape[0] == 1 and first.dtype == np.uint8
    return 0

NUMBER = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with episodes and a module of labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    counting_store((30, 20)).save("episodes.safetensors")
    Path("own_labels.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("own_labels", None)


def settings(**changes: Any) -> LabelSettings:
    return replace(
        LabelSettings(data="episodes.safetensors", labeler="oracle", n_pairs=8, length=4), **changes
    )


def test_the_oracle_labels_uniform_pairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = label(settings())
    store = counting_store((30, 20))
    expected = collect_preferences(OracleLabeler(), store, uniform_pairs(store, 8, 4), 4)
    labels = PreferenceSet.load(path)
    assert (labels.clips == expected.clips).all()
    assert (labels.labels == expected.labels).all()
    out = capsys.readouterr().out
    ones = int(labels.labels.sum())
    assert f"8 labels: {8 - ones} first, {ones} second, 0 neither." in out
    assert "rlpriors learn-reward --from preferences --labels labels.jsonl --data episodes.safetensors" in out
    assert out.splitlines()[-1] == "labels.jsonl"


def test_more_pairs_continue_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label(settings(n_pairs=5, flip_probability=0.4))
    before = Path("labels.jsonl").read_text()
    label(settings(n_pairs=12, flip_probability=0.4))
    assert "labels.jsonl has 5 labels." in capsys.readouterr().out
    after = Path("labels.jsonl").read_text()
    assert after.startswith(before)
    label(settings(n_pairs=12, flip_probability=0.4, output=Path("whole.jsonl")))
    assert Path("whole.jsonl").read_text() == after
    label(settings(n_pairs=3, flip_probability=0.4))
    assert Path("labels.jsonl").read_text() == after  # fewer pairs remove nothing


def test_a_function_of_the_current_folder(folder: Path) -> None:
    labels = PreferenceSet.load(label(settings(labeler="own_labels:compare", task="count")))
    assert (
        labels.labels.tolist() == PreferenceSet.load(label(settings(output=Path("o.jsonl")))).labels.tolist()
    )
    assert set(labels.confidence.tolist()) == {0.9}
    assert labels.task == "count"


def test_a_function_of_pictures_in_both_orders(folder: Path) -> None:
    path = label(settings(labeler="own_labels:look", pictures=3, both_orders=True, n_pairs=2))
    assert PreferenceSet.load(path).labels.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:compare", "there is no module 'no_such_module'"),
        ("own_labels:nothing", "`labeler` must name a function of own_labels"),
        ("own_labels:NUMBER", "`labeler` must name a function of own_labels"),
    ],
)
def test_missing_functions(folder: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        label(settings(labeler=name))
    assert not Path("labels.jsonl").exists()


def test_a_missing_import_of_an_own_module_is_named(folder: Path) -> None:
    Path("broken_labels.py").write_text("import no_such_package")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        import_function("broken_labels:compare")


def test_samplers(folder: Path) -> None:
    store = counting_store((30, 20))
    rewards = []
    for seed in range(2):
        folder_of = folder / f"reward{seed}"
        torch.manual_seed(seed)
        rewards.append(MLPReward(RewardSettings(obs_dim=2, act_dim=1)).save(folder_of))
    found = {}
    for sampler in ("uniform", "novelty", "disagreement"):
        chosen = replace(
            settings(output=Path(f"{sampler}.jsonl")),
            sampler=sampler,  # type: ignore[arg-type]
            rewards=tuple(rewards) if sampler == "disagreement" else (),
        )
        labels = PreferenceSet.load(label(chosen))
        labels.check(store)
        assert len(labels) == 8
        found[sampler] = str(labels.clips.tolist())
    assert len(set(found.values())) == 3


def test_no_pair_is_asked_twice(folder: Path) -> None:
    store = counting_store((4, 3))  # 5 segments of 2 steps: 20 ordered pairs
    known = uniform_pairs(store, 4, 2, seed=5)
    pairs = choose_pairs(store, known, 100, 2, sampler="uniform", rewards=(), seed=0)
    assert (pairs[:4] == known).all()
    texts = [str(pair) for pair in pairs.tolist()]
    assert len(texts) == len(set(texts)) <= 20


def test_the_oracle_needs_rewards(folder: Path) -> None:
    replace(counting_store(), rew=np.zeros(13)).save("blind.safetensors")
    with pytest.raises(ValueError, match='`labeler` "oracle" needs data with rewards'):
        label(settings(data="blind.safetensors"))


def test_errors_name_their_flags(folder: Path) -> None:
    with pytest.raises(SystemExit, match="`--length` must leave at least two segments"):
        run("--length", "100", "--labeler", "oracle")
    with pytest.raises(SystemExit, match="missing"):
        run("--data", "missing.npz", "--labeler", "oracle")
    with pytest.raises(SystemExit, match="--data: `act` must be actions of Box"):
        run("--env", "Pendulum-v1", "--labeler", "oracle")
    assert not Path("labels.jsonl").exists()


def run(*arguments: str) -> None:
    words = ["rlpriors", "label", *arguments]
    if "--data" not in words:
        words += ["--data", "episodes.safetensors"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        main()


def test_a_maze_shows_its_walls(folder: Path) -> None:
    pytest.importorskip("gymnasium_robotics")
    obs = np.zeros((6, 4), np.float32)
    obs[:, 0] = np.linspace(-1, 1, 6)
    obs[:, 1] = 1.0  # the upper row of the U
    np.savez("maze.npz", **{"obs/observation": obs, "act": np.zeros((5, 2)), "lengths": [5]})
    store, maze = read_data("maze.npz", "PointMaze_UMaze-v3", ["observation"])
    assert maze is not None
    with_walls = make_painter(store, (), maze)(cut_clip(store, 0, 0, 5))[0]
    others = make_painter(store, (2, 3), maze)(cut_clip(store, 0, 0, 5))[0]
    gray = (
        (with_walls == with_walls[..., :1]).all(-1) & (with_walls[..., 0] > 90) & (with_walls[..., 0] < 200)
    )
    assert gray.mean() > 0.2  # 18 of 25 cells are walls
    other_gray = (others == others[..., :1]).all(-1) & (others[..., 0] > 90) & (others[..., 0] < 200)
    assert other_gray.mean() < 0.05


def start(*arguments: str, **streams: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rlpriors.scripts.main", "label", "--data", "episodes.safetensors"]
    return subprocess.Popen(
        [*command, *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=reset_interrupt,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        **streams,
    )


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_ctrl_c_in_the_terminal_and_the_same_command_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--labeler", "human", "--n-pairs", "4", "--length", "4", "--task", "count up")
    process = start(*arguments, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write("1\n2\n")
    process.stdin.flush()
    wait_until(lambda: lines(Path("labels.jsonl")) == 3, 60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "2 of 4: count up" in out
    again = (
        "rlpriors label --data episodes.safetensors --labeler human --n-pairs 4 --length 4 --task 'count up'"
    )
    assert err.strip() == f"Stopped; labels.jsonl has 2 labels. To continue: {again}"
    assert {path.name for path in Path("labels-pictures").iterdir()} == {"first.png", "second.png"}
    monkeypatch.setattr("sys.stdin", StringIO("0\n1\n"))
    run(*arguments)
    out = capsys.readouterr().out
    assert "labels.jsonl has 2 labels." in out
    assert "4 labels: 2 first, 1 second, 1 neither." in out
    assert PreferenceSet.load("labels.jsonl").labels.tolist() == [0, 1, -1, 0]


def test_a_killed_page_loses_nothing(folder: Path) -> None:
    """The process is killed while the page shows the third pair."""
    process = start("--labeler", "page", "--n-pairs", "4", "--length", "4")
    assert process.stdout is not None
    url = next(found[0] for line in process.stdout if (found := re.findall(r"http://\S+", line)))
    for number, key in enumerate("10", 1):
        send(url, "GET", f"pair?after={number - 1}")
        send(url, "POST", "answer", f'{{"number": {number}, "key": "{key}"}}')
    send(url, "GET", "pair?after=2")  # the next pair is shown, so the answers are on the disk
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert PreferenceSet.load("labels.jsonl").labels.tolist() == [0, -1]
    assert PreferenceSet.load(label(settings(n_pairs=4))).labels.tolist()[:2] == [0, -1]


def send(url: str, method: str, path: str, body: str | None = None) -> None:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request(method, urlsplit(url).path + path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200
