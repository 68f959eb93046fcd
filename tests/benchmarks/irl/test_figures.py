"""Figures of reward learning: rows, curves, sizes and colors."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from rlpriors.evaluation.intervals import bootstrap_interval


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the list of all drawn figures, which are not closed when they are saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(plt, "close", figures.append)
    return figures


def rows(
    environment: str, method: str, metric: str, *values: float, n_demonstrations: int = 20
) -> list[list[str]]:
    """Return rows of the csv with a seed for each value."""
    return [
        [environment, method, str(s), str(n_demonstrations), metric, str(value)]
        for s, value in enumerate(values)
    ]


def test_methods_have_the_order_of_the_table_with_means_and_intervals(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.figures import draw_methods
    from benchmarks.irl.scores import read_scores

    seeds = (0.2, 0.4, 0.9)
    table = rows("umaze", "bc", "success", 1.0) + rows("umaze", "contrastive", "success", *seeds)
    table += rows("umaze", "contrastive", "epic", 0.25) + rows("umaze", "contrastive", "seconds", 9.0)
    table += rows("umaze", "few", "success", 0.5, n_demonstrations=5) + rows("hopper", "bc", "success", 0.0)
    scores = read_scores(table)["umaze"]
    draw_methods(scores, ("unguided", "contrastive", "few", "bc"), tmp_path / "a.png", "umaze")
    success, epic = drawn[0].axes
    assert [axis.get_title() for axis in (success, epic)] == ["success", "EPIC (0 is best)"]
    # From above, as the axis runs down; what was not run with 20 demonstrations has no line.
    assert [label.get_text() for label in success.get_yticklabels()] == ["contrastive", "bc"]
    assert success.yaxis_inverted()
    lines = [line.get_xydata().tolist() for line in success.lines]
    expected = bootstrap_interval(np.array(seeds), np.random.default_rng(0), "mean")
    assert lines[0] == [[expected.low, 0.0], [expected.high, 0.0]]
    assert lines[1] == [[pytest.approx(0.5), 0.0]]
    assert lines[2:] == [[[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]]]
    assert [line.get_xydata().tolist() for line in epic.lines][-1] == [[0.25, 0.0]]


def test_each_panel_shows_the_first_metric_that_exists(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.figures import draw_methods
    from benchmarks.irl.scores import read_scores

    metrics = ("rl_normalized_same", "normalized", "return", "pearson_distance", "spearman", "seconds")
    scores = read_scores([row for metric in metrics for row in rows("hopper", "gail", metric, 0.5)])["hopper"]
    draw_methods(scores, ("gail",), tmp_path / "a.png", "hopper")
    assert [axis.get_title() for axis in drawn[0].axes] == [
        "normalized",
        "Spearman",
        "Pearson distance (0 is best)",
        "RL, normalized",
    ]
    draw_methods(
        read_scores(rows("hopper", "gail", "seconds", 1.0))["hopper"], ("gail",), tmp_path / "b.png", "hopper"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]  # nothing to draw, nothing drawn


def test_curves_need_several_numbers_of_demonstrations(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.figures import draw_demonstrations
    from benchmarks.irl.scores import read_scores

    table = rows("umaze", "bc", "success", 0.0, 1.0, n_demonstrations=5) + rows("umaze", "bc", "success", 1.0)
    table += rows("umaze", "bc", "spearman", 0.5) + rows("umaze", "sqil", "success", 0.5)
    draw_demonstrations(read_scores(table)["umaze"], tmp_path / "a.png", "umaze")
    (success,) = drawn[0].axes  # no curve of Spearman's, which one number of demonstrations has
    assert [line.get_label() for line in success.lines] == ["bc"]
    assert success.lines[0].get_xydata().tolist() == [[5.0, 0.5], [20.0, 1.0]]


def test_a_full_report_draws_figures_of_the_width_of_a_page(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.methods import MAIN
    from benchmarks.irl.report import report

    rng = np.random.default_rng(0)
    table = [
        row
        for method in MAIN
        for metric in ("success", "spearman", "epic", "rl_success_same")
        for row in rows("umaze", method, metric, *rng.random(5))
    ]
    table += rows("umaze", "bc", "success", 0.5, 0.75, n_demonstrations=5)
    report(table, tmp_path, MAIN)
    pictures = {path.name: path for path in (tmp_path / "images").iterdir()}
    assert set(pictures) == {"irl-umaze.png", "irl-umaze-demonstrations.png"}
    for picture in pictures.values():
        assert picture.stat().st_size < 100_000
        assert plt.imread(picture).shape[1] == 900
    methods = drawn[-1]
    assert [label.get_text() for label in methods.axes[0].get_yticklabels()] == list(MAIN)
    heights = [label.get_window_extent().height for label in methods.axes[0].get_yticklabels()]
    assert min(heights) > 9  # pixels: to be read without enlarging


def test_colors_of_curves_differ_with_red_green_blindness(drawn) -> None:
    """Colors as seen with deuteranopia (Machado et al. 2009); matplotlib's default colors fail, with 0.14."""
    from benchmarks.irl.figures import COLORS
    from matplotlib.colors import to_rgb

    deuteranopia = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    colors = np.array([to_rgb(color) for color in COLORS]) @ deuteranopia.T
    distances = np.linalg.norm(colors[:, None] - colors[None], axis=2)
    assert distances[~np.eye(len(colors), dtype=bool)].min() > 0.2
