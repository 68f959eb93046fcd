"""Encoders by name.

`ENCODERS`         specifications of encoders with a short name, from `backbones.model_zoo`
`encoder_spec`     specification of an encoder by any kind of name
`saved_settings`   settings in a saved encoder's folder

Other packages register encoders with an entry point in the group `rlpriors.encoders`: its name is the
encoder's, and its value refers to an `EncoderSpec`.
"""

import json
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.bundled import BUNDLED_PREFIX, bundled_folder, bundled_names
from rlpriors.encoders.backbones.hub import hub_encoder
from rlpriors.encoders.backbones.model_zoo import ENCODERS
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.storage.module_files import CONFIG, config_path

__all__ = ["ENCODERS", "encoder_spec", "saved_settings"]

GROUP = "rlpriors.encoders"


def encoder_spec(name: str | Path) -> EncoderSpec:
    """Return the specification of an encoder without loading any weights.

    `name` is one of `ENCODERS` or of another package, `timm:<id>`, `hf:<id or folder>` (a model of
    transformers, or a saved encoder, whose weights are downloaded),
    `torchhub:<repository or folder>:<entry>`, `local:<folder>`, the path of a folder that
    `ImageEncoder.save` wrote, or `rlpriors/<name>` for an encoder bundled with the library.

    Raises:
        ValueError: the name is unknown; the message lists the closest names.
        CheckpointError: a saved encoder's folder is damaged.
        FileNotFoundError: a hub is needed and cannot be reached.

    Example:
        >>> encoder_spec("dinov2-small").license
        'apache-2.0'
    """
    text = str(name)
    prefix, colon, rest = text.partition(":")
    if text in ENCODERS:
        return ENCODERS[text]
    if colon and prefix == "timm":
        from rlpriors.encoders.backbones.timm_spec import timm_spec

        return timm_spec(rest)
    if colon and prefix == "hf":
        from rlpriors.encoders.backbones.huggingface_spec import huggingface_spec

        saved = hub_encoder(rest)
        return huggingface_spec(rest) if saved is None else _saved_spec(text, str(saved))
    if colon and prefix == "torchhub":
        from rlpriors.encoders.backbones.torchhub import torchhub_spec

        return torchhub_spec(rest)
    if isinstance(name, str) and text.startswith(BUNDLED_PREFIX):
        return _saved_spec(text, str(bundled_folder(text)))
    if (colon and prefix == "local") or isinstance(name, Path) or Path(text, CONFIG).is_file():
        folder = rest if colon and prefix == "local" else text
        return _saved_spec(text, folder)
    plugins = _entry_points()
    if text in plugins:
        spec = plugins[text].load()
        if not isinstance(spec, EncoderSpec):
            raise TypeError(f"Entry point {text!r} of {GROUP!r} must be an EncoderSpec. Received {spec!r}.")
        return spec
    if Path(text, "encoder", CONFIG).is_file():
        raise ValueError(
            f"`name` must be the folder that holds `{CONFIG}`. Received {text!r}, whose encoder is in "
            f"{str(Path(text, 'encoder'))!r}."
        )
    if "/" in text and Path(text).is_dir():
        raise ValueError(
            f"`name` must be the folder of a saved encoder. Received {text!r} without a `{CONFIG}`."
        )
    known = [*ENCODERS, *plugins, *bundled_names()]
    close = get_close_matches(text.lower().replace("_", "-"), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else f" There are {sorted(known)}."
    raise ValueError(
        "`name` must be an encoder's name, a saved encoder's folder, or an id after 'timm:', 'hf:' or "
        f"'torchhub:'. Received {text!r}.{hint}"
    )


def saved_settings(folder: str | Path) -> dict[str, Any]:
    """Return the settings that `ImageEncoder.save` wrote into `folder`: spec, readout, architecture.

    Raises:
        CheckpointError: `folder` holds no saved encoder.
    """
    path = config_path(folder)
    try:
        config = json.loads(path.read_text())
        settings = config["settings"]
        if config["class"] == "ImageEncoder" and {"spec", "readout", "architecture"} <= set(settings):
            return dict(settings)
        reason = f"holds a {config['class']}"
    except FileNotFoundError:
        reason = f"has no {CONFIG}"
    except (OSError, KeyError, TypeError, ValueError) as error:  # ValueError: not JSON, or not text
        reason = f"has a damaged {CONFIG} ({type(error).__name__}: {error})"
    raise CheckpointError(
        f"{folder} is not a saved encoder: it {reason}. Give a folder that ImageEncoder.save wrote; a "
        f"Hugging Face folder is named 'hf:{folder}'."
    )


def _saved_spec(name: str, folder: str) -> EncoderSpec:
    saved = saved_settings(folder)["spec"]
    replaced = {"name": name, "source": "local", "model_id": folder}
    try:
        return EncoderSpec.from_dict({**saved, **replaced})
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{folder} has a damaged {CONFIG}, of another encoder or version: {error} Save the encoder again."
        ) from error


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
