"""Trains the encoder that ships: one network for many Atari games, from play without labels.

    python -m benchmarks.ship_atari --method st-dim --updates 50000 --device cuda
    python -m benchmarks.ship_atari --hold-out pong breakout --name atari-small-but-two
    python -m benchmarks.ship_atari ... --probe benchmarks/results/probe.csv

Each of AtariARI's 22 games is played for `--steps` steps at random, actions being repeated most of the
time, in gray as the console draws it; `--hold-out` leaves games out, on which the encoder can then be
judged as on games that nobody saw.  One network learns from all of them, and goes to
src/rlpriors/encoders/pretrained/<name> in half precision, with a card that names this command.
`--method none` leaves the network as it starts: the control.  `--whiten` ends with features that are
uncorrelated within each game, whatever the method.

The command may be stopped at any time and given again.  The third form adds to the card what
`probe.py --encoders rlpriors/<name>` found; nothing is trained anew.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from benchmarks.probing.report import tables
from benchmarks.probing.run import read_rows
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones.bundled import PREFIX, PRETRAINED, publish
from rlpriors.envs.atari.collect import AtariSettings, collect
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES, game_name
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS
from rlpriors.representation.losses.whitening import whiten
from rlpriors.scripts.pretrain.run import APART, find_recipe, pretrain
from rlpriors.scripts.pretrain.settings import PretrainSettings

SIZE = (210, 160)
CONTROLS = ("majority", "random-cnn", "supervised", "st-dim")
"""What the encoders are called that stand beside it, or begin with where they say how long they learned."""
MAKING = (
    *("name", "method", "encoder", "readout", "updates", "batch_size", "one_store", "whiten", "steps"),
    *("hold_out", "amp", "seed"),
)
"""Options that what comes out depends on."""
LEARNING = ("updates", "batch_size", "one_store", "amp")
"""Those of them that `--method none` has no use for."""


def play(games: Sequence[str], args: argparse.Namespace) -> list[FrameStore]:
    """Frames of every game; those that are there are not played again."""
    settings = AtariSettings(policy="sticky", size=SIZE, environments=min(8, args.steps))
    stores = []
    for game in games:
        folder = args.runs / "frames" / f"{game}-{args.steps}-seed{args.seed}"
        stores.append(
            collect(game, args.steps, args.seed + APART, folder, settings, processes=args.processes)
        )
    return stores


def train(stores: Sequence[FrameStore], args: argparse.Namespace) -> Path:
    """The folder of the trained encoder; a training that was stopped goes on."""
    if args.method == "none":
        start = load_encoder(args.encoder, weights="none", readout=args.readout, device="cpu", seed=args.seed)
        start.save(args.runs / f"{args.name}-seed{args.seed}" / "encoder")
        return args.runs / f"{args.name}-seed{args.seed}" / "encoder"
    settings = PretrainSettings(
        method=args.method,
        data=tuple(store.folder for store in stores),
        encoder=args.encoder,
        readout=args.readout,
        updates=args.updates,
        batch_size=args.batch_size,
        one_store=args.one_store,
        amp=args.amp,
        resident=args.resident,
        seed=args.seed,
        device=args.device,
    )
    run = args.runs / f"{args.name}-seed{args.seed}"
    return pretrain(settings, folder=run, resume=(run / "settings.json").exists()) / "encoder"


def command(args: argparse.Namespace) -> str:
    """What to type for the same encoder."""
    words = ["python", "-m", "benchmarks.ship_atari"]
    for name in MAKING:
        value = None if args.method == "none" and name in LEARNING else getattr(args, name)
        if value is not None and value is not False and value != []:
            values = value if isinstance(value, list) else [] if value is True else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)


def card(games: Sequence[str], args: argparse.Namespace) -> str:
    """How it was made and, with `--probe`, what probes found, beside the controls."""
    name = f"{PREFIX}{args.name}"
    how = f"`{args.encoder}`, as it starts"
    if args.method != "none":
        source = find_recipe(args.method, {}).source
        how = f"`{args.encoder}`, trained by `{args.method}` ({source}) for {args.updates} updates"
    how += ", then whitened" if args.whiten else ""
    lines = [
        f"# {name}",
        f"{how}, on {args.steps} steps of sticky random play of each of {len(games)} Atari games, in gray, "
        f"{SIZE[0]} x {SIZE[1]}: {', '.join(games)}. License: MIT.",
        f"```sh\n{command(args)}\n```",
    ]
    if args.probe is not None:
        rows = [row for row in read_rows(args.probe) if row["encoder"].split(" ")[0] in (name, *CONTROLS)]
        own = {(row["game"], row["steps"]) for row in rows if row["encoder"] == name}
        if not own:
            raise ValueError(f"`probe` must hold rows of {name!r}. {args.probe} holds none: run probe.py.")
        rows = [row for row in rows if (row["game"], row["steps"]) in own]
        for protocol in PROTOCOLS:
            lines += [f"## Probes, {protocol}: weighted F1", tables(rows, protocol, reported=False)]
    return "\n\n".join(lines) + "\n"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", default="atari-small", help="it is loaded as rlpriors/<name>")
    parser.add_argument("--method", default="st-dim", help="of `rlpriors pretrain`, or none")
    parser.add_argument("--encoder", default="atari-cnn")
    parser.add_argument("--readout", help='what it gives for a frame, such as "grid(2)"')
    parser.add_argument("--updates", type=int, default=50_000)
    parser.add_argument("--batch-size", type=int, help="the method's own by default")
    parser.add_argument("--one-store", action="store_true", help="each update sees one game")
    parser.add_argument("--whiten", action="store_true", help="uncorrelated features; for atari-cnn")
    parser.add_argument("--steps", type=int, default=3000, help="of each game")
    parser.add_argument("--hold-out", nargs="+", default=[], help="games that it does not see")
    parser.add_argument("--amp", choices=["bf16", "fp16"], help="half precision while training, on a GPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--resident", action="store_true", help="all frames on the device; 2.2 GB")
    parser.add_argument("--processes", type=int, default=1, help="that play")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "ship")
    parser.add_argument("--probe", type=Path, help="csv of probe.py, for the card")
    parser.add_argument("--target", type=Path, default=PRETRAINED, help="where encoders that ship lie")
    args = parser.parse_args(words)
    if args.method != "none":
        find_recipe(args.method, {})  # a wrong name should not be found out after an hour
    if args.whiten and (args.encoder != "atari-cnn" or args.readout not in (None, "cls")):
        parser.error("--whiten needs --encoder atari-cnn and its own readout; leave it out for others")
    args.hold_out = sorted({game_name(game, PAPER_GAMES) for game in args.hold_out})
    games = [game for game in PAPER_GAMES if game not in args.hold_out]
    stores = play(games, args)
    encoder = load_encoder(train(stores, args), device="cpu")
    if args.whiten:
        whiten(encoder, stores)
    folder = publish(encoder, f"{PREFIX}{args.name}", card(games, args), args.target)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{PREFIX}{args.name}: {size:.1f} MB in {folder}")


if __name__ == "__main__":
    main()
