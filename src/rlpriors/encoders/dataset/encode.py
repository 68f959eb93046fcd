"""Encoding of whole data sets by the code that also encodes live frames.

`encode_dataset`   encode Minari data, a `FrameStore` or an array into a folder; resumable
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Shaped
from tqdm import tqdm

from rlpriors.data.frames import FrameStore
from rlpriors.data.validation import check_at_least_one
from rlpriors.encoders.dataset.encoded_dataset import (
    FEATURES,
    FINGERPRINT,
    INDEX,
    PROGRESS,
    EncodedDataset,
    check_fingerprint,
    damage_message,
    load_encoded,
    read_fingerprint,
    read_json,
    write_json,
)
from rlpriors.encoders.dataset.frame_sources import FrameDeduplicator, FrameSource, open_frame_source
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.storage.array_folder import write_array
from rlpriors.storage.atomic import is_temporary
from rlpriors.storage.disk import explain_disk_errors, reserve_blocks
from rlpriors.storage.lock import LOCK_FILE, lock_folder

__all__ = ["encode_dataset"]


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
    """Encode every frame of `source` into `folder`, by the code that also encodes live frames.

    `source` is a Minari id, a `FrameStore` or its folder, or one array of frames [N, H, W, C].
    `obs_keys` names the image in Minari's dictionary observations, if there are several.  With `dedup`
    each distinct frame is encoded once.  Frames are compared by 256-bit digests, and in sources with
    random access (arrays and stores) also byte by byte.

    An interrupted run resumes after its last complete batch.  Its files are identical to those of an
    uninterrupted run, given the same threads and device.  Without `resume` it starts again.  A finished
    folder is never overwritten, with or without `resume`: it is returned unchanged if the same encoder
    computed it from the same source, whose frames are read and compared by digest.

    Raises:
        FileNotFoundError: the source folder or data set does not exist.
        ValueError: frames are not images, `folder` holds something else, another run writes into it, or it
            was begun with another encoder; the message names the differences.
        OSError: the disk is full or read-only.  The space of all features is reserved before the first frame.
    """
    if dtype not in get_args(Literal["float16", "float32"]):
        raise ValueError(f'`dtype` must be "float16" or "float32". Received {dtype!r}.')
    check_at_least_one(batch_size=batch_size)
    folder, frames = Path(folder), open_frame_source(source, obs_keys)
    plan: dict[str, Any] = {
        "source": frames.name,
        "obs_keys": None if obs_keys is None else list(obs_keys),
        "frames": int(frames.lengths.sum()),
        "dtype": dtype,
        "batch_size": batch_size,
        "dedup": dedup,
    }
    if not (folder / INDEX).exists() or (folder / PROGRESS).exists():
        with lock_folder(folder, "run of `encode_dataset`"):
            was_finished = (folder / INDEX).exists()
            if not was_finished:
                _encode_all(frames, encoder, folder, plan, resume, progress)
            (folder / PROGRESS).unlink(missing_ok=True)  # the index is complete
        if not was_finished:
            return load_encoded(folder)
    return _check_finished(folder, encoder, plan, frames, progress)


def _encode_all(
    frames: FrameSource,
    encoder: ImageEncoder,
    folder: Path,
    plan: dict[str, Any],
    resume: bool,
    progress: bool,
) -> None:
    """Encode the remaining frames and write the index."""
    done, digest = _begin_or_resume(folder, encoder, plan, resume)
    dtype, batch_size = plan["dtype"], plan["batch_size"]
    features = _open_features(folder, (plan["frames"], *encoder.output_shape), np.dtype(dtype), bool(done))
    deduplicator = FrameDeduplicator(frames, plan["dedup"])
    step_arrays: dict[str, list[np.ndarray]] = {}
    needs_previous = encoder.readout.needs_previous
    with tqdm(total=plan["frames"], desc="encode", unit="frame", disable=not progress) as bar:
        for start, batch, previous in frames.batches(batch_size, step_arrays):
            rows = np.arange(start, start + len(batch))
            origin = deduplicator.first_rows(rows, batch, previous if needs_previous else None)
            bar.update(len(batch))
            if rows[-1] < done:
                if rows[-1] + 1 == done and deduplicator.digest != digest:
                    raise ValueError(
                        f"{folder} was begun with other frames: {frames.name!r} has changed. Start anew with "
                        "resume=False."
                    )
                continue
            new = origin == rows
            if new.any():
                features[rows[new]] = _encode(
                    encoder, batch[new], previous[new] if needs_previous else None, dtype
                )
            features[rows[~new]] = features[origin[~new]]
            features.flush()
            write_json(folder / PROGRESS, plan | {"done": int(rows[-1]) + 1, "digest": deduplicator.digest})
    for name, arrays in step_arrays.items():
        write_array(folder / f"{name}.npy", np.concatenate(arrays))
    index = {"lengths": frames.lengths.tolist(), "steps": list(step_arrays), "digest": deduplicator.digest}
    write_json(folder / INDEX, plan | index | {"version": version("rlpriors")})


def _begin_or_resume(
    folder: Path, encoder: ImageEncoder, plan: Mapping[str, Any], resume: bool
) -> tuple[int, str]:
    """Return the number of frames that are encoded already, and their digest."""
    state = read_json(folder, PROGRESS) if resume and (folder / PROGRESS).exists() else {}
    if state.get("done"):
        check_fingerprint(folder, read_fingerprint(folder), encoder, exact=True)
        differ = [name for name in plan if plan[name] != state.get(name)]
        if differ:
            differences = ", ".join(f"{name} {state.get(name)!r} (now {plan[name]!r})" for name in differ)
            raise ValueError(
                f"{folder} was begun with {differences}. Resume with the same arguments, or start anew with "
                "resume=False."
            )
        done = state["done"]
        at_batch_end = type(done) is int and (done % plan["batch_size"] == 0 or done == plan["frames"])
        if not at_batch_end or not 0 < done <= plan["frames"]:
            raise ValueError(damage_message(folder, ValueError(f"{PROGRESS} holds done={done!r}")))
        return done, str(state.get("digest"))
    foreign = [path for path in folder.iterdir() if not is_temporary(path.name) and path.name != LOCK_FILE]
    if foreign and not (folder / PROGRESS).exists():
        raise ValueError(f"`folder` must be new, empty or unfinished. Received {str(folder)!r}.")
    write_json(folder / PROGRESS, {**plan, "done": 0, "digest": ""})
    write_json(folder / FINGERPRINT, encoder.fingerprint().as_dict())
    return 0, ""


def _check_finished(
    folder: Path, encoder: ImageEncoder, plan: Mapping[str, Any], frames: FrameSource, progress: bool
) -> EncodedDataset:
    """Return the data set in `folder` after a check that it was made from the content of `frames`."""
    index = read_json(folder, INDEX)
    same_plan = all(index.get(name) == plan[name] for name in ("source", "obs_keys", "dtype"))
    if not same_plan or index.get("lengths") != frames.lengths.tolist():
        raise ValueError(
            f"`folder` must be new. {folder} holds {index.get('frames')} frames of {_describe(index)}. "
            f"Received {plan['frames']} of {_describe(plan)}."
        )
    encoded = load_encoded(folder, encoder)
    deduplicator = FrameDeduplicator(frames, dedup=False)  # the digest is the same with and without
    step_arrays: dict[str, list[np.ndarray]] = {}
    needs_previous = encoder.readout.needs_previous
    with tqdm(total=plan["frames"], desc="compare", unit="frame", disable=not progress) as bar:
        for start, batch, previous in frames.batches(plan["batch_size"], step_arrays):
            rows = np.arange(start, start + len(batch))
            deduplicator.first_rows(rows, batch, previous if needs_previous else None)
            bar.update(len(batch))
    if deduplicator.digest != index.get("digest"):
        raise ValueError(
            f"{folder} was made from other frames: {frames.name!r} has changed. Encode into another folder."
        )
    for name in sorted({*step_arrays, *encoded.step_arrays}):
        if not _equal_arrays(step_arrays.get(name), encoded.step_arrays.get(name)):
            raise ValueError(
                f"{folder} was made from other steps: `{name}` of {frames.name!r} has changed. Encode into "
                "another folder."
            )
    return encoded


def _equal_arrays(parts: list[np.ndarray] | None, stored: np.ndarray | None) -> bool:
    if parts is None or stored is None:
        return False
    current = np.concatenate(parts)
    same_type = (current.dtype, current.shape) == (stored.dtype, stored.shape)
    return same_type and current.tobytes() == stored.tobytes()


def _describe(plan: Mapping[str, Any]) -> str:
    keys = f" from obs_keys={plan['obs_keys']}" if plan.get("obs_keys") else ""
    return f"{plan.get('source')!r}{keys} in {plan.get('dtype')}"


def _open_features(
    folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any], resume: bool
) -> np.memmap[Any, Any]:
    path = folder / FEATURES
    with explain_disk_errors(path):
        try:
            features = np.lib.format.open_memmap(path, "r+" if resume else "w+", dtype, shape)
            if (features.shape, features.dtype) != (shape, dtype):
                raise ValueError(f"{FEATURES} is {features.dtype} of shape {features.shape}")
        except (FileNotFoundError, EOFError, ValueError) as error:
            raise ValueError(damage_message(folder, error)) from error
        try:
            reserve_blocks(path)
        except OSError:
            if not resume:
                path.unlink()  # nothing is encoded yet
            raise
    return features


def _encode(encoder: ImageEncoder, frames: np.ndarray, previous: np.ndarray | None, dtype: str) -> np.ndarray:
    encoded = encoder.encode(frames, previous).cpu().numpy()
    with np.errstate(over="ignore"):  # values beyond the range become infinite, which is an error below
        features = encoded.astype(dtype)
    if not np.isfinite(features).all():
        raise ValueError(
            f"Encodings must be finite in `dtype` {dtype}. Received values from {encoded.min():g} to "
            f"{encoded.max():g}; "
            + ("use float32." if np.isfinite(encoded).all() else "the encoder is broken.")
        )
    return features
