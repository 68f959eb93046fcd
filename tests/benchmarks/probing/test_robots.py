"""Positions and velocities of robots: one cell on real frames, the pairs of frames, and the tables."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.probing import robots
from benchmarks.probing.robots_report import table
from benchmarks.tables import read_csv

pytest.importorskip("mujoco")


def test_pairs_stay_within_episodes() -> None:
    features = np.arange(5.0)[:, None]
    pairs = robots.join_previous(features, np.array([2, 3]))
    assert pairs.tolist() == [[0, 0], [0, 1], [2, 2], [2, 3], [3, 4]]


def test_the_command_probes_positions_and_velocities_and_skips_finished_cells(tmp_path: Path, capsys) -> None:
    arguments = ["--envs", "InvertedPendulum-v5", "--encoders", "pixels", "--seeds", "0", "--n-steps", "300"]
    arguments += ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "robots.csv")]
    robots.main(arguments)
    rows = read_csv(tmp_path / "robots.csv")
    assert [row[-2] for row in rows] == ["positions", "velocities"]
    positions, velocities = (float(row[-1]) for row in rows)
    assert positions > 0.9 > 0.3  # the cart and the pole are visible
    assert 0 <= velocities <= 1
    assert rows[0][6] == str(2 * 20 * 20 * 3)  # two frames of 20 x 20 pixels in color
    assert "InvertedPendulum-v5 seed 0 pixels" in capsys.readouterr().out
    robots.main(arguments)
    assert capsys.readouterr().out == ""


def test_long_vectors_are_projected(tmp_path: Path) -> None:
    subject = robots.Subject("contrast-filters", readout="lines")
    found = robots.run_cell(robots.Cell("InvertedPendulum-v5", 0, subject), tmp_path, 120)
    assert found["dim"] == 2 * robots.MAX_DIM


def test_the_table_has_the_best_encoder_first() -> None:
    rows = [
        ["Hopper-v5", "pixels", "none", "none", "", seed, "800", "positions", r2]
        for seed, r2 in (("0", "0.5"), ("1", "0.7"))
    ]
    rows.append(["Hopper-v5", "lite0", "imagenet", "calibrated", "cls", "0", "1024", "positions", "0.9"])
    rows.append(["Hopper-v5", "lite0", "imagenet", "calibrated", "cls", "0", "1024", "velocities", "0.1"])
    assert table(rows, "positions").splitlines() == [
        "| encoder | weights | readout | Hopper | mean |",
        "| --- | --- | --- | ---: | ---: |",
        "| lite0 | ImageNet, calibrated | cls | 0.90 | 0.90 |",
        "| pixels |  |  | 0.60 [0.50, 0.70] | 0.60 |",
    ]
