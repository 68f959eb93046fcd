"""Whole data sets through an encoder, once: what the agent would see online, on disk.

`encode_dataset`  Minari data, a `FrameStore` or an array to a folder of features, resumable
`load_encoded`    such a folder, checked against the encoder that is used with it
`EncodedDataset`  features that are mapped, not loaded, and the steps that belong to them

The folder holds `features.npy` [frames, ...], `fingerprint.json` (which encoder made them), one file
for each of `act`, `rew`, `terminated` and `truncated` where the source has them, and `index.json`,
which is written last: a folder without it is unfinished.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int, Shaped
from tqdm import tqdm

import rlpriors
from rlpriors.checkpoint import write_atomically
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.frames import FrameStore
from rlpriors.data.validation import at_least_one, within
from rlpriors.encoders.dataset.frame_sources import FrameSource, Seen, open_source
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.fingerprint import Fingerprint

__all__ = ["EncodedDataset", "encode_dataset", "load_encoded"]

FEATURES, FINGERPRINT, INDEX, PROGRESS = "features.npy", "fingerprint.json", "index.json", "progress.json"


@dataclass(frozen=True, eq=False, repr=False)
class EncodedDataset:
    """Features of many episodes end to end, mapped from `folder`; `load_encoded` opens one.

    Example:
        >>> import tempfile
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> frames = np.random.default_rng(0).integers(256, size=(6, 84, 84, 3), dtype=np.uint8)
        >>> encode_dataset(frames, encoder, tempfile.mkdtemp() + "/out", progress=False)
        EncodedDataset(1 episodes, 6 frames of (512,) float16)
    """

    folder: Path
    features: Float[np.ndarray, "frames *out"]
    lengths: Int[np.ndarray, " episodes"]
    """Number of frames of each episode, one more than its steps."""
    fingerprint: Fingerprint
    """Which encoder made them, down to its weights."""
    steps: Mapping[str, np.ndarray] = field(default_factory=dict)
    """`act`, `rew`, `terminated` and `truncated` of all steps end to end, where the source has them."""

    def __repr__(self) -> str:
        """Sizes, not contents."""
        count, *shape = self.features.shape
        return (
            f"EncodedDataset({len(self.lengths)} episodes, {count} frames of {tuple(shape)} "
            f"{self.features.dtype})"
        )

    @cached_property
    def starts(self) -> Int[np.ndarray, " episodes"]:
        """The first frame of each episode."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    def episode(self, index: int) -> Float[np.ndarray, "frames *out"]:
        """The features of one episode, as a view into the file."""
        index = int(within("index", np.asarray([index]), len(self.lengths), "episodes")[0])
        first = int(self.starts[index])
        return self.features[first : first + int(self.lengths[index])]

    def store(self) -> EpisodeStore:
        """The data set as an `EpisodeStore`, in memory and in float32: what `data` and `agents` take.

        Where the source has actions but no rewards these are 0, and where it has no ends, each
        episode is truncated by its last step.

        Raises:
            ValueError: the source has no actions, or an episode has one frame and so no step.
        """
        if "act" not in self.steps:
            raise ValueError(
                f"{self.folder} holds frames without actions, which make no episodes; read `features` and "
                "`episode` instead, or encode a source that has actions (Minari, or a FrameStore with `act`)."
            )
        count = len(self.steps["act"])
        last = np.zeros(count, np.bool_)
        last[np.cumsum(self.lengths - 1) - 1] = True
        columns = {"rew": np.zeros(count, np.float32), "terminated": np.zeros(count, np.bool_)}
        columns["truncated"] = last if "terminated" not in self.steps else columns["terminated"]
        columns |= self.steps
        return EpisodeStore(obs=np.asarray(self.features), lengths=self.lengths - 1, **columns)


def encode_dataset(
    source: str | Path | FrameStore | Shaped[np.ndarray, "..."],
    encoder: ImageEncoder,
    folder: str | Path,
    *,
    obs_keys: Sequence[str] | None = None,
    dtype: Literal["float16", "float32"] = "float16",
    batch_size: int = 256,
    dedup: bool = True,
    resume: bool = True,
    progress: bool = True,
) -> EncodedDataset:
    """Encode every frame of `source` into `folder`, by the same code that encodes online.

    `source` is a Minari id, a `FrameStore` or its folder, or one array of frames [N, H, W, C].
    `obs_keys` names the image in Minari's dictionary observations, where there is more than one.
    With `dedup` each distinct frame is encoded once.  Frames are told apart by 256-bit digests, and
    where the source can be read at random (arrays and stores) also byte by byte.

    A run that was stopped goes on behind its last whole batch, and ends with the very bytes of a run
    that was not (given the same threads and device); without `resume` it begins anew.  A finished
    folder is never written over, with or without `resume`: it is returned as it is, if the same
    encoder made it from the same source, whose frames are read and compared by digest.

    Raises:
        FileNotFoundError: there is no such folder or data set.
        ValueError: frames are no images, `folder` holds something else, or `encoder` is not the one
            it was begun with; the message names what differs.
    """
    if dtype not in get_args(Literal["float16", "float32"]):
        raise ValueError(f'`dtype` must be "float16" or "float32". Received {dtype!r}.')
    at_least_one(batch_size=batch_size)
    folder, frames = Path(folder), open_source(source, obs_keys)
    plan: dict[str, Any] = {
        "source": frames.name,
        "obs_keys": None if obs_keys is None else list(obs_keys),
        "frames": int(frames.lengths.sum()),
        "dtype": dtype,
        "batch_size": batch_size,
        "dedup": dedup,
    }
    if (folder / INDEX).exists():
        return _finished(folder, encoder, plan, frames, progress)
    done, digest = _begin(folder, encoder, plan, resume)

    features = _open_features(folder, (plan["frames"], *encoder.output_shape), np.dtype(dtype), bool(done))
    seen = Seen(frames, dedup)
    steps: dict[str, list[np.ndarray]] = {}
    motion = encoder.readout.needs_previous
    with tqdm(total=plan["frames"], desc="encode", unit="frame", disable=not progress) as bar:
        for start, batch, previous in frames.batches(batch_size, steps):
            rows = np.arange(start, start + len(batch))
            origin = seen.rows(rows, batch, previous if motion else None)
            bar.update(len(batch))
            if rows[-1] < done:
                if rows[-1] + 1 == done and seen.digest != digest:
                    raise ValueError(
                        f"{folder} was begun with other frames: {frames.name!r} has changed. Start anew with "
                        "resume=False."
                    )
                continue
            new = origin == rows
            if new.any():
                features[rows[new]] = _encode(encoder, batch[new], previous[new] if motion else None, dtype)
            features[rows[~new]] = features[origin[~new]]
            features.flush()
            _write_json(folder / PROGRESS, plan | {"done": int(rows[-1]) + 1, "digest": seen.digest})
    for name, parts in steps.items():
        np.save(folder / f"{name}.npy", np.concatenate(parts))
    index = {"lengths": frames.lengths.tolist(), "steps": list(steps), "digest": seen.digest}
    _write_json(folder / INDEX, plan | index | {"version": rlpriors.__version__})
    (folder / PROGRESS).unlink()
    return load_encoded(folder)


def load_encoded(folder: str | Path, encoder: ImageEncoder | None = None) -> EncodedDataset:
    """Map what `encode_dataset` wrote; with `encoder`, only if that very encoder made it.

    Raises:
        FileNotFoundError: `folder` holds no encoded data set.
        ValueError: it is unfinished or damaged, or made by another encoder; the message names what
            differs (spec, weights, preprocess, readout or version).
    """
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        if (folder / PROGRESS).is_file():
            state = _read_json(folder, PROGRESS)
            raise ValueError(
                f"{folder} is unfinished: {state.get('done')} of {state.get('frames')} frames are encoded. "
                "Call encode_dataset again with the same arguments, and it goes on there."
            )
        raise FileNotFoundError(
            f"`folder` must hold a data set that encode_dataset wrote. Received {str(folder)!r}, which "
            f"{f'has no {INDEX}' if folder.is_dir() else 'is no folder'}."
        )
    index, fingerprint = _read_json(folder, INDEX), _read_fingerprint(folder)
    if encoder is not None:
        _check_fingerprint(folder, fingerprint, encoder)
    try:
        lengths = np.asarray(index["lengths"], np.int64)
        features, *steps = (
            np.load(folder / name, mmap_mode="r", allow_pickle=False)
            for name in (FEATURES, *(f"{name}.npy" for name in index["steps"]))
        )
        rows = [len(features), *(len(array) + len(lengths) for array in steps)]
        if features.dtype.kind != "f" or set(rows) != {int(lengths.sum())}:
            raise ValueError(f"{features.dtype} features, {rows} rows for {lengths.sum()} frames")
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(_damaged(folder, error)) from error
    return EncodedDataset(
        folder, features, lengths, fingerprint, dict(zip(index["steps"], steps, strict=True))
    )


def _begin(folder: Path, encoder: ImageEncoder, plan: Mapping[str, Any], resume: bool) -> tuple[int, str]:
    """How many frames are encoded already, and the digest of those."""
    state = _read_json(folder, PROGRESS) if resume and (folder / PROGRESS).exists() else {}
    if state.get("done"):
        _check_fingerprint(folder, _read_fingerprint(folder), encoder)
        differ = [name for name in plan if plan[name] != state.get(name)]
        if differ:
            told = ", ".join(f"{name} {state.get(name)!r} (now {plan[name]!r})" for name in differ)
            raise ValueError(
                f"{folder} was begun with {told}. Go on with the same, or start anew with resume=False."
            )
        return int(state["done"]), str(state["digest"])
    if folder.exists() and not (folder / PROGRESS).exists() and any(folder.iterdir()):
        raise ValueError(f"`folder` must be new, empty or unfinished. Received {str(folder)!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / PROGRESS, {**plan, "done": 0, "digest": ""})
    _write_json(folder / FINGERPRINT, encoder.fingerprint().as_dict())
    return 0, ""


def _finished(
    folder: Path, encoder: ImageEncoder, plan: Mapping[str, Any], frames: FrameSource, progress: bool
) -> EncodedDataset:
    """The data set in `folder`, if `frames` (by their content, not by their name) are what it was made of."""
    index = _read_json(folder, INDEX)
    same = all(index.get(name) == plan[name] for name in ("source", "obs_keys", "dtype"))
    if not same or index.get("lengths") != frames.lengths.tolist():
        raise ValueError(
            f"`folder` must be new. {folder} holds {index.get('frames')} frames of {_described(index)}. "
            f"Received {plan['frames']} of {_described(plan)}."
        )
    encoded = load_encoded(folder, encoder)
    seen = Seen(frames, dedup=False)  # the digest is the same with and without
    steps: dict[str, list[np.ndarray]] = {}
    motion = encoder.readout.needs_previous
    with tqdm(total=plan["frames"], desc="compare", unit="frame", disable=not progress) as bar:
        for start, batch, previous in frames.batches(plan["batch_size"], steps):
            seen.rows(np.arange(start, start + len(batch)), batch, previous if motion else None)
            bar.update(len(batch))
    if seen.digest != index.get("digest"):
        raise ValueError(
            f"{folder} was made from other frames: {frames.name!r} has changed. Encode into another folder."
        )
    for name in sorted({*steps, *encoded.steps}):
        if not _same_steps(steps.get(name), encoded.steps.get(name)):
            raise ValueError(
                f"{folder} was made from other steps: `{name}` of {frames.name!r} has changed. Encode into "
                "another folder."
            )
    return encoded


def _same_steps(parts: list[np.ndarray] | None, stored: np.ndarray | None) -> bool:
    if parts is None or stored is None:
        return False
    now = np.concatenate(parts)
    return (now.dtype, now.shape) == (stored.dtype, stored.shape) and now.tobytes() == stored.tobytes()


def _described(plan: Mapping[str, Any]) -> str:
    keys = f" from obs_keys={plan['obs_keys']}" if plan.get("obs_keys") else ""
    return f"{plan.get('source')!r}{keys} in {plan.get('dtype')}"


def _open_features(
    folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any], old: bool
) -> np.memmap[Any, Any]:
    try:
        features = np.lib.format.open_memmap(folder / FEATURES, "r+" if old else "w+", dtype, shape)
        if (features.shape, features.dtype) != (shape, dtype):
            raise ValueError(f"{FEATURES} is {features.dtype} of shape {features.shape}")
    except (OSError, ValueError) as error:
        raise ValueError(_damaged(folder, error)) from error
    return features


def _encode(encoder: ImageEncoder, frames: np.ndarray, previous: np.ndarray | None, dtype: str) -> np.ndarray:
    encoded = encoder.encode(frames, previous).cpu().numpy()
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        features = encoded.astype(dtype)
    if not np.isfinite(features).all():
        raise ValueError(
            f"Encodings must be finite in `dtype` {dtype}. Received values from {encoded.min():g} to "
            f"{encoded.max():g}; "
            + ("use float32." if np.isfinite(encoded).all() else "the encoder is broken.")
        )
    return features


def _check_fingerprint(folder: Path, stored: Fingerprint, encoder: ImageEncoder) -> None:
    difference = stored.explain(encoder.fingerprint())
    if difference:
        raise ValueError(
            f"The features in {folder} come from another encoder than `encoder`: {difference} (here: the "
            "folder, there: `encoder`). Load the encoder that made them, or encode again into another folder."
        )


def _read_fingerprint(folder: Path) -> Fingerprint:
    try:
        return Fingerprint.from_dict(_read_json(folder, FINGERPRINT))
    except (ValueError, TypeError) as error:
        raise ValueError(_damaged(folder, error)) from error


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text())
        if not isinstance(content, dict):
            raise ValueError(f"{name} holds a {type(content).__name__}")
    except (OSError, ValueError) as error:
        raise ValueError(_damaged(folder, error)) from error
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text(json.dumps(content, indent=2) + "\n")

    write_atomically(path, write)


def _damaged(folder: Path, error: Exception) -> str:
    return (
        f"The encoded data set in {folder} is damaged ({type(error).__name__}: {error}). Remove the "
        "folder and encode again."
    )
