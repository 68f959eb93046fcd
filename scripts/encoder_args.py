"""Arguments of an encoder, shared by the commands.

`EncoderArgs`        name, readout, weights and input size of an encoder, and consent to its terms
`FrozenEncoderArgs`  the same with options for encoders that stay frozen: backend and precision
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    import torch

    from rlpriors.encoders import ImageEncoder
from rlpriors.settings import check_fields

__all__ = ["EncoderArgs", "FrozenEncoderArgs"]


@dataclass(frozen=True)
class EncoderArgs:
    """Arguments of an encoder."""

    name: Annotated[str, tyro.conf.arg(name="encoder")]
    """Name of the encoder, such as rlpriors/atari-filters (Atari, bundled), nature-cnn or dinov2-small,
    timm:<id>, hf:<id>, or the folder of a saved encoder, such as <run>/encoder of `rlpriors pretrain`."""

    readout: str | None = None
    """Readout of the encoder, which makes the features of a frame, such as cls, mean, "grid(2)" or
    "crops(1,2,4)"; the encoder's own readout by default."""

    weights: str = "auto"
    """Weights of the encoder: "auto" for published weights, "none" for random weights, or a file."""

    input_size: tuple[int, int] | None = None
    """Height and width of the encoder's input; its own by default.  A smaller input is faster, a larger one
    gives more patches."""

    stride: int | None = None
    """Pixels per cell of the map at which a convolutional network ends, such as 8, 16 or 32; by default the
    network does not end earlier.  An earlier map resolves smaller objects and costs less."""

    allow_noncommercial: bool = False
    """Consent to weights whose license forbids commercial use, and to the terms of gated weights."""

    trust_remote_code: bool = False
    """Consent to run the code that comes with the weights."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def is_network(self) -> bool:
        """True for one of this project's networks, which have no published weights.

        Raises:
            ValueError: the name is unknown.
        """
        from rlpriors.encoders import encoder_spec

        return encoder_spec(self.name).source == "network"

    def load(
        self,
        *,
        device: "str | torch.device",
        seed: int,
        train: bool = False,
        input_size: tuple[int, int] | None = None,
        **options: Any,
    ) -> "ImageEncoder":
        """Load the encoder.

        Args:
            device: device of the encoder.
            seed: seed of random weights.
            train: True for an encoder that is trained next: "auto" weights of a network are then random.
            input_size: input size if the argument `input_size` is None.
            options: further options of `load_encoder`.

        Raises:
            ValueError: the encoder is unknown, or an argument does not fit it.
        """
        from rlpriors.encoders import load_encoder

        weights = "none" if train and self.weights == "auto" and self.is_network else self.weights
        return load_encoder(
            self.name,
            readout=self.readout,
            weights=weights,
            input_size=self.input_size or input_size,
            stride=self.stride,
            allow_noncommercial=self.allow_noncommercial,
            trust_remote_code=self.trust_remote_code,
            device=device,
            seed=seed,
            **options,
        )


@dataclass(frozen=True)
class FrozenEncoderArgs(EncoderArgs):
    """Arguments of an encoder that stays frozen."""

    backend: Literal["torch", "openvino", "auto"] = "torch"
    """Library that runs the encoder: torch, openvino (faster on many CPUs), or auto for OpenVINO where it is
    installed and gives the features of torch."""

    amp: Literal["bf16", "fp16"] | None = None
    """Half-precision computation of the encoder; full precision by default."""

    def load(self, **options: Any) -> "ImageEncoder":
        """Load the encoder with its backend and precision; "auto" prints its choice.

        Raises:
            ValueError: as `EncoderArgs.load`, or the backend does not support the encoder.
            ImportError: the backend is not installed.
        """
        encoder = super().load(backend=self.backend, amp=self.amp, **options)
        if self.backend == "auto":
            Console(highlight=False, soft_wrap=True).print(f"{self.name} is run by {encoder.backend}.")
        return encoder
