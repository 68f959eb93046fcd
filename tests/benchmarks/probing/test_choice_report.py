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
    imagenet = {key: found for key, found in networks.items() if key[1].startswith("imagenet")}
    assert all(networks[key[0], "random, calibrated", key[2]] >= found for key, found in imagenet.items())
    for network, weights in {key[:2] for key in networks}:
        lines = max(f for key, f in networks.items() if key[:2] == (network, weights) and "lines" in key[2])
        assert lines > networks[network, weights, "global"]
    assert rows_of(choice_report.speed_table())[0][0] == "nature-cnn"
