"""Settings that rebuild a saved encoder, and the fingerprint of its output.

`ImageEncoderSettings`   settings that rebuild a saved encoder
`encoder_fingerprint`    fingerprint of a network with its preprocessing and readout
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.fingerprint import Fingerprint, weights_digest
from rlpriors.encoders.readouts.base import Readout
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.settings import check_fields

__all__ = ["ImageEncoderSettings", "encoder_fingerprint"]

# Fields of a spec that identify a network, and fields that define the preprocessing of frames.
IDENTITY_FIELDS = ["source", "model_id", "revision", "head", "layout", "options"]
PREPROCESS_FIELDS = [
    "input_size",
    "channels",
    "frames",
    "resize",
    "crop_pct",
    "interpolation",
    "antialias",
    "mean",
    "std",
]


@dataclass(frozen=True)
class ImageEncoderSettings:
    """Settings that rebuild a saved encoder; `ImageEncoder.save` writes them."""

    spec: EncoderSpec
    """Specification of the encoder, with the selected input size and resize."""
    readout: str
    """Specification of the readout."""
    architecture: Mapping[str, Any] = field(default_factory=dict)
    """Description of the backbone's network; see `Backbone.architecture`."""

    def __post_init__(self) -> None:
        check_fields(self)


def encoder_fingerprint(
    spec: EncoderSpec, backbone: Backbone, readout: Readout, *, precision: str, backend: str
) -> Fingerprint:
    """Return the fingerprint of an encoder's output; each call reads all weights.

    Args:
        spec: specification of the encoder.
        backbone: network with its weights.
        readout: readout with its weights.
        precision: precision of the network, see `Fingerprint`.
        backend: library that runs the network.
    """
    fields = asdict(spec)
    cut = {} if spec.stride is None else {"stride": spec.stride}
    return Fingerprint(
        spec={name: fields[name] for name in IDENTITY_FIELDS} | cut,
        weights=weights_digest(backbone),
        preprocess={name: fields[name] for name in PREPROCESS_FIELDS},
        readout={"name": readout.name, "weights": weights_digest(readout)},
        precision=precision,
        backend=backend,
    )
