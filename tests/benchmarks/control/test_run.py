"""Control benchmark: cells that are skipped or run, learning curves, and the table."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.control import report, run
from benchmarks.control.cells import COLUMNS, Cell, LearningCurve
from benchmarks.control.observations import OBSERVATIONS, make_encoder
from benchmarks.tables import read_csv
from line_env import Line
from tianshou.env import DummyVectorEnv

FRAMES = np.random.default_rng(0).integers(0, 256, (16, 40, 40, 3), np.uint8)


@pytest.mark.parametrize("name", [name for name in OBSERVATIONS if name != "pixels-unscaled"])
def test_features_are_scaled_over_the_frames(name: str) -> None:
    encoder = make_encoder(name, FRAMES, size=80)
    vectors = encoder.encode(FRAMES)
    assert vectors.shape == (16, *encoder.output_shape)
    np.testing.assert_allclose(vectors.mean(0).abs().max(), 0, atol=1e-3)
    assert 0.5 < float(vectors.std(0).mean()) <= 1.001


def test_pixels_are_the_downsampled_frame() -> None:
    encoder = OBSERVATIONS["pixels"](80).set_readout("cls")
    gray = np.full((1, 40, 40, 3), 51, np.uint8)
    assert encoder.output_shape == (20 * 20 * 3,)
    np.testing.assert_allclose(encoder.encode(gray), np.full((1, 1200), 0.2), atol=1e-6)


def test_unscaled_pixels_have_the_range_of_the_image_and_not_of_the_frames() -> None:
    encoder = make_encoder("pixels-unscaled", np.full((4, 40, 40, 3), 7, np.uint8), size=80)
    for value, expected in ((0, -1.0), (255, 1.0)):
        vectors = encoder.encode(np.full((1, 40, 40, 3), value, np.uint8))
        np.testing.assert_allclose(vectors, np.full((1, 1200), expected), atol=1e-6)


def test_a_learning_curve_has_the_mean_of_finished_episodes() -> None:
    curve = LearningCurve(DummyVectorEnv([Line] * 2), started=0.0, interval=4)
    curve.reset()
    returns = [0.0, 0.0]
    finished: list[float] = []
    expected = []
    for step in range(1, 41):
        _, rew, terminated, truncated, _ = curve.step(np.ones((2, 1)))
        for i in range(2):
            returns[i] += rew[i]
            if terminated[i] or truncated[i]:
                finished.append(returns[i])
                curve.reset([i])
                returns[i] = 0.0
        if step % 2 == 0 and finished:
            expected.append((2 * step, np.mean(finished)))
            finished = []
    assert len(expected) > 2
    assert [(steps, value) for steps, _, value in curve.points] == expected
    seconds = [point[1] for point in curve.points]
    assert seconds == sorted(seconds)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cell_is_trained_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--envs", "InvertedPendulum-v5", "--observations", "pixels", "--seeds", "3"]
    options += ["--env-steps", "1024", "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "c.csv")]
    run.main(options)
    rows = read_csv(tmp_path / "c.csv")
    assert {tuple(row[:4]) for row in rows} == {("InvertedPendulum-v5", "ppo", "pixels", "3")}
    steps = [int(row[4]) for row in rows]
    assert steps == sorted(steps)
    assert 900 < steps[-1] <= 1100
    assert all(float(row[6]) > 0 for row in rows)  # a reward of 1 for each step
    assert "InvertedPendulum-v5 pixels seed 3" in capsys.readouterr().out
    run.main(options)
    assert capsys.readouterr().out == ""
    assert read_csv(tmp_path / "c.csv") == rows


def test_finished_cells_replace_their_rows(tmp_path: Path) -> None:
    cell = Cell("InvertedPendulum-v5", "pixels", 0, 40)
    (tmp_path / cell.file).write_text(json.dumps({**cell._asdict(), "points": [[40, 1.23, 0.5]]}))
    results = tmp_path / "control.csv"
    old = ["InvertedPendulum-v5", "ppo", "pixels", "0", "20", "1.0", "0.1"]
    other = ["InvertedPendulum-v5", "ppo", "pixels", "1", "20", "1.0", "0.1"]
    results.write_text("\n".join(",".join(row) for row in (COLUMNS, old, other)) + "\n")
    run.collect_results(tmp_path, results)
    assert read_csv(results) == [["InvertedPendulum-v5", "ppo", "pixels", "0", "40", "1.2", "0.5"], other]


def test_returns_at_equal_time_use_the_time_of_the_fastest() -> None:
    rows = [
        *(["a", "ppo", "pixels", "0", str(10 * i), str(i), str(i)] for i in range(1, 5)),
        *(["a", "ppo", "encoded", "0", str(10 * i), str(2 * i), str(10 * i)] for i in range(1, 5)),
    ]
    # pixels takes 4 seconds; encoded has made 2 of its 4 points by then, and the last quarter is one point
    lines = report.table(rows).splitlines()
    assert lines[2] == "| a | encoded | 1 | 40 | 40.00 | 8 | 20.00 |"
    assert lines[3] == "| a | pixels | 1 | 40 | 4.00 | 4 | 4.00 |"
