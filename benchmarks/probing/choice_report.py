"""Tables of the guide "which encoder and readout", from the csv files alone.

    python -m benchmarks.probing.choice_report

`report`  tables of scores and speeds, printed and written to the page
"""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.tables import make_parser, markdown, replace_section

__all__ = ["PAGE", "report"]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "guides" / "which_encoder.md"
PROTOCOL, N_STEPS = "standardized", "10000"
SPEED_NAMES = {"random-cnn": "atari-cnn"}  # the same network
BACKENDS = ("torch", "openvino")
TARGETS = ("positions", "velocities")
LARGE = ("84", "224")  # input sizes of networks without a size of their own


def report(page: Path = PAGE) -> None:
    """Print the tables, and write them to the page."""
    for name, table in (
        ("games", game_table()),
        ("pretrained networks", network_table()),
        ("robots", robot_table()),
        ("speed", speed_table()),
    ):
        replace_section(page, name, table)
        print(f"{name}\n\n{table}\n")


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a csv."""
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def game_table() -> str:
    """Return weighted F1 by encoder and readout, over the games that all of them have, the best first."""
    scores: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in read("probing"):
        if row["protocol"] == PROTOCOL and row["n_steps"] == N_STEPS:
            scores[row["encoder"], row["readout"]][row["game"]].append(float(row["f1_weighted"]))
    games = sorted(set.intersection(*(set(by_game) for by_game in scores.values())))
    speeds = {
        row["encoder"]: row["frames_per_s"]
        for row in read("encode")
        if (row["case"], row["backend"], row["size"], row["n_envs"]) == ("wrapper", "torch", "0", "16")
    }
    lines = [["encoder", "readout", f"F1, mean of {', '.join(games)}", "frames/s"]]
    means = {
        subject: float(np.mean([np.mean(by_game[game]) for game in games]))
        for subject, by_game in scores.items()
    }
    for encoder, readout in sorted(means, key=lambda subject: -means[subject]):
        speed = speeds.get(SPEED_NAMES.get(encoder, encoder), "") if readout == "default" else ""
        shown = f"{float(speed):.0f}" if speed else ""
        readout_text = f"`{readout}`" if readout else ""
        lines.append([f"`{encoder}`", readout_text, f"{means[encoder, readout]:.3f}", shown])
    return markdown(lines, 2)


def network_table() -> str:
    """Return weighted F1 and speed of networks and readouts of 512 numbers, the best first.

    F1 is the mean over the games that all of them have.
    """
    scores: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    speeds: dict[tuple[str, ...], str] = {}
    for row in read("pearl"):
        if row["protocol"] == PROTOCOL:
            subject = row["encoder"], row["weights"], row["bn"], row["readout"]
            scores[subject][row["game"]].append(float(row["f1_weighted"]))
            speeds[subject] = row["frames_per_s"]
    games = sorted(set.intersection(*(set(by_game) for by_game in scores.values())))
    means = {
        name: float(np.mean([np.mean(by_game[game]) for game in games])) for name, by_game in scores.items()
    }
    lines = [["network", "weights", "readout", f"F1, mean of {len(games)} games", "frames/s"]]
    for subject in sorted(means, key=lambda name: -means[name]):
        encoder, weights, bn, readout = subject
        calibrated = ", calibrated" if bn == "calibrated" else ""
        shown = "built in" if encoder.startswith("rlpriors/") else f"{weights}{calibrated}"
        speed = f"{float(speeds[subject]):.0f}" if speeds[subject] else ""
        lines.append([f"`{encoder}`", shown, f"`{readout}`", f"{means[subject]:.3f}", speed])
    return markdown(lines, 3)


def robot_table() -> str:
    """Return R2 of positions and velocities of robots by encoder and readout, the best first."""
    scores: dict[tuple[str, ...], dict[str, dict[str, list[float]]]] = {}
    for row in read("robots"):
        subject = row["encoder"], row["weights"], row["bn"], row["readout"]
        by_env = scores.setdefault(subject, {}).setdefault(row["target"], defaultdict(list))
        by_env[row["env"]].append(float(row["r2"]))
    means = {
        subject: [float(np.mean([np.mean(found) for found in by_target[name].values()])) for name in TARGETS]
        for subject, by_target in scores.items()
    }
    lines = [["encoder", "weights", "readout", *(f"R2 of {name}" for name in TARGETS)]]
    for subject in sorted(means, key=lambda name: -means[name][0]):
        encoder, weights, bn, readout = subject
        shown = "random" if weights == "none" else weights
        shown = "" if encoder == "pixels" else shown + (", calibrated" if bn == "calibrated" else "")
        cells = [f"`{encoder}`", shown, f"`{readout}`" if readout else ""]
        lines.append([*cells, *(f"{value:.2f}" for value in means[subject])])
    return markdown(lines, 3)


def speed_table() -> str:
    """Return frames per second of 16 environments by encoder and backend, the fastest first."""
    speeds: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in read("encode"):
        if row["case"] == "wrapper" and row["n_envs"] == "16" and row["backend"] in BACKENDS:
            speeds[row["encoder"], row["size"]][row["backend"]] = float(row["frames_per_s"])
    lines = [["encoder", "input", "torch", "OpenVINO"]]
    for encoder, size in sorted(speeds, key=lambda subject: -max(speeds[subject].values())):
        cells = [f"{found:.0f}" if found else "" for found in map(speeds[encoder, size].get, BACKENDS)]
        lines.append([f"`{encoder}`", f"{size} x {size}" if size in LARGE else "its own", *cells])
    return markdown(lines, 2)


def main() -> None:
    """Run the command."""
    make_parser(__doc__).parse_args()
    report()


if __name__ == "__main__":
    main()
