"""The benchmark of representations: a small run from the command line, its csv, its tables."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rlpriors.envs.atari.ram_annotations import PAPER_GAMES

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(autouse=True)
def _on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(folder: Path, *more: str, fails: bool = False) -> list[str]:
    command = [
        sys.executable,
        str(BENCHMARKS / "probe.py"),
        "--games",
        "Pong",
        "--seeds",
        "0",
        "--epochs",
        "2",
    ]
    command += ["--steps", "640", "--runs", str(folder / "runs"), "--results", str(folder / "probe.csv")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *more], env=env, capture_output=True, text=True, timeout=110)
    assert (done.returncode != 0) == fails, done.stderr
    return (done.stderr if fails else done.stdout).splitlines()


def rows(*entries: tuple[str, str, str, int, float]) -> list[dict[str, str]]:
    """Rows of the csv: game, encoder, readout, seed and weighted F1, alike by both protocols."""
    return [
        {"game": game, "encoder": encoder, "readout": readout, "protocol": protocol, "seed": str(seed)}
        | {"f1_weighted": str(f1), "f1_macro": "0", "accuracy": "0", "steps": "100"}
        for game, encoder, readout, seed, f1 in entries
        for protocol in ("published", "standardized")
    ]


def test_scores_of_other_settings_do_not_go_beside_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.probing import run as benchmark

    for words in (["--repeats"], ["--color", "--epochs", "20"]):
        monkeypatch.setattr(sys, "argv", ["probe.py", *words])
        with pytest.raises(SystemExit):
            benchmark.main()
        told = capsys.readouterr().err
        assert "give another --results, and --runs" in told
        assert all(word in told for word in words if word.startswith("--"))


@pytest.mark.slow
def test_cells_are_files_and_rows_and_are_not_made_twice(tmp_path: Path) -> None:
    from rlpriors.encoders import load_encoder

    load_encoder("nature-cnn", weights="none", device="cpu").save(tmp_path / "pong-0")
    mine = f"mine={tmp_path}/{{game}}-{{seed}}"
    names = ("majority", "supervised", mine, "gone=nowhere")
    told = run(tmp_path, "--encoders", *names, "--supervised-epochs", "1", "--readouts", "own", "mean")
    assert [line.split(":")[0] for line in told[:4]] == [
        *("pong seed 0 majority ", "pong seed 0 supervised (1 epochs) "),
        *("pong seed 0 mine own", "pong seed 0 mine mean"),
    ]
    assert "gone own: left out" in told[4]
    with (tmp_path / "probe.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["encoder"], row["readout"], row["protocol"]) for row in found] == [
        (encoder, readout, protocol)
        for encoder, readout in (
            *(("majority", ""), ("mine", "mean"), ("mine", "own")),
            ("supervised (1 epochs)", ""),
        )
        for protocol in ("published", "standardized")
    ]
    assert {row["steps"] for row in found} == {"640"}
    before = (tmp_path / "probe.csv").read_bytes()
    assert run(tmp_path, "--encoders", "majority", mine, "--readouts", "own", "mean") == []
    assert (tmp_path / "probe.csv").read_bytes() == before
    assert not list((tmp_path / "runs").rglob("frames-*"))
    refused = run(tmp_path, "--encoders", "pixels", "--epochs", "3", fails=True)
    assert "were probed with {'epochs': 2" in refused[-1]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_encoders_are_trained_on_other_episodes_and_go_on(tmp_path: Path) -> None:
    """A cell of gaussian-prior; when its scores are lost, it is not trained again."""
    from rlpriors.data.frames import FrameStore
    from rlpriors.encoders import load_encoder

    more = ["--train", "gaussian-prior", "--train-updates", "50", "--train-steps", "2000", "--keep-frames"]
    name = "gaussian-prior (50 updates, 2000 steps)"
    told = run(tmp_path, "--encoders", "random-cnn", *more, "--readouts", "own")
    assert [line.split(":")[0] for line in told] == ["pong seed 0 random-cnn own", f"pong seed 0 {name} own"]
    with (tmp_path / "probe.csv").open(newline="") as file:
        scores = {
            (row["encoder"], row["protocol"]): float(row["f1_weighted"]) for row in csv.DictReader(file)
        }
    assert {encoder for encoder, _ in scores} == {"random-cnn", name}
    folder = tmp_path / "runs" / "pong" / "seed0"
    training = folder / "trained" / "gaussian-prior-50-2000"
    learnt, start = (
        load_encoder(path, device="cpu") for path in (training / "encoder", folder / "trained/start")
    )
    assert learnt.fingerprint() != start.fingerprint()
    judging = FrameStore.open(folder / "frames-640")
    learning = FrameStore.open(folder / "trained" / "frames-train-2000")
    assert learning.n_frames > 2000
    assert not np.array_equal(learning.frames[:100], judging.frames[:100])

    before = (training / "resume.pt").stat().st_mtime_ns
    cell = next(folder.glob("gaussian*.json"))
    cell.unlink()
    (tmp_path / "probe.csv").unlink()
    run(tmp_path, "--encoders", "random-cnn", *more, "--readouts", "own")
    assert cell.exists()
    assert (training / "resume.pt").stat().st_mtime_ns == before  # it was not trained again


def test_a_training_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.probing import train as probe_train

    from rlpriors.envs.atari.collect import AtariSettings
    from rlpriors.representation import RepresentationLearner

    play = AtariSettings(environments=2, size=(84, 84))
    arguments = ("gaussian-prior", "pong", 0, probe_train.Training(2, 80), play, tmp_path, "cpu")
    update = RepresentationLearner.update

    def dies(self: RepresentationLearner) -> dict[str, float]:
        if self.updates:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(RepresentationLearner, "update", dies)
    with pytest.raises(KeyboardInterrupt):
        probe_train.trained(*arguments)
    monkeypatch.setattr(RepresentationLearner, "update", update)
    published = probe_train.trained(*arguments)
    assert (published / "config.json").is_file()
    assert probe_train.trained(*arguments) == published
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("gauss")] == [
        "gaussian-prior-2-80"
    ]


def test_published_figures_are_those_of_the_papers_games() -> None:
    from benchmarks.probing import report as probe_report

    assert set(probe_report.PUBLISHED) == set(PAPER_GAMES)
    means = np.mean(list(probe_report.PUBLISHED.values()), 0)
    np.testing.assert_allclose(means, [0.16, 0.43, 0.68, 0.82], atol=0.005)  # as printed in the paper


def test_report_writes_means_intervals_and_comparisons_between_its_marks(tmp_path: Path) -> None:
    from benchmarks.probing import report as probe_report

    page = tmp_path / "probe.md"
    marks = [f"<!-- {name} -->\n<!-- end of {name} -->" for name in ("published", "standardized")]
    page.write_text(f"a\n{marks[0]}\nb\n{marks[1]}\n")
    learned = [("pong", "mine", "cls", seed, 0.7) for seed in (0, 1)]
    random = [("pong", "random-cnn", "cls", seed, f1) for seed, f1 in ((0, 0.4), (1, 0.6))]
    told = [("pong", "supervised (100 epochs)", "", seed, 0.9) for seed in (0, 1)]
    told += [("pong", "supervised (10 epochs)", "", seed, 0.8) for seed in (0, 1)]
    other = [("boxing", "random-cnn", "cls", seed, 0.2) for seed in (0, 1)]
    probe_report.report(rows(*learned, *random, *told, *other), page)
    text = page.read_text()
    published, standardized = text.split("b\n<!-- standardized -->")
    assert published.startswith("a\n<!-- published -->")
    names = "random-cnn cls | mine cls | supervised (10 epochs) | supervised (100 epochs)"
    assert f"| game | {names} | majority, published |" in published
    assert "| pong | 0.50 [0.40, 0.60] | 0.70 [0.70, 0.70] | 0.80 [0.80, 0.80] | 0.90 [0.9" in published
    assert "0.90 [0.90, 0.90] | 0.10 | 0.17 | 0.81 | 0.87 |" in published
    assert "| **mean** | 0.35 [0.30, 0.40] | (1 of 2 games) |" in published
    assert "published" not in standardized
    assert "| mine | cls | 1 of 1 games | 0.20 [0.10, 0.30] | 50% (median of 1) |" in standardized
    # A seed that others lack counts for nothing in comparisons, and a mean of fewer says so.
    probe_report.report(rows(*learned, *random, *told, ("pong", "random-cnn", "cls", 2, 0.9)), page)
    text = page.read_text()
    assert "| mine | cls | 1 of 1 games | 0.20 [0.10, 0.30] | 50% (median of 1) |" in text
    assert "| 0.63 [0.40, 0.90] | 0.70 [0.70, 0.70] (seeds 0, 1) |" in text
    probe_report.report(rows(*learned), page)
    assert "random-cnn cls" not in page.read_text()
