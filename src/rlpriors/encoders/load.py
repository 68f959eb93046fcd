"""Loading of encoders.

`load_encoder`   encoder by name, folder or specification
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rlpriors import checkpoint
from rlpriors.arguments import check_arguments
from rlpriors.checkpoint import CheckpointError
from rlpriors.device import limit_forked_threads, resolve_device
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.backbones.license import check_license
from rlpriors.encoders.backbones.native import build_network
from rlpriors.encoders.backend_choice import BackendOption, choose_backend
from rlpriors.encoders.encoder import Amp, ImageEncoder
from rlpriors.encoders.openvino_backend import check_backend
from rlpriors.encoders.preprocess import Channels
from rlpriors.encoders.readouts.registry import Readout
from rlpriors.encoders.registry import encoder_spec
from rlpriors.encoders.saved import check_saved
from rlpriors.encoders.spec import EncoderSpec, Resize, check_size

__all__ = ["load_encoder"]


@torch.random.fork_rng(devices=[])  # networks are initialized on the CPU before their weights are loaded
@partial(check_arguments, skip=("input_size", "weights"))  # `check_size` and the loaders name the fix
def load_encoder(
    name: str | Path | EncoderSpec,
    *,
    readout: str | Readout | None = None,
    weights: str | Path = "auto",
    device: Any = "auto",
    allow_noncommercial: bool = False,
    trust_remote_code: bool = False,
    input_size: Sequence[int] | None = None,
    resize: Resize | None = None,
    stride: int | None = None,
    amp: Amp | None = None,
    compile: bool = False,
    backend: BackendOption = "torch",
    channels_last: bool = False,
    channels: Channels = "auto",
    chunk_size: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> ImageEncoder:
    """Load an encoder, frozen and in evaluation mode; torch's global random state is unchanged.

    `name` is a name that `encoder_spec` accepts, or an `EncoderSpec`.  `readout` specifies the output
    for each frame.  None selects the saved readout of a saved encoder, otherwise "cls", the network's
    global vector.

    `weights` is "auto" for published weights (downloaded once, with a progress bar), the path of a
    file, or "none" for a random initialization from `seed`; weights are never random otherwise.
    Non-commercial or gated weights require `allow_noncommercial`.  torch.hub runs code of the
    repository that it loads, which requires `trust_remote_code`.

    `input_size` and `resize` replace those of the spec; a smaller input is the simplest way to reduce
    the cost.  `stride` ends a convolutional network of timm at its last map of that many pixels per
    cell, such as 8, 16 or 32: earlier maps resolve smaller objects and cost less.  `backend` "auto" selects
    OpenVINO where it is installed and its features are those of torch; see `choose_backend`.
    `ImageEncoder` documents the other options.

    Raises:
        ValueError: the name is unknown, the license or the remote code is not accepted, or an option
            does not suit the network.
        FileNotFoundError: the weights cannot be downloaded, or the file does not exist.
        CheckpointError: the weights are damaged or belong to another network.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> load_encoder("impala-cnn", weights="none", device="cpu").output_shape
        (256,)
    """
    limit_forked_threads()  # before a network is built
    _check_weights(weights)
    spec = name if isinstance(name, EncoderSpec) else encoder_spec(name)
    size = None if input_size is None else check_size("input_size", input_size)
    if weights != "none":
        check_license(spec, allow_noncommercial)
    options: dict[str, Any] = {"amp": amp, "compile": compile, "channels_last": channels_last}
    options |= {"channels": channels, "chunk_size": chunk_size, "seed": seed}
    options["backend"] = "torch" if backend == "auto" else backend
    if spec.source == "local":
        if stride is not None and stride != spec.stride:
            raise ValueError(
                f"`stride` of a saved encoder is fixed, here at {spec.stride}. Received {stride}; leave it "
                "out, or load the original encoder with it."
            )
        saved = _load_saved(spec, weights, size, resize, readout, device, options, trust_remote_code)
        return choose_backend(saved) if backend == "auto" else saved.convert()
    spec = replace(
        spec,
        input_size=size or spec.input_size,
        resize=resize or spec.resize,
        stride=spec.stride if stride is None else stride,
    )
    backbone = _builder(spec)(
        spec, weights, seed=seed, progress=progress, trust_remote_code=trust_remote_code
    )
    if weights == "none":
        # Weights that are trained from scratch belong to the user.
        spec = replace(spec, license="none: untrained", commercial=True, gated=False)
    encoder = ImageEncoder(spec, backbone, "cls" if readout is None else readout, device=device, **options)
    return choose_backend(encoder) if backend == "auto" else encoder.convert()


def _check_weights(weights: Any) -> None:
    if not isinstance(weights, str | os.PathLike):
        raise TypeError(
            f'`weights` must be "auto", "none" or the path of a file. Received {weights!r}; pass '
            'weights="none" for an untrained network, or leave it out for published weights.'
        )


def _load_saved(
    spec: EncoderSpec,
    weights: str | Path,
    input_size: tuple[int, int] | None,
    resize: Resize | None,
    readout: str | Readout | None,
    device: Any,
    options: Mapping[str, Any],
    trust_remote_code: bool,
) -> ImageEncoder:
    if weights != "auto":
        raise ValueError(
            f'`weights` must be "auto" for the saved encoder {spec.model_id!r}. Received {str(weights)!r}; '
            "leave it out, or name the encoder that was saved."
        )
    if input_size is not None and input_size != spec.input_size:
        raise ValueError(
            f"`input_size` of a saved encoder is fixed, here at {spec.input_size}. Received {input_size}; "
            "leave it out, or load the original encoder with it."
        )

    def rebuild(settings: dict[str, Any]) -> ImageEncoder:
        saved = EncoderSpec.from_dict(settings["spec"])
        architecture = settings["architecture"]
        check_saved(saved, architecture)
        backbone = _builder(saved)(
            saved, "none", architecture=architecture, trust_remote_code=trust_remote_code
        )
        chosen = replace(saved, resize=resize or saved.resize)
        return ImageEncoder(chosen, backbone, settings["readout"], device="cpu", **options)

    if (options["backend"], device) == ("openvino", "auto"):
        device = "cpu"
    check_backend(options["backend"], options["amp"], resolve_device(device), options["compile"])

    module = checkpoint.load(spec.model_id, {"ImageEncoder": rebuild}, device)
    if not isinstance(module, ImageEncoder):
        raise CheckpointError(f"{spec.model_id} holds a {type(module).__name__}, not an ImageEncoder.")
    if readout is not None and (isinstance(readout, Readout) or readout != module.readout.name):
        module.set_readout(readout, options["seed"])
    return module


def _builder(spec: EncoderSpec) -> Callable[..., Backbone]:
    # Imported when used: the library of each loader takes seconds to import.
    if spec.source == "timm":
        from rlpriors.encoders.backbones.timm import build_timm

        return build_timm
    if spec.source == "huggingface":
        from rlpriors.encoders.backbones.huggingface import build_huggingface

        return build_huggingface
    if spec.source == "torchhub":
        from rlpriors.encoders.backbones.torchhub import build_torchhub

        return build_torchhub
    if spec.source == "published":
        from rlpriors.encoders.backbones.checkpoint_files import build_from_checkpoint

        return build_from_checkpoint
    return build_network
