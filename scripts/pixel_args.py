"""Arguments of environments with images, whose observations an encoder replaces by features.

`PixelArgs`      encoder and frames of a command that learns
`RecordedArgs`   encoder of a command that reads a saved reward or prior
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from rlpriors.scripts.env_args import EnvArgs

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    import torch

    from rlpriors.encoders import EncoderRecord
    from rlpriors.envs.encoded_env import EncodedEnvs

__all__ = ["PixelArgs", "RecordedArgs"]

ENV_FIELDS = {field.name for field in fields(EnvArgs)} | {"encoder"}


@dataclass(frozen=True, kw_only=True)
class PixelArgs(EnvArgs):
    """Encoder and frames of a command that learns."""

    encoder: str | None = None
    """Encoder of images: each image of an observation becomes features.  Its name, such as nature-cnn or
    dinov2-small, "hf:<owner>/<name>", or the folder of a saved encoder; by default observations are read
    unchanged.  An environment without images is rendered."""

    readout: str | None = None
    """Readout of the encoder, which makes the features of a frame; the encoder's own by default."""

    weights: str = "auto"
    """Weights of the encoder: "auto" for published weights, "none" for random weights, or a file."""

    input_size: tuple[int, int] | None = None
    """Height and width of the encoder's input; its own by default."""

    encoder_stride: int | None = None
    """Pixels per cell of the map at which a convolutional encoder ends; its own by default."""

    backend: Literal["torch", "openvino", "auto"] = "torch"
    """Library that runs the encoder: torch, openvino, or auto for OpenVINO where it gives equal features."""

    allow_noncommercial: bool = False
    """Consent to weights whose license forbids commercial use, and to the terms of gated weights."""

    frame_stack: int = 1
    """Number of last frames whose features are one observation; 2 and more show velocities."""

    image_size: int = 64
    """Rows and columns of rendered images, for an environment without images in its observations."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("frame_stack", 1), ("image_size", 8), ("encoder_stride", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {value}.")
        if self.encoder is None:
            self._check_unused()

    def _check_unused(self) -> None:
        for field in fields(PixelArgs):
            flag = f"--{field.name.replace('_', '-')}"
            if field.name not in ENV_FIELDS and getattr(self, field.name) != field.default:
                raise ValueError(
                    f"`{field.name}` is for an encoder of images. Received it without one; add --encoder, or "
                    f"leave out {flag}."
                )

    def load_pixels(self, device: "str | torch.device", seed: int) -> "EncodedEnvs | None":
        """Load the encoder, with random weights from `seed`; None without `encoder`.

        Raises:
            ValueError: the encoder is unknown, or an argument does not fit it.
            FileNotFoundError: weights are missing.
        """
        if self.encoder is None:
            return None
        from rlpriors.envs.encoded_env import EncodedEnvs

        return EncodedEnvs.load(self._options(seed), device)

    def encoder_record(self, pixels: "EncodedEnvs | None", seed: int) -> "EncoderRecord | None":
        """Return the record of the loaded encoder; None without one."""
        from rlpriors.encoders import EncoderRecord

        if pixels is None:
            return None
        return EncoderRecord(pixels.encoder.fingerprint(), self._options(seed))

    def _options(self, seed: int) -> dict[str, Any]:
        return {
            "encoder": self.encoder,
            "readout": self.readout,
            "weights": self.weights,
            "input_size": None if self.input_size is None else list(self.input_size),
            "stride": self.encoder_stride,
            "backend": self.backend,
            "allow_noncommercial": self.allow_noncommercial,
            "seed": seed,
            "stack": self.frame_stack,
            "image_size": self.image_size,
        }


@dataclass(frozen=True, kw_only=True)
class RecordedArgs(EnvArgs):
    """Encoder of a command that reads a saved reward or prior."""

    encoder: str | None = None
    """Name or folder of the encoder that the reward or prior was learned with, if its folder was moved; by
    default the recorded one.  Another encoder is refused."""

    def recorded_pixels(
        self, records: "Sequence[EncoderRecord | None]", device: "str | torch.device"
    ) -> "EncodedEnvs | None":
        """Load the recorded encoder; None if no record exists.

        Raises:
            ValueError: the records differ, or `encoder` is another one, or is given without a record.
            FileNotFoundError: weights are missing.
        """
        from rlpriors.envs.encoded_env import EncodedEnvs

        known = [record for record in records if record is not None]
        if not known:
            if self.encoder is not None:
                raise ValueError(
                    f"`encoder` is for a model that was learned with an encoder. Received {self.encoder!r}, "
                    "and the model recorded none; leave out --encoder."
                )
            return None
        for other in known[1:]:
            known[0].check(other.fingerprint, "The prior")
        return EncodedEnvs.recorded(known[0], self.encoder, device)
