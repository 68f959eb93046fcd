"""Training of the Atari encoders that ship with the library: one network for many games, without labels.

    python -m benchmarks.pretraining.bundle_atari --method st-dim --updates 50000 --device cuda
    python -m benchmarks.pretraining.bundle_atari --hold-out pong breakout --name atari-small-but-two
    python -m benchmarks.pretraining.bundle_atari ... --probe benchmarks/results/probing.csv

The frames are `--n-steps` steps of a random policy with sticky actions in each of AtariARI's 22 games, in
gray and in the size of the console.  `--hold-out` leaves games out, so that the encoder can be evaluated on
games that it was not trained on.  One network is trained on all of them and saved in half precision to
src/rlpriors/encoders/pretrained/<name>, with a card that contains this command.  `--method none` saves the
untrained network, as a control.  `--whiten` makes the features uncorrelated within each game.

The command may be stopped and started again at any time.  The third form adds the scores of
`benchmarks.probing.run --encoders rlpriors/<name>` to the card; nothing is trained again.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from benchmarks.probing.cells import read_rows
from benchmarks.probing.report import tables
from benchmarks.tables import make_parser
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones.bundled import BUNDLED_DIR, BUNDLED_PREFIX, save_bundled
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES, game_name
from rlpriors.envs.random_frames import PRETRAINING_SEED_OFFSET
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS
from rlpriors.representation.registry import find_recipe
from rlpriors.representation.whitening import whiten
from rlpriors.scripts.encoder_args import EncoderArgs
from rlpriors.scripts.pretrain.run import pretrain
from rlpriors.scripts.pretrain.settings import PretrainSettings

SIZE = (210, 160)
CONTROLS = ("majority", "random-cnn", "supervised", "st-dim")
"""Controls in the card; their names in the csv may continue with the length of the training."""
REPRODUCING_OPTIONS = (
    *(
        "name",
        "method",
        "encoder",
        "readout",
        "updates",
        "batch_size",
        "single_source_batches",
        "whiten",
        "n_steps",
    ),
    *("hold_out", "amp", "seed"),
)
"""Options that the encoder depends on."""
TRAINING_OPTIONS = ("updates", "batch_size", "single_source_batches", "amp")
"""Options of the above that `--method none` ignores."""


def collect_frames(games: Sequence[str], args: argparse.Namespace) -> list[FrameStore]:
    """Return the frames of every game; existing frames are not collected again."""
    settings = AtariSettings(policy="sticky", image_size=SIZE, n_envs=min(8, args.n_steps))
    stores = []
    for game in games:
        folder = args.runs / "frames" / f"{game}-{args.n_steps}-seed{args.seed}"
        stores.append(
            collect_atari(
                game,
                args.n_steps,
                args.seed + PRETRAINING_SEED_OFFSET,
                folder,
                settings,
                n_workers=args.n_workers,
            )
        )
    return stores


def train(stores: Sequence[FrameStore], args: argparse.Namespace) -> Path:
    """Train the encoder, or resume its training, and return its folder."""
    if args.method == "none":
        start = load_encoder(args.encoder, weights="none", readout=args.readout, device="cpu", seed=args.seed)
        start.save(args.runs / f"{args.name}-seed{args.seed}" / "encoder")
        return args.runs / f"{args.name}-seed{args.seed}" / "encoder"
    settings = PretrainSettings(
        method=args.method,
        data=tuple(store.folder for store in stores),
        encoder=EncoderArgs(args.encoder, readout=args.readout),
        updates=args.updates,
        batch_size=args.batch_size,
        single_source_batches=args.single_source_batches,
        amp=args.amp,
        preload_to_device=args.preload_to_device,
        seed=args.seed,
        device=args.device,
    )
    run = args.runs / f"{args.name}-seed{args.seed}"
    return pretrain(settings, folder=run, resume=(run / "settings.json").exists()) / "encoder"


def command(args: argparse.Namespace) -> str:
    """Return the command that makes the same encoder."""
    words = ["python", "-m", "benchmarks.pretraining.bundle_atari"]
    for name in REPRODUCING_OPTIONS:
        value = None if args.method == "none" and name in TRAINING_OPTIONS else getattr(args, name)
        if value is not None and value is not False and value != []:
            values = value if isinstance(value, list) else [] if value is True else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)


def card(games: Sequence[str], args: argparse.Namespace) -> str:
    """Return the card: method, data, command and, with `--probe`, the scores of probes and controls."""
    name = f"{BUNDLED_PREFIX}{args.name}"
    method = f"`{args.encoder}`, untrained"
    if args.method != "none":
        source = find_recipe(args.method, {}).source
        method = f"`{args.encoder}`, trained by `{args.method}` ({source}) for {args.updates} updates"
    method += ", then whitened" if args.whiten else ""
    lines = [
        f"# {name}",
        f"{method}, on {args.n_steps} steps of a random policy with sticky actions in each of {len(games)} "
        f"Atari games, in gray, {SIZE[0]} x {SIZE[1]}: {', '.join(games)}. License: MIT.",
        f"```sh\n{command(args)}\n```",
    ]
    if args.probe is not None:
        rows = [row for row in read_rows(args.probe) if row["encoder"].split(" ")[0] in (name, *CONTROLS)]
        probed = {(row["game"], row["n_steps"]) for row in rows if row["encoder"] == name}
        if not probed:
            raise ValueError(
                f"`--probe` must have rows of {name!r}. {args.probe} has none: run benchmarks.probing.run."
            )
        rows = [row for row in rows if (row["game"], row["n_steps"]) in probed]
        for protocol in PROTOCOLS:
            lines += [f"## Probes, {protocol}: weighted F1", tables(rows, protocol, with_published=False)]
    return "\n\n".join(lines) + "\n"


def main(words: Sequence[str] | None = None) -> None:
    """Run the command with the arguments `words`, those of the process by default."""
    parser = make_parser(__doc__)
    parser.add_argument("--name", default="atari-small", help="name; the encoder loads as rlpriors/<name>")
    parser.add_argument("--method", default="st-dim", help="method of `rlpriors pretrain`, or none")
    parser.add_argument("--encoder", default="atari-cnn", help="network")
    parser.add_argument("--readout", help='readout, such as "grid(2)"')
    parser.add_argument("--updates", type=int, default=50_000, help="number of updates")
    parser.add_argument("--batch-size", type=int, help="batch size; default that of the method")
    parser.add_argument("--single-source-batches", action="store_true", help="draw each batch from one game")
    parser.add_argument("--whiten", action="store_true", help="make features uncorrelated; atari-cnn only")
    parser.add_argument("--n-steps", type=int, default=3000, help="environment steps of each game")
    parser.add_argument("--hold-out", nargs="+", default=[], help="games without training frames")
    parser.add_argument("--amp", choices=["bf16", "fp16"], help="half precision of the training, on a GPU")
    parser.add_argument("--seed", type=int, default=0, help="random seed of frames and training")
    parser.add_argument("--device", default="auto", help="device of the training")
    parser.add_argument(
        "--preload-to-device", action="store_true", help="store all frames on the device; 2.2 GB"
    )
    parser.add_argument("--n-workers", type=int, default=1, help="number of processes that collect frames")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "bundle", help="folder of the runs")
    parser.add_argument("--probe", type=Path, help="csv of benchmarks.probing.run, for the card")
    parser.add_argument("--output", type=Path, default=BUNDLED_DIR, help="folder of the encoders that ship")
    args = parser.parse_args(words)
    if args.method != "none":
        find_recipe(args.method, {})  # a wrong name is an error now and not after an hour
    if args.whiten and (args.encoder != "atari-cnn" or args.readout not in (None, "cls")):
        parser.error("--whiten requires --encoder atari-cnn with its default readout; remove it for others")
    args.hold_out = sorted({game_name(game, PAPER_GAMES) for game in args.hold_out})
    games = [game for game in PAPER_GAMES if game not in args.hold_out]
    stores = collect_frames(games, args)
    encoder = load_encoder(train(stores, args), device="cpu")
    if args.whiten:
        whiten(encoder, stores)
    folder = save_bundled(encoder, f"{BUNDLED_PREFIX}{args.name}", card(games, args), args.output)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{BUNDLED_PREFIX}{args.name}: {size:.1f} MB in {folder}")


if __name__ == "__main__":
    main()
