"""The figures of reward learning: who stands where in them, and that a page can show them."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from rlpriors.evaluation.intervals import bootstrap_interval

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, also after they were saved."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    figures: list[Figure] = []
    monkeypatch.setattr(plt, "close", figures.append)
    return figures


def rows(world: str, method: str, metric: str, *values: float, demos: int = 20) -> list[list[str]]:
    """What the csv says of so many seeds."""
    return [[world, method, str(s), str(demos), metric, str(value)] for s, value in enumerate(values)]


def test_methods_stand_in_the_tables_order_with_their_means_and_intervals(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.figures import draw_methods
    from benchmarks.irl.scores import read

    seeds = (0.2, 0.4, 0.9)
    table = rows("umaze", "bc", "success", 1.0) + rows("umaze", "contrastive", "success", *seeds)
    table += rows("umaze", "contrastive", "epic", 0.25) + rows("umaze", "contrastive", "seconds", 9.0)
    table += rows("umaze", "few", "success", 0.5, demos=5) + rows("hopper", "bc", "success", 0.0)
    scores = read(table)["umaze"]
    draw_methods(scores, ("unguided", "contrastive", "few", "bc"), tmp_path / "a.png", "umaze")
    success, epic = drawn[0].axes
    assert [axis.get_title() for axis in (success, epic)] == ["success", "EPIC (0 is best)"]
    # From above, as the axis runs down; what was not run with 20 demonstrations has no line.
    assert [label.get_text() for label in success.get_yticklabels()] == ["contrastive", "bc"]
    assert success.yaxis_inverted()
    lines = [line.get_xydata().tolist() for line in success.lines]
    found = bootstrap_interval(np.array(seeds), np.random.default_rng(0), "mean")
    assert lines[0] == [[found.low, 0.0], [found.high, 0.0]]
    assert lines[1] == [[pytest.approx(0.5), 0.0]]
    assert lines[2:] == [[[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]]]
    assert [line.get_xydata().tolist() for line in epic.lines][-1] == [[0.25, 0.0]]


def test_a_world_shows_of_each_kind_the_metric_that_it_has(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.figures import draw_methods
    from benchmarks.irl.scores import read

    metrics = ("rl_normalized_same", "normalized", "return", "pearson_distance", "spearman", "seconds")
    scores = read([row for metric in metrics for row in rows("hopper", "gail", metric, 0.5)])["hopper"]
    draw_methods(scores, ("gail",), tmp_path / "a.png", "hopper")
    assert [axis.get_title() for axis in drawn[0].axes] == [
        "normalized",
        "Spearman",
        "Pearson distance (0 is best)",
        "RL, normalized",
    ]
    draw_methods(
        read(rows("hopper", "gail", "seconds", 1.0))["hopper"], ("gail",), tmp_path / "b.png", "hopper"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]  # nothing to draw, nothing drawn


def test_curves_are_of_what_was_run_with_several_numbers_of_demonstrations(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.figures import draw_demonstrations
    from benchmarks.irl.scores import read

    table = rows("umaze", "bc", "success", 0.0, 1.0, demos=5) + rows("umaze", "bc", "success", 1.0)
    table += rows("umaze", "bc", "spearman", 0.5) + rows("umaze", "sqil", "success", 0.5)
    draw_demonstrations(read(table)["umaze"], tmp_path / "a.png", "umaze")
    (success,) = drawn[0].axes  # no curve of Spearman's, which one number of demonstrations has
    assert [line.get_label() for line in success.lines] == ["bc"]
    assert success.lines[0].get_xydata().tolist() == [[5.0, 0.5], [20.0, 1.0]]


def test_a_full_report_leaves_pictures_that_a_page_can_show(tmp_path: Path, drawn) -> None:
    from benchmarks.irl.report import report
    from benchmarks.irl.run import MAIN

    rng = np.random.default_rng(0)
    table = [
        row
        for method in MAIN
        for metric in ("success", "spearman", "epic", "rl_success_same")
        for row in rows("umaze", method, metric, *rng.random(5))
    ]
    table += rows("umaze", "bc", "success", 0.5, 0.75, demos=5)
    report(table, tmp_path, MAIN)
    pictures = {path.name: path for path in (tmp_path / "images").iterdir()}
    assert set(pictures) == {"irl-umaze.png", "irl-umaze-demonstrations.png"}
    for picture in pictures.values():
        assert picture.stat().st_size < 60_000
        assert plt.imread(picture).shape[1] == 900
    methods = drawn[-1]
    assert [label.get_text() for label in methods.axes[0].get_yticklabels()] == list(MAIN)
    heights = [label.get_window_extent().height for label in methods.axes[0].get_yticklabels()]
    assert min(heights) > 9  # pixels: to be read without enlarging


def test_no_two_colors_of_curves_look_alike_to_who_confuses_red_and_green(drawn) -> None:
    """By what deuteranopes see (Machado et al. 2009); matplotlib's usual colors fail, by 0.14."""
    from benchmarks.irl.figures import COLORS
    from matplotlib.colors import to_rgb

    seen = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    colors = np.array([to_rgb(color) for color in COLORS]) @ seen.T
    apart = np.linalg.norm(colors[:, None] - colors[None], axis=2)
    assert apart[~np.eye(len(colors), dtype=bool)].min() > 0.2
