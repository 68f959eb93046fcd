"""PEARL's comparison: shared passes equal the readouts of the library, cells, csv and tables."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.probing import pearl
from benchmarks.probing import pearl_features as features
from benchmarks.probing.pearl_report import COLUMNS, report

from rlpriors.encoders import load_encoder
from rlpriors.evaluation.probing.baselines import random_cnn

RANDOM_LITE0 = features.PearlEncoder(features.LITE0, "random", "original")
RANDOM_CNN = features.PearlEncoder(features.RANDOM_CNN, "random")


@pytest.fixture(scope="module")
def probed() -> features.ProbedFrames:
    """Return three frames in which a square moves, and the frames before."""
    frames = np.random.default_rng(0).integers(60, size=(4, 210, 160, 1), dtype=np.uint8)
    for i in range(4):
        frames[i, 40 * i : 40 * i + 20, 30 * i : 30 * i + 20] = 200
    return features.ProbedFrames(frames[1:], frames[:-1])


def vectors(
    encoder: features.PearlEncoder, part: str, probed: features.ProbedFrames
) -> dict[str, np.ndarray]:
    networks = features.Networks(lambda: probed.frames)
    made = features.make_features(encoder, part, probed, networks, seed=0)
    assert tuple(made) == encoder.readouts(part)
    return {name: make() for name, make in made.items()}


@pytest.mark.slow
@pytest.mark.parametrize("part", features.PARTS)
def test_shared_passes_equal_the_readouts_of_the_library(part: str, probed: features.ProbedFrames) -> None:
    pytest.importorskip("openvino")
    for name, vector in vectors(RANDOM_LITE0, part, probed).items():
        readout, _, stride = name.partition(" at ")
        encoder = load_encoder(
            features.LITE0,
            weights="none",
            readout="cls" if readout == "global" else readout,
            stride=int(stride) if stride else None,
            input_size=features.CROP_SIZE if part == "crops" else features.SIZE,
            device="cpu",
        )
        expected = encoder.encode(probed.frames, probed.previous).numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-3 * expected.std(), err_msg=name)


@pytest.mark.parametrize("part", features.PARTS)
def test_networks_without_strides_have_the_same_readouts(part: str, probed: features.ProbedFrames) -> None:
    size = features.CROP_SIZE if part == "crops" else features.SIZE
    for name, vector in vectors(RANDOM_CNN, part, probed).items():
        encoder = random_cnn((*size, 1), seed=0, device="cpu")
        encoder.set_readout("cls" if name == "global" else name)
        expected = encoder.encode(probed.frames, probed.previous).numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5, err_msg=name)


def test_long_vectors_are_projected_and_short_ones_kept() -> None:
    long = np.random.default_rng(0).normal(size=(40, 3000)).astype(np.float32)
    short = features.shorten(long)
    assert short.shape == (40, features.MAX_DIM)
    ratios = (short**2).sum(1) / (long**2).sum(1)
    np.testing.assert_allclose(ratios, 1, atol=0.25)  # four standard deviations, sqrt(2 / 512) each
    assert features.shorten(short) is short


def test_large_numbers_do_not_hide_others_if_vectors_are_standardized() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(2, size=400).astype(np.float32)
    long = rng.normal(size=(400, 600)).astype(np.float32)
    long[:, :300] = level[:, None]
    long[:, 300] *= 1e4
    train = np.arange(300)
    spreads = []
    for rows in (None, train):
        short = features.shorten(long, rows)
        between = short[level == 1].mean(0) - short[level == 0].mean(0)
        spreads.append(np.abs(between / short.std(0)).mean())
    assert spreads[0] < 0.2 < 1 < spreads[1]


def test_tables_by_hand(tmp_path: Path) -> None:
    page = tmp_path / "pearl.md"
    names = ("published", "standardized", "games, published", "games, standardized", "speed")
    page.write_text("\n".join(f"<!-- {name} -->\n<!-- end of {name} -->" for name in names))
    scores = {
        ("imagenet", "calibrated", "global"): (0.5, 0.3),
        ("random", "calibrated", "global"): (0.4, 0.4),
        ("imagenet", "calibrated", "lines at 16"): (0.8, 0.6),
    }
    rows = [
        [*(game, features.LITE0, weights, bn, readout), "512", "standardized", "0", str(f1), "40.2"]
        for (weights, bn, readout), values in scores.items()
        for game, f1 in zip(("pong", "qbert"), values, strict=True)
    ]
    report(
        [*rows, ["pong", "random-cnn", "random", "none", "global", "256", "standardized", "0", "0.2", ""]],
        page,
    )
    text = page.read_text()
    assert "Games: pong, qbert. Seeds: 0." in text
    assert "| global |  |  | 0.400 | 0.400 |  | 0.200 (1 of 2) |" in text
    assert "| global |  | +0.000 [-0.100, +0.100], 1 of 2 |  |  |" in text
    assert "| lines at 16 |  |  | +0.300 [+0.300, +0.300], 2 of 2 |  |  |  |" in text
    assert "| pong | 0.500 | 0.400 | 0.200 |\n| qbert | 0.300 | 0.400 |  |" in text
    assert "| lines at 16 | 40 |" in text


@pytest.mark.slow
def test_cells_are_files_and_rows_and_none_runs_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["pearl", "--games", "Pong", "--n-steps", "240", "--epochs", "1", "--encoders", "random-cnn"]
    command += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "pearl.csv")]

    def run(*more: str) -> str:
        monkeypatch.setattr(sys, "argv", [*command, *more])
        pearl.main()
        return capsys.readouterr().out

    assert run().count("pong seed 0 random-cnn random none") == 6  # the readouts of the random network
    with (tmp_path / "pearl.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["readout"] for row in rows} == {name for part in features.PARTS.values() for name in part}
    assert len(rows) == 12
    assert {row["dim"] for row in rows} == {"256", "512"}
    assert "pong seed" not in run()
    with pytest.raises(ValueError, match="pass another --runs"):
        run("--epochs", "2")
