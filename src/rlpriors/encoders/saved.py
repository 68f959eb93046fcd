"""Check of a saved encoder's settings before anything is built from them, and its model card.

`check_saved`   check that the settings name a known network with its numbers, and nothing else
`encoder_card`  contents of the model card that `ImageEncoder.save` writes

A saved encoder may come from anyone.  timm and transformers accept arguments that download a URL, read
a local file or run the code of a repository, so that the settings of a folder are checked against an
allow-list: names of known networks, names of their constructors' arguments, numbers and short words.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any

from torch import nn

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.checkpoint_files import KEY_LAYOUTS
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.sharing.card import Card
from rlpriors.sharing.provenance import shorten_paths

__all__ = ["check_saved", "encoder_card"]

MAX_INPUT_VALUES = 2**26
"""Maximum number of values of one input: frames * channels * height * width."""
WORD = re.compile(r"[A-Za-z0-9_]{0,64}")
LOADING_NAMES = re.compile(
    r"^_|^pretrained(_cfg.*|_model.*)?$|(^|_)backbone(_config|_kwargs)?$|implementation|auto_map"
    r"|checkpoint_path|cache_dir|name_or_path"
)
"""Arguments that load something; refused even if a constructor has them."""
# Arguments that timm consumes before some constructors.
TIMM_FACTORY_NAMES = {"num_classes", "in_chans", "img_size", "global_pool", "bn_tf", "bn_momentum", "bn_eps"}
NO_ARGUMENT = "left out: it is no argument of a network"
SNIPPET = """
import numpy as np

from rlpriors.encoders import load_encoder

encoder = load_encoder("{{name}}"{options})
frames = np.zeros((2, {height}, {width}, {channels}), np.uint8)  # a batch of images of any size
print(encoder.encode(frames).shape)
"""


def check_saved(spec: EncoderSpec, architecture: Any) -> None:
    """Check the spec and the architecture of a saved encoder.

    Raises:
        CheckpointError: they name something other than a known network, its arguments and numbers.
    """
    height, width = spec.input_size
    if spec.frames * spec.channels * height * width > MAX_INPUT_VALUES:
        raise CheckpointError(
            f"The inputs of a saved encoder must have at most {MAX_INPUT_VALUES} values. Received "
            f"{spec.frames} frames of {spec.channels}x{height}x{width}."
        )
    if not isinstance(architecture, Mapping):
        raise _refuse("architecture", architecture, "a dictionary")
    _check_plain("spec.options", spec.options)
    if spec.source == "network":
        _check_keys("architecture", architecture, set())
    elif spec.source in ("timm", "published"):
        if spec.source == "published" and spec.layout not in KEY_LAYOUTS:
            raise _refuse("spec.layout", spec.layout, f"one of {sorted(KEY_LAYOUTS)}")
        _check_keys("architecture", architecture, {"model", "arguments"})
        _check_timm(architecture["model"], architecture["arguments"])
    elif spec.source == "huggingface":
        _check_keys("architecture", architecture, {"config"})
        _check_transformers(architecture["config"])
    elif spec.source != "torchhub":  # which runs code only with `trust_remote_code`
        raise _refuse("spec.source", spec.source, "the source of a network")


def encoder_card(spec: EncoderSpec, readout: str, output_shape: tuple[int, ...], weights: str) -> Card:
    """Return the contents of an encoder's card: network, images, preprocessing, readout and license.

    Args:
        spec: specification of the encoder.
        readout: name of its readout.
        output_shape: shape of a frame's encoding.
        weights: number of weights in words.
    """
    height, width = spec.input_size
    options = "" if spec.commercial and not spec.gated else ", allow_noncommercial=True"
    options += ", trust_remote_code=True" if spec.source == "torchhub" else ""
    identity = spec.model_id if "://" in spec.model_id else shorten_paths(spec.model_id)
    colors = {1: "gray", 3: "RGB"}.get(spec.channels, f"{spec.channels} channels")
    mean, std = ([round(value, 4) for value in values] for values in (spec.mean, spec.std))
    return Card(
        "encoder",
        "An image encoder: it turns frames into vectors, which replace images in observations.",
        SNIPPET.format(options=options, height=height, width=width, channels=spec.channels),
        {
            "encoder": f"`{shorten_paths(spec.name)}`, {weights} weights",
            "network": f"`{identity}` ({spec.source})",
            "image": f"{colors}, uint8 0..255 or floats 0..1, [batch, height, width, {spec.channels}]",
            "resize": f"{spec.resize} to {height}x{width}, {spec.interpolation}, antialias={spec.antialias}",
            "normalization": f"(x - {mean}) / {std} of pixels in 0..1, inside",
            "frames": f"{spec.frames} in each input",
            "readout": f"`{readout}`",
            "output": f"{list(output_shape)} numbers for each image",
        },
        tags=("image-encoder", "representation-learning"),
        pipeline_tag="image-feature-extraction",
        license=None if spec.license == "unknown" or spec.license.startswith("none") else spec.license,
    )


def _check_timm(model: Any, arguments: Any) -> None:
    from rlpriors.encoders.backbones.timm_spec import import_timm

    timm = import_timm()
    # A word has no ":", so that it is no id of the hub or of a folder.
    if not (isinstance(model, str) and WORD.fullmatch(model) and timm.is_model(model)):
        raise _refuse("architecture.model", model, "a network of timm")
    names = set(TIMM_FACTORY_NAMES)
    for value in vars(sys.modules[timm.model_entrypoint(model).__module__]).values():
        if inspect.isclass(value) and issubclass(value, nn.Module):
            for base in value.__mro__:
                if issubclass(base, nn.Module) and base is not nn.Module:
                    names |= set(inspect.signature(base.__init__).parameters)
    _check_plain("architecture.arguments", arguments)
    _check_known("architecture.arguments", arguments, names)


def _check_transformers(config: Any) -> None:
    from rlpriors.encoders.backbones.huggingface_config import config_fields, import_transformers

    transformers = import_transformers()
    known = transformers.CONFIG_MAPPING
    kind = config.get("model_type") if isinstance(config, Mapping) else None
    if not (isinstance(kind, str) and kind in known and kind != "timm_wrapper"):
        raise _refuse("architecture.config.model_type", kind, "a network of transformers")
    # They name classes, labels and versions.  Older folders contain them; `build_huggingface` ignores them.
    inert = set(inspect.signature(transformers.PreTrainedConfig.__init__).parameters)
    inert |= {"model_type", "_name_or_path", "output_attentions", "transformers_version"}
    fields = {name: value for name, value in config.items() if name not in inert}
    _check_plain("architecture.config", fields)
    _check_known("architecture.config", fields, config_fields(known[kind]))


def _check_known(name: str, arguments: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(key for key in arguments if key not in known or LOADING_NAMES.search(key))
    if unknown:
        raise _refuse(
            f"{name}.{unknown[0]}", arguments[unknown[0]], "left out: it is no argument of a network"
        )


def _check_keys(name: str, data: Mapping[str, Any], keys: set[str]) -> None:
    if set(data) != keys:
        raise _refuse(name, sorted(data), f"made of {sorted(keys)}")


def _check_plain(name: str, value: Any, depth: int = 0) -> None:
    """Check that `value` consists of numbers, words, and lists and dictionaries of them."""
    if depth > 8:
        raise _refuse(name, value, "plain data")
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if not isinstance(key, str) or not WORD.fullmatch(key) or LOADING_NAMES.search(key):
                raise _refuse(f"{name}.{key}", entry, NO_ARGUMENT)
            _check_plain(f"{name}.{key}", entry, depth + 1)
    elif isinstance(value, list | tuple):
        for number, entry in enumerate(value):
            _check_plain(f"{name}[{number}]", entry, depth + 1)
    elif isinstance(value, str):
        if not WORD.fullmatch(value):
            raise _refuse(name, value, "a number or a word of letters, digits and _")
    elif value is not None and not isinstance(value, bool | int | float):
        raise _refuse(name, value, "a number or a word of letters, digits and _")


def _refuse(name: str, value: Any, bound: str) -> CheckpointError:
    return CheckpointError(
        f"`{name}` of a saved encoder must be {bound}. Received {str(value)[:200]!r}. A saved encoder may "
        "name a known network and its numbers only; load its original with `load_encoder` and save it again."
    )
