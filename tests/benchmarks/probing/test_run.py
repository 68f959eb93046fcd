"""The command of the probing benchmark: refusals, cells and csv."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.probing import run as benchmark

ROOT = Path(__file__).parents[3]


def run(folder: Path, *more: str, fails: bool = False) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.probing.run", "--games", "Pong", "--seeds", "0"]
    command += ["--epochs", "2", "--n-steps", "640", "--runs", str(folder / "runs")]
    command += ["--results", str(folder / "probing.csv")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *more], env=env, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert (done.returncode != 0) == fails, done.stderr
    return (done.stderr if fails else done.stdout).splitlines()


def test_scores_with_other_settings_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--repeats"], ["--color", "--epochs", "20"]):
        monkeypatch.setattr(sys, "argv", ["run", *words])
        with pytest.raises(SystemExit):
            benchmark.main()
        output = capsys.readouterr().err
        assert "pass another --results, and --runs" in output
        assert all(word in output for word in words if word.startswith("--"))


@pytest.mark.slow
def test_cells_are_files_and_rows_and_none_runs_twice(tmp_path: Path) -> None:
    from rlpriors.encoders import load_encoder

    load_encoder("nature-cnn", weights="none", device="cpu").save(tmp_path / "pong-0")
    mine = f"mine={tmp_path}/{{game}}-{{seed}}"
    names = ("majority", "supervised", mine, "gone=nowhere")
    output = run(tmp_path, "--encoders", *names, "--supervised-epochs", "1", "--readouts", "default", "mean")
    assert [line.split(":")[0] for line in output[:4]] == [
        *("pong seed 0 majority ", "pong seed 0 supervised (1 epochs) "),
        *("pong seed 0 mine default", "pong seed 0 mine mean"),
    ]
    assert "gone default: skipped" in output[4]
    with (tmp_path / "probing.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["encoder"], row["readout"], row["protocol"]) for row in rows] == [
        (encoder, readout, protocol)
        for encoder, readout in (
            *(("majority", ""), ("mine", "default"), ("mine", "mean")),
            ("supervised (1 epochs)", ""),
        )
        for protocol in ("published", "standardized")
    ]
    assert {row["n_steps"] for row in rows} == {"640"}
    before = (tmp_path / "probing.csv").read_bytes()
    assert run(tmp_path, "--encoders", "majority", mine, "--readouts", "default", "mean") == []
    assert (tmp_path / "probing.csv").read_bytes() == before
    assert not list((tmp_path / "runs").rglob("frames-*"))
    refused = run(tmp_path, "--encoders", "pixels", "--epochs", "3", fails=True)
    assert "were probed with {'epochs': 2" in refused[-1]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_encoders_are_trained_once_and_on_other_episodes(tmp_path: Path) -> None:
    """A cell of gaussian-prior; when its scores are lost, it is not trained again."""
    from rlpriors.data.frames import FrameStore
    from rlpriors.encoders import load_encoder

    more = ["--train", "gaussian-prior", "--train-updates", "50", "--train-steps", "2000", "--keep-frames"]
    name = "gaussian-prior (50 updates, 2000 steps)"
    output = run(tmp_path, "--encoders", "random-cnn", *more, "--readouts", "default")
    assert [line.split(":")[0] for line in output] == [
        "pong seed 0 random-cnn default",
        f"pong seed 0 {name} default",
    ]
    with (tmp_path / "probing.csv").open(newline="") as file:
        scores = {
            (row["encoder"], row["protocol"]): float(row["f1_weighted"]) for row in csv.DictReader(file)
        }
    assert {encoder for encoder, _ in scores} == {"random-cnn", name}
    folder = tmp_path / "runs" / "pong" / "seed0"
    training = folder / "trained" / "gaussian-prior-50-2000"
    trained, start = (
        load_encoder(path, device="cpu") for path in (training / "encoder", folder / "trained/start")
    )
    assert trained.fingerprint() != start.fingerprint()
    probed = FrameStore.open(folder / "frames-640")
    training_frames = FrameStore.open(folder / "trained" / "frames-train-2000")
    assert training_frames.n_frames > 2000
    assert not np.array_equal(training_frames.frames[:100], probed.frames[:100])

    before = (training / "resume.pt").stat().st_mtime_ns
    cell = next(folder.glob("gaussian*.json"))
    cell.unlink()
    (tmp_path / "probing.csv").unlink()
    run(tmp_path, "--encoders", "random-cnn", *more, "--readouts", "default")
    assert cell.exists()
    assert (training / "resume.pt").stat().st_mtime_ns == before  # it was not trained again
