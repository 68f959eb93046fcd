"""Tables of the guide "which encoder and readout": those of the csv files, and the claims of its text."""

import shutil
from pathlib import Path

from benchmarks.probing import choice_report


def test_the_page_has_the_tables_of_the_csv_files(tmp_path: Path) -> None:
    """If it fails, run `python -m benchmarks.probing.choice_report`."""
    copy = tmp_path / "which_encoder.md"
    shutil.copy(choice_report.PAGE, copy)
    choice_report.report(copy)
    assert copy.read_text() == choice_report.PAGE.read_text()


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def test_the_claims_of_the_text_hold() -> None:
    games = {(row[0], row[1]): float(row[2]) for row in rows_of(choice_report.game_table())}
    assert max(games, key=lambda subject: games[subject])[0] == "rlpriors/atari-filters"
    for readout in ("default", "mean", "grid(4)"):
        assert games["random-cnn", readout] > games["rlpriors/atari-small", readout]
    by_game: dict[tuple[str, str], list[float]] = {}
    for row in choice_report.read("probing"):
        if row["encoder"] == "random-cnn" and row["protocol"] == choice_report.PROTOCOL:
            by_game.setdefault((row["game"], row["readout"]), []).append(float(row["f1_weighted"]))
    means = {key: sum(found) / len(found) for key, found in by_game.items()}
    names = {game for game, _ in means}
    assert len(names) == 6
    assert all(means[game, "grid(4)"] > means[game, "default"] for game in names)

    networks = {tuple(row[:3]): float(row[3]) for row in rows_of(choice_report.network_table())}
    for network, weights in {key[:2] for key in networks}:
        lines = max(f for key, f in networks.items() if key[:2] == (network, weights) and "lines" in key[2])
        assert lines > networks[network, weights, "global"]
    lite0 = "efficientnet-lite0"
    for bn in ("", ", calibrated"):
        weights_gain = networks[lite0, f"imagenet{bn}", "global"] - networks[lite0, f"random{bn}", "global"]
        imagenet = [networks[lite0, f"imagenet{bn}", readout] for readout in ("lines at 16", "global")]
        assert imagenet[0] - imagenet[1] > abs(weights_gain)
    assert rows_of(choice_report.speed_table())[0][0] == "nature-cnn"


def test_the_claims_about_robots_hold() -> None:
    robots = {tuple(row[:3]): float(row[3]) for row in rows_of(choice_report.robot_table())}
    assert max(robots, key=lambda subject: robots[subject])[::2] == ("efficientnet-lite0", "grid(4) at 16")
    for (encoder, weights, readout), r2 in robots.items():
        if weights == "random, calibrated":
            assert robots[encoder, "imagenet, calibrated", readout] > r2
            assert robots[encoder, "imagenet", readout] > r2
    scores: dict[tuple[str, str], list[float]] = {}
    for row in choice_report.read("robots"):
        if row["readout"] == "grid(4) at 16" and row["target"] == "positions":
            scores.setdefault((row["env"], row["weights"]), []).append(float(row["r2"]))
    means = {key: sum(found) / len(found) for key, found in scores.items()}
    assert len(means) == 8
    assert all(means[env, "imagenet"] > means[env, "none"] for env, _ in means)
