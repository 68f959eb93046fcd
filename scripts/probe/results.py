"""Features and scores of `rlpriors probe` on disk.

`display_name`     name of an encoder in tables
`encode_frames`    features of every frame, mapped from a folder
`delete_features`  removal of features
`write_scores`     scores as a file
`read_scores`      the scores of that file
"""

import json
import shutil
from pathlib import Path

import numpy as np

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.evaluation.probing.baselines import ProtocolScores
from rlpriors.evaluation.probing.metrics import ProbeScores, Scores
from rlpriors.training.run_folder import write_json

__all__ = ["delete_features", "display_name", "encode_frames", "read_scores", "write_scores"]


def display_name(name: str, encoder: ImageEncoder) -> str:
    """Return the name of an encoder in tables, with its readout; a run's encoder has the run's name."""
    folder = Path(name)
    if folder.is_dir():  # `rlpriors pretrain` names every encoder "encoder"
        folder = folder.resolve()
        name = folder.parent.name if folder.name == "encoder" else folder.name
    return f"{name} ({encoder.readout.name})"


def encode_frames(
    store: FrameStore, encoder: ImageEncoder, folder: Path, *, progress: bool = True
) -> np.ndarray:
    """Return the features of every frame, mapped from `folder`; an unfinished run is resumed."""
    return encode_dataset(store, encoder, folder, dtype="float32", progress=progress).features


def delete_features(folder: Path) -> None:
    """Delete the folder of features, if it exists."""
    shutil.rmtree(folder, ignore_errors=True)


def write_scores(path: Path, scores: ProtocolScores) -> None:
    """Write scores as JSON, atomically."""
    content = {
        protocol: {
            "mean": entry.mean._asdict(),
            "categories": {name: score._asdict() for name, score in entry.categories.items()},
            "variables": {name: score._asdict() for name, score in entry.variables.items()},
        }
        for protocol, entry in scores.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)


def read_scores(path: Path) -> ProtocolScores:
    """Read the output of `write_scores`.

    Raises:
        ValueError: the file is damaged.
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
        raise ValueError(
            f"{path} must hold scores. Received {type(error).__name__}: {error}. Delete the file."
        ) from error
