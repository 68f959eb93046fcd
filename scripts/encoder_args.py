"""Arguments of an encoder, shared by the commands.

`EncoderArgs`  name, readout, weights and input size of an encoder, and consent to its terms
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    import torch

    from rlpriors.encoders import ImageEncoder
from rlpriors.settings import check_fields

__all__ = ["EncoderArgs"]


@dataclass(frozen=True)
class EncoderArgs:
    """Arguments of an encoder."""

    name: Annotated[str, tyro.conf.arg(name="encoder")]
    """Name of the encoder, such as nature-cnn or dinov2-small, timm:<id>, hf:<id>, or the folder of a saved
    encoder, such as <run>/encoder of `rlpriors pretrain`."""

    readout: str | None = None
    """Readout of the encoder, which makes the features of a frame, such as cls, mean, "grid(2)" or
    "crops(1,2,4)"; the encoder's own readout by default."""

    weights: str = "auto"
    """Weights of the encoder: "auto" for published weights, "none" for random weights, or a file."""

    input_size: tuple[int, int] | None = None
    """Height and width of the encoder's input; its own by default.  A smaller input is faster, a larger one
    gives more patches."""

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
            allow_noncommercial=self.allow_noncommercial,
            trust_remote_code=self.trust_remote_code,
            device=device,
            seed=seed,
            **options,
        )
