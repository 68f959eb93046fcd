"""What is probed: an encoder, and the controls that it should be compared with.

`atari_task`        labels and parts of a store of an Atari game
`random_cnn`        AtariARI's network as it starts
`title`             what an encoder is called in tables
`encoded`           features of every frame, each distinct one encoded once
`judge_features`, `judge_majority`, `judge_supervised`   scores by protocol
`Judged`            scores by protocol
`write_judged`, `read_judged`   the same as a file
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.encoders.registry import ENCODERS
from rlpriors.envs.atari.ram_annotations import GAMES, game_name, labels
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask, frame_keys, make_task
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS, majority, probe
from rlpriors.evaluation.probing.metrics import ProbeScores, Scores, score_predictions
from rlpriors.evaluation.probing.supervised_baseline import fit_supervised
from rlpriors.networks.atari_cnn import SMALLEST
from rlpriors.training.run_folder import write_json

__all__ = [
    "Judged",
    "atari_task",
    "encoded",
    "judge_features",
    "judge_majority",
    "judge_supervised",
    "random_cnn",
    "read_judged",
    "title",
    "write_judged",
]

Judged = Mapping[str, ProbeScores]


def atari_task(
    store: FrameStore, game: str, *, seed: int = 0, min_frames: int = 65, repeats: bool = False
) -> ProbeTask:
    """Every variable of the game that varies, in episodes of at least `min_frames` frames.

    With `repeats`, as in AtariARI, test frames count that stand in another part too.

    Raises:
        ValueError: the game is unknown, `store` was written without `ram`, or as `make_task`.
    """
    variables = GAMES[game_name(game)]
    return make_task(
        labels(store, game),
        store.lengths,
        categories={name: variable.categories for name, variable in variables.items()},
        keys=None if repeats else frame_keys(store.frames),
        seed=seed,
        min_frames=min_frames,
    )


def random_cnn(
    shape: tuple[int, ...] = (210, 160, 1), *, seed: int = 0, device: str = "auto"
) -> ImageEncoder:
    """AtariARI's network as it starts, for frames [height, width, channels]; small ones are enlarged."""
    height, width, channels = shape
    spec = ENCODERS["atari-cnn"]
    size = (height, width) if min(height, width) >= SMALLEST else spec.input_size
    spec = replace(spec, channels=channels, mean=(0.0,) * channels, std=(1.0,) * channels, input_size=size)
    return load_encoder(spec, weights="none", seed=seed, device=device, chunk_size=256)


def title(name: str, encoder: ImageEncoder) -> str:
    """What the encoder that `name` led to is called in tables: a run's name, and the readout."""
    folder = Path(name)
    if folder.is_dir():  # `rlpriors pretrain` publishes all of its encoders as "encoder", in their runs
        folder = folder.resolve()
        name = folder.parent.name if folder.name == "encoder" else folder.name
    return f"{name} ({encoder.readout.name})"


def encoded(store: FrameStore, encoder: ImageEncoder, folder: Path, *, progress: bool = True) -> np.ndarray:
    """Features of every frame, mapped from `folder`; a run that was stopped goes on there."""
    return encode_dataset(store, encoder, folder, dtype="float32", progress=progress).features


def judge_features(
    features: np.ndarray,
    task: ProbeTask,
    settings: ProbeSettings,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Judged:
    """Scores of features by every protocol."""
    return {
        protocol: probe(features, task, protocol, settings, seed=seed, device=device, progress=progress)
        for protocol in PROTOCOLS
    }


def judge_majority(task: ProbeTask) -> Judged:
    """Scores of saying what is commonest, which are the same by every protocol."""
    return dict.fromkeys(PROTOCOLS, majority(task))


def judge_supervised(
    store: FrameStore,
    task: ProbeTask,
    settings: ProbeSettings,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Judged:
    """Scores of AtariARI's network trained on the labels, which are the same by every protocol."""
    network = random_cnn(store.frames.shape[1:], seed=seed, device=device)
    predicted = fit_supervised(network, store.frames, task, settings, seed=seed, progress=progress)
    return dict.fromkeys(PROTOCOLS, score_predictions(task, predicted))


def write_judged(path: Path, judged: Judged) -> None:
    """Keep scores as JSON; the file appears when it is whole."""
    content = {
        protocol: {
            "mean": scores.mean._asdict(),
            "categories": {name: score._asdict() for name, score in scores.categories.items()},
            "variables": {name: score._asdict() for name, score in scores.variables.items()},
        }
        for protocol, scores in judged.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)


def read_judged(path: Path) -> Judged:
    """What `write_judged` wrote.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return {
            protocol: ProbeScores(
                variables={name: Scores(**score) for name, score in entry["variables"].items()},
                categories={name: Scores(**score) for name, score in entry["categories"].items()},
                mean=Scores(**entry["mean"]),
            )
            for protocol, entry in json.loads(path.read_text()).items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no scores ({type(error).__name__}: {error}). Remove it.") from error


def forget(folder: Path) -> None:
    """Remove features that are not needed any more."""
    shutil.rmtree(folder, ignore_errors=True)
