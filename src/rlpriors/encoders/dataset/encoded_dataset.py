"""Encoded data sets: features of many episodes on disk.

`EncodedDataset`      memory-mapped features and the arrays of the steps
`load_encoded`        open an encoded data set and check its encoder
`check_fingerprint`   check that an encoder computed the stored features

The folder holds `features.npy` [frames, ...], `fingerprint.json` (the fingerprint of the encoder), one
file for each of `act`, `rew`, `terminated` and `truncated` that the source has, and `index.json`, which
is written last.  A folder without it is unfinished.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.validation import check_indices
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.fingerprint import Fingerprint
from rlpriors.storage.array_folder import array_names, frame_counts, map_array
from rlpriors.storage.atomic import write_text_atomically

__all__ = [
    "EncodedDataset",
    "check_fingerprint",
    "damage_message",
    "load_encoded",
    "read_fingerprint",
    "read_json",
    "write_json",
]

FEATURES, FINGERPRINT, INDEX, PROGRESS = "features.npy", "fingerprint.json", "index.json", "progress.json"
"""Names of the files of an encoded data set; the last one exists only while it is unfinished."""


@dataclass(frozen=True, eq=False, repr=False)
class EncodedDataset:
    """Features of many episodes, concatenated and memory-mapped from `folder`.

    `load_encoded` opens one.

    Example:
        >>> import tempfile
        >>> from rlpriors.encoders import load_encoder
        >>> from rlpriors.encoders.dataset.encode import encode_dataset
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> frames = np.random.default_rng(0).integers(256, size=(6, 84, 84, 3), dtype=np.uint8)
        >>> encode_dataset(frames, encoder, tempfile.mkdtemp() + "/out", progress=False)
        EncodedDataset(1 episodes, 6 frames of (512,) float16)
    """

    folder: Path
    """Folder of the data set."""
    features: Float[np.ndarray, "frames *out"]
    """Features of all frames, episode by episode."""
    lengths: Int[np.ndarray, " episodes"]
    """Number of frames of each episode, one more than its steps."""
    fingerprint: Fingerprint
    """Fingerprint of the encoder that computed the features."""
    step_arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Arrays `act`, `rew`, `terminated` and `truncated` of all steps, as far as the source has them."""

    def __repr__(self) -> str:
        """Return the sizes without the contents."""
        n_frames, *shape = self.features.shape
        return (
            f"EncodedDataset({len(self.lengths)} episodes, {n_frames} frames of {tuple(shape)} "
            f"{self.features.dtype})"
        )

    @cached_property
    def starts(self) -> Int[np.ndarray, " episodes"]:
        """Row of the first frame of each episode."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    def episode(self, index: int) -> Float[np.ndarray, "frames *out"]:
        """Return the features of one episode, as a view into the file."""
        index = int(check_indices("index", np.asarray([index]), len(self.lengths), "episodes")[0])
        first = int(self.starts[index])
        return self.features[first : first + int(self.lengths[index])]

    def to_episode_store(self) -> EpisodeStore:
        """Return the data set as an `EpisodeStore` in memory and in float32.

        Rewards are 0 if the source has actions but no rewards.  Each episode is truncated at its last
        step if the source has no episode ends.

        Raises:
            ValueError: the source has no actions, or an episode has one frame and so no step.
        """
        if "act" not in self.step_arrays:
            raise ValueError(
                f"{self.folder} holds frames without actions, which make no episodes; read `features` and "
                "`episode` instead, or encode a source that has actions (Minari, or a FrameStore with `act`)."
            )
        n_steps = len(self.step_arrays["act"])
        last = np.zeros(n_steps, np.bool_)
        last[np.cumsum(self.lengths - 1) - 1] = True
        columns: dict[str, Any] = {
            "rew": np.zeros(n_steps, np.float32),
            "terminated": np.zeros(n_steps, np.bool_),
        }
        columns["truncated"] = last if "terminated" not in self.step_arrays else columns["terminated"]
        columns |= {name: np.array(array) for name, array in self.step_arrays.items()}
        # Copies, because torch warns about read-only arrays, such as memory maps.
        return EpisodeStore(obs=np.array(self.features, np.float32), lengths=self.lengths - 1, **columns)


def load_encoded(folder: str | Path, encoder: ImageEncoder | None = None) -> EncodedDataset:
    """Open a data set that `encode_dataset` wrote; check that `encoder`, if given, computed it.

    Raises:
        FileNotFoundError: `folder` holds no encoded data set.
        ValueError: the data set is unfinished, damaged, or computed by another encoder; the message
            names the differences (spec, weights, preprocess, readout or version).
    """
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        if (folder / PROGRESS).is_file():
            state = read_json(folder, PROGRESS)
            raise ValueError(
                f"{folder} is unfinished: {state.get('done')} of {state.get('frames')} frames are encoded. "
                "Call encode_dataset again with the same arguments to resume."
            )
        raise FileNotFoundError(
            f"`folder` must hold a data set that encode_dataset wrote. Received {str(folder)!r}, which "
            f"{f'has no {INDEX}' if folder.is_dir() else 'is no folder'}."
        )
    index, fingerprint = read_json(folder, INDEX), read_fingerprint(folder)
    if encoder is not None:
        check_fingerprint(folder, fingerprint, encoder)
    try:
        names = array_names(index["steps"], reserved=Path(FEATURES).stem)
        features = map_array(folder, Path(FEATURES).stem)
        if features.dtype.kind != "f" or features.ndim < 2:
            raise ValueError(f"features are {features.dtype} of shape {features.shape}")
        lengths = frame_counts(index["lengths"], len(features))
        arrays = {name: map_array(folder, name) for name in names}
        n_steps = len(features) - len(lengths)
        for name, array in arrays.items():
            if array.shape[:1] != (n_steps,):
                raise ValueError(f"{name} has shape {array.shape} for {n_steps} steps")
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(damage_message(folder, error)) from error
    return EncodedDataset(folder, features, lengths, fingerprint, arrays)


def check_fingerprint(
    folder: Path, stored: Fingerprint, encoder: ImageEncoder, *, exact: bool = False
) -> None:
    """Check that the output of `encoder` can be mixed with that of the stored fingerprint.

    With `exact` another backend is refused too.

    Raises:
        ValueError: it cannot; the message names the differences.
    """
    fingerprint = encoder.fingerprint()
    if stored.difference(fingerprint) if exact else stored.mismatch(fingerprint):
        raise ValueError(
            f"The features in {folder} come from another encoder than `encoder`: "
            f"{stored.explain(fingerprint)} (here: the folder, there: `encoder`). Load the encoder that made "
            "them, or encode again into another folder."
        )


def read_fingerprint(folder: Path) -> Fingerprint:
    """Read the fingerprint in `folder`; a damaged file is a ValueError."""
    try:
        return Fingerprint.from_dict(read_json(folder, FINGERPRINT))
    except (ValueError, TypeError) as error:
        raise ValueError(damage_message(folder, error)) from error


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of the data set; a damaged file is a ValueError."""
    try:
        content = json.loads((folder / name).read_text())
        if not isinstance(content, dict):
            raise ValueError(f"{name} holds a {type(content).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(damage_message(folder, error)) from error
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_text_atomically(path, json.dumps(content, indent=2) + "\n")


def damage_message(folder: Path, error: Exception) -> str:
    """Return the error message for a damaged data set."""
    return (
        f"The encoded data set in {folder} is damaged ({type(error).__name__}: {error}). Remove the "
        "folder and encode again."
    )
