"""The Atari encoder of random filters that ships with the library: nothing is trained.

    python -m benchmarks.pretraining.bundle_filters
    python -m benchmarks.pretraining.bundle_filters --seed 1 --name my-filters --output runs/bundled

Filters on contrast-normalized patches, maxima over rows and columns, and a projection by random signs.
All three are drawn from `--seed`.  Only the scale of each feature comes from frames: the standard deviation
within a game, averaged over `--games`.  These are games without RAM annotations, so that every game that
`rlpriors probe` can probe is held out.  The encoder is saved in half precision to
src/rlpriors/encoders/pretrained/<name>, with a card that contains this command.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from benchmarks.tables import make_parser
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.backbones.bundled import BUNDLED_DIR, BUNDLED_PREFIX, save_bundled
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.atari.ram_annotations import GAMES, plain_name
from rlpriors.envs.random_frames import PRETRAINING_SEED_OFFSET

OTHER_GAMES = ("alien", "amidar", "assault", "beamrider", "enduro", "gopher", "kangaroo", "roadrunner")
CHUNK = 256


def collect_frames(args: argparse.Namespace) -> list[FrameStore]:
    """Return the frames of every game; existing frames are not collected again."""
    settings = AtariSettings(policy="sticky", n_envs=min(8, args.n_steps))
    return [
        collect_atari(
            game,
            args.n_steps,
            args.seed + PRETRAINING_SEED_OFFSET,
            args.runs / "frames" / f"{game}-{args.n_steps}-seed{args.seed}",
            settings,
        )
        for game in args.games
    ]


def encode(encoder: ImageEncoder, store: FrameStore) -> Float[np.ndarray, "frames dim"]:
    """Return the features of all frames."""
    chunks = [store.frames[start : start + CHUNK] for start in range(0, store.n_frames, CHUNK)]
    return np.concatenate([encoder.encode(np.array(chunk)).numpy() for chunk in chunks])


def center(groups: Sequence[Float[np.ndarray, "_ dim"]]) -> Float[np.ndarray, "_ dim"]:
    """Return all rows with the mean of their group replaced by the mean of all rows.

    Their variance is that within groups: differences between games would outweigh it.

    Example:
        >>> center([np.array([[0.0], [2.0]]), np.array([[100.0], [104.0]])])[:, 0].tolist()
        [50.5, 52.5, 49.5, 53.5]
    """
    mean = np.concatenate(groups).mean(0, dtype=np.float64)
    return np.concatenate([group - group.mean(0, dtype=np.float64) + mean for group in groups])


def build(stores: Sequence[FrameStore], args: argparse.Namespace) -> ImageEncoder:
    """Return the encoder with its scale fitted to the frames of `stores`."""
    encoder = load_encoder(
        "contrast-filters", weights="none", readout=args.readout, device="cpu", seed=args.seed
    )
    with torch.no_grad():
        for weight in encoder.backbone.parameters():
            weight.copy_(weight.half())  # as they are saved
    features = [encode(encoder, store) for store in stores]
    encoder.set_readout(f"{args.readout}>scale")
    encoder.readout.transforms[-1].fit(center(features))
    return encoder


def command(args: argparse.Namespace) -> str:
    """Return the command that makes the same encoder."""
    words = [
        "python",
        "-m",
        "benchmarks.pretraining.bundle_filters",
        "--name",
        args.name,
        "--games",
        *args.games,
    ]
    words += ["--n-steps", str(args.n_steps), "--readout", args.readout, "--seed", str(args.seed)]
    return shlex.join(words)


def card(encoder: ImageEncoder, args: argparse.Namespace) -> str:
    """Return the card: method, frames, command, and the way to measure the encoder."""
    name, settings = f"{BUNDLED_PREFIX}{args.name}", encoder.backbone.network.settings
    method = (
        f"{settings.n_filters} random filters of {settings.size} x {settings.size} pixels on "
        f"contrast-normalized patches, {settings.stride} pixels apart, with the readout "
        f"`{encoder.readout.name}`. Nothing is trained."
    )
    frames = (
        f"The scale of each of the {encoder.output_shape[0]} features is its standard deviation within a "
        f"game, over {args.n_steps} steps of a random policy with sticky actions in each of "
        f"{len(args.games)} Atari games, in gray, 210 x 160: {', '.join(args.games)}. None of them has RAM "
        "annotations, so all games that can be probed are held out. License: MIT."
    )
    controls = (
        "The matrix of the projection is drawn from its seed when the encoder is loaded; the file holds a "
        "checksum of it. These commands compare the encoder with its controls. The second one adds "
        "random-cnn with the same readout:"
    )
    probe = f"rlpriors probe --game pong --encoder {name}"
    return (
        f"# {name}\n\n{method} {frames}\n\n```sh\n{command(args)}\n```\n\n{controls}\n\n"
        f'```sh\n{probe}\n{probe} --readout "{args.readout}"\n```\n'
    )


def main(words: Sequence[str] | None = None) -> None:
    """Run the command with the arguments `words`, those of the process by default."""
    parser = make_parser(__doc__)
    parser.add_argument("--name", default="atari-filters", help="name; the encoder loads as rlpriors/<name>")
    parser.add_argument(
        "--games", nargs="+", default=list(OTHER_GAMES), help="games whose frames give the scale"
    )
    parser.add_argument("--n-steps", type=int, default=500, help="environment steps of each game")
    parser.add_argument("--readout", default="lines>sign-projection(512)", help="readout before the scale")
    parser.add_argument("--seed", type=int, default=0, help="random seed of filters and frames")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "bundle", help="folder of the frames")
    parser.add_argument("--output", type=Path, default=BUNDLED_DIR, help="folder of the encoders that ship")
    args = parser.parse_args(words)
    probed = [game for game in args.games if plain_name(game) in GAMES]
    if probed:
        parser.error(f"--games must be games without RAM annotations. Received {' '.join(probed)}")
    encoder = build(collect_frames(args), args)
    folder = save_bundled(encoder, f"{BUNDLED_PREFIX}{args.name}", card(encoder, args), args.output)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e3
    print(f"{BUNDLED_PREFIX}{args.name}: {size:.0f} KB in {folder}")


if __name__ == "__main__":
    main()
