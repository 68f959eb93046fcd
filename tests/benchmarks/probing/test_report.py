"""Tables of the probing benchmark, and the published scores."""

from pathlib import Path

import numpy as np
from benchmarks.probing.published import PUBLISHED
from benchmarks.probing.report import report, tables

from rlpriors.envs.atari.ram_annotations import PAPER_GAMES


def rows(*entries: tuple[str, str, str, int, float]) -> list[dict[str, str]]:
    """Return rows of the csv: game, encoder, readout, seed and weighted F1, equal by both protocols."""
    return [
        {"game": game, "encoder": encoder, "readout": readout, "protocol": protocol, "seed": str(seed)}
        | {"f1_weighted": str(f1), "f1_macro": "0", "accuracy": "0", "n_steps": "100"}
        for game, encoder, readout, seed, f1 in entries
        for protocol in ("published", "standardized")
    ]


def test_published_scores_are_those_of_the_papers_games() -> None:
    assert set(PUBLISHED) == set(PAPER_GAMES)
    means = np.mean(list(PUBLISHED.values()), 0)
    np.testing.assert_allclose(means, [0.16, 0.43, 0.68, 0.82], atol=0.005)  # as printed in the paper


def test_a_report_writes_means_intervals_and_comparisons_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "probing.md"
    markers = [f"<!-- {name} -->\n<!-- end of {name} -->" for name in ("published", "standardized")]
    page.write_text(f"a\n{markers[0]}\nb\n{markers[1]}\n")
    trained = [("pong", "mine", "cls", seed, 0.7) for seed in (0, 1)]
    random = [("pong", "random-cnn", "cls", seed, f1) for seed, f1 in ((0, 0.4), (1, 0.6))]
    supervised = [("pong", "supervised (100 epochs)", "", seed, 0.9) for seed in (0, 1)]
    supervised += [("pong", "supervised (10 epochs)", "", seed, 0.8) for seed in (0, 1)]
    other = [("boxing", "random-cnn", "cls", seed, 0.2) for seed in (0, 1)]
    report(rows(*trained, *random, *supervised, *other), page)
    published, standardized = page.read_text().split("b\n<!-- standardized -->")
    assert published.startswith("a\n<!-- published -->")
    lines = published.splitlines()
    assert lines[4:14] == [
        "| encoder | boxing | pong | **mean** |",
        "| --- | ---: | ---: | ---: |",
        "| random-cnn cls | 0.20 [0.20, 0.20] | 0.50 [0.40, 0.60] | 0.35 [0.30, 0.40] |",
        "| mine cls |  | 0.70 [0.70, 0.70] | (1 of 2 games) |",
        "| supervised (10 epochs) |  | 0.80 [0.80, 0.80] | (1 of 2 games) |",
        "| supervised (100 epochs) |  | 0.90 [0.90, 0.90] | (1 of 2 games) |",
        "| majority, published | 0.01 | 0.10 | 0.06 |",
        "| random-cnn, published | 0.19 | 0.17 | 0.18 |",
        "| st-dim, published | 0.58 | 0.81 | 0.70 |",
        "| supervised, published | 0.83 | 0.87 | 0.85 |",
    ]
    assert "published" not in standardized
    assert "| mine | cls | cls | 1 of 1 games | 0.20 [0.10, 0.30] | 50% (median of 1) |" in standardized
    # Comparisons leave out seeds that only one encoder has, and a mean over fewer seeds lists them.
    report(rows(*trained, *random, *supervised, ("pong", "random-cnn", "cls", 2, 0.9)), page)
    text = page.read_text()
    assert "| mine | cls | cls | 1 of 1 games | 0.20 [0.10, 0.30] | 50% (median of 1) |" in text
    assert "| random-cnn cls | 0.63 [0.40, 0.90] | 0.63 [0.40, 0.90] |" in text
    assert "| mine cls | 0.70 [0.70, 0.70] (seeds 0, 1) | 0.70 [0.70, 0.70] |" in text
    report(rows(*trained), page)
    assert "random-cnn cls" not in page.read_text()


def test_many_games_are_split_into_tables_of_six() -> None:
    entries = [(game, "mine", "cls", 0, 0.5) for game in PAPER_GAMES]
    text = tables(rows(*entries), "published", with_published=False)
    headers = [line for line in text.splitlines() if line.startswith("| encoder")]
    assert [header.count("|") - 1 for header in headers] == [7, 7, 7, 6]
    assert [game for header in headers for game in header[2:-2].split(" | ")[1:]] == [
        *sorted(PAPER_GAMES),
        "**mean**",
    ]
