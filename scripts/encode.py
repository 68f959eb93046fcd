"""A data set through an encoder, from the command line: `rlpriors encode`.

What the encoder sees in each frame is kept on disk, so that whatever learns from it needs neither
the frames nor the encoder again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["EncodeSettings", "encode"]


@dataclass(frozen=True)
class EncodeSettings:
    """What `rlpriors encode` does."""

    source: str
    """A Minari data set on this machine, or the folder of a FrameStore."""

    encoder: str
    """A name such as dinov2-small, timm:<id>, hf:<id>, or the folder of a saved encoder."""

    folder: Path
    """Where the features go; a run that was stopped there goes on."""

    readout: str | None = None
    """What is kept of each frame, such as "cls", "mean" or "grid(2)"; by default the encoder's own."""

    weights: str = "auto"
    """"auto" for the published ones, a file, or "none" for a random start."""

    obs_keys: tuple[str, ...] = ()
    """The image in dictionary observations, where there is more than one."""

    dtype: Literal["float16", "float32"] = "float16"
    """How numbers are kept."""

    batch_size: int = 256
    """Frames at a time."""

    dedup: bool = True
    """Encode each distinct frame once."""

    resume: bool = True
    """Go on with what stands in the folder; without, an unfinished run begins anew."""

    input_size: tuple[int, int] | None = None
    """Height and width that the network sees; smaller is faster."""

    amp: Literal["bf16", "fp16"] | None = None
    """Compute in half precision, on a GPU."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    seed: int = 0
    """Of random weights, where there are any."""

    allow_noncommercial: bool = False
    """Agree to a license that forbids commercial use, or to terms of a gated model."""

    trust_remote_code: bool = False
    """Agree to run code that comes with the weights."""


def encode(settings: EncodeSettings) -> Path:
    """Encode the data set and return the folder."""
    from rich.console import Console

    from rlpriors.encoders import load_encoder
    from rlpriors.encoders.dataset.encode import encode_dataset

    encoder = load_encoder(
        settings.encoder,
        readout=settings.readout,
        weights=settings.weights,
        device=settings.device,
        allow_noncommercial=settings.allow_noncommercial,
        trust_remote_code=settings.trust_remote_code,
        input_size=settings.input_size,
        amp=settings.amp,
        seed=settings.seed,
    )
    encoded = encode_dataset(
        settings.source,
        encoder,
        settings.folder,
        obs_keys=settings.obs_keys or None,
        dtype=settings.dtype,
        batch_size=settings.batch_size,
        dedup=settings.dedup,
        resume=settings.resume,
    )
    say = Console(highlight=False, soft_wrap=True).print
    count, *shape = encoded.features.shape
    say(
        f"{count} frames of {len(encoded.lengths)} episodes, {tuple(shape)} numbers each in "
        f"{encoded.features.dtype}, by {encoder.spec.name} ({encoder.readout.name}). To use them:\n"
    )
    say("    from rlpriors.encoders.dataset.encode import load_encoded")
    say(f'    features = load_encoded("{settings.folder}").features\n', markup=False)
    say(str(settings.folder))
    return settings.folder
