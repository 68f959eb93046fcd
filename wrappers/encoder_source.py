"""Encoder argument of the encode wrappers: a name, a folder or an `ImageEncoder`.

`EncoderSource`           type of this argument
`open_encoder`            the encoder itself: loaded or moved, and compared with a fingerprint
`check_recorded_encoder`  check that an environment has the encoder that a reward was learned with
"""

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

from rlpriors.device import resolve_device
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.fingerprint import Fingerprint
from rlpriors.encoders.load import load_encoder
from rlpriors.encoders.openvino_backend import check_backend
from rlpriors.encoders.record import EncoderRecord
from rlpriors.wrappers.encode_options import EncodeOptions

__all__ = ["EncoderSource", "check_recorded_encoder", "open_encoder"]

EncoderSource: TypeAlias = str | os.PathLike[str] | ImageEncoder
"""Name for `load_encoder`, folder of a saved encoder, or `ImageEncoder`."""

# Options of `load_encoder`, which cannot be changed for a loaded encoder.
LOAD_OPTIONS = (
    *("readout", "weights", "input_size", "stride", "amp", "compile", "backend", "channels_last"),
    *("chunk_size", "allow_noncommercial"),
)


def open_encoder(encoder: EncoderSource, options: EncodeOptions) -> ImageEncoder:
    """Load the encoder, or move the given `ImageEncoder`, and compare it with `options.fingerprint`.

    Raises:
        ValueError: the encoder differs from `options.fingerprint`, or options of `load_encoder` were
            passed with a loaded encoder; and the errors of `load_encoder`.
        TypeError: `encoder` is neither a name nor an `ImageEncoder`.
        FileNotFoundError: `options.fingerprint` is no folder of encoded data.
    """
    if isinstance(encoder, ImageEncoder):
        opened = _move(encoder, options)
    elif isinstance(encoder, str | os.PathLike):
        load_options: dict[str, Any] = {name: getattr(options, name) for name in LOAD_OPTIONS}
        if options.input_size is not None:
            height, width = options.input_size
            load_options["input_size"] = (height, width)
        opened = load_encoder(os.fspath(encoder), device=options.device, channels="last", **load_options)
    else:
        raise TypeError(
            "`encoder` must be a name for `load_encoder`, the folder of a saved encoder, or an "
            f"ImageEncoder. Received a {type(encoder).__name__}."
        )
    if options.fingerprint is not None:
        _check_fingerprint(options.fingerprint, opened)
    return opened


def check_recorded_encoder(reward: object, env: Any) -> None:
    """Check that the encode wrapper of an environment has the encoder that a reward recorded.

    Nothing is checked for a reward without record, and for an environment without such a wrapper in this
    process: its observations may be features that were stored.

    Raises:
        ValueError: the encoders differ.
    """
    record = getattr(reward, "obs_encoder", None)
    if not isinstance(record, EncoderRecord):
        return
    while env is not None:
        inner = getattr(env, "__dict__", {})
        encoder = getattr(inner.get("observation_encoder"), "encoder", None)
        if encoder is not None:
            record.check(encoder.fingerprint(), "`reward`")
            return
        several = inner.get("envs", inner.get("workers"))
        first = several[0] if isinstance(several, list | tuple) and several else None
        env = inner.get("env", inner.get("venv", first))


def _move(encoder: ImageEncoder, options: EncodeOptions) -> ImageEncoder:
    defaults = {field.name: field.default for field in fields(EncodeOptions)}
    changed = [name for name in LOAD_OPTIONS if getattr(options, name) != defaults[name]]
    if changed:
        listed = ", ".join(f"{name}={getattr(options, name)!r}" for name in changed)
        raise ValueError(
            f"`encoder` must be a name or a folder if options of `load_encoder` are set: {listed}. Received "
            "an ImageEncoder, which is loaded already; pass these options to `load_encoder`."
        )
    if options.device != "auto":
        device = resolve_device(options.device)
        check_backend(encoder.backend, encoder.amp, device, compile=False)
        encoder.to(device)
    return encoder


def _check_fingerprint(source: str | os.PathLike[str] | Mapping[str, Any], encoder: ImageEncoder) -> None:
    if isinstance(source, Mapping):
        expected, name = Fingerprint.from_dict(source), "the given one"
    else:
        path = Path(source) / "fingerprint.json"
        if not path.is_file():
            raise FileNotFoundError(
                "`fingerprint` must be a folder that encode_dataset wrote, or the content of its "
                f"fingerprint.json. Received {str(source)!r}; there is no {path}."
            )
        expected, name = Fingerprint.from_dict(json.loads(path.read_text())), str(path)
    fingerprint = encoder.fingerprint()
    differences = fingerprint.mismatch(expected)
    if differences:
        raise ValueError(
            f"`fingerprint` must be this encoder's, but {' and '.join(differences)} differ from {name}: "
            f"{fingerprint.explain(expected)}. Encodings of two encoders cannot be mixed: use the encoder "
            "that made the data, or encode the data again."
        )
