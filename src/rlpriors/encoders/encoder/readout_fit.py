"""Readouts for the features of a network.

`example_features`  features of one black frame, whose sizes readouts are built for
`fit_readout`       readout with weights for features of these sizes
"""

import torch
from torch import Tensor

from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.preprocess import Preprocess
from rlpriors.encoders.readouts.registry import Readout, available_readouts, parse_readout
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

__all__ = ["example_features", "fit_readout"]


def example_features(spec: EncoderSpec, preprocess: Preprocess, backbone: Backbone) -> Features:
    """Return the features of one black frame, on the device of `preprocess`.

    Raises:
        ValueError: the network does not take frames of the spec's input size.
    """
    height, width = spec.input_size
    size = (1, height, width, spec.channels)
    frames = torch.zeros(size, dtype=torch.uint8, device=preprocess.scale.device)
    try:
        with torch.no_grad():  # not inference mode: readouts build weights from these
            features: Features = backbone(preprocess.prepare(frames))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ValueError(
            f"{spec.name!r} cannot take frames of input_size={spec.input_size} with "
            f"{spec.channels} channels: {error}. Leave `input_size` out, or pass another."
        ) from error
    return features


@torch.random.fork_rng(devices=[])  # layers draw initial weights before those of `seed`
def fit_readout(
    readout: str | Readout, example: Features, device: torch.device, seed: int
) -> tuple[Readout, tuple[int, ...]]:
    """Return the readout with weights from `seed`, on the device, and the shape of a frame's encoding.

    Args:
        readout: a readout or its specification.
        example: features of `example_features`, on any device.
        device: device of the encoder.
        seed: random seed of the weights.

    Raises:
        ValueError: the network lacks the features that the readout needs.
    """

    def moved(part: Tensor | None) -> Tensor | None:
        return None if part is None else part.to(device)

    # The encoder may have moved to another device.
    example = Features(example.global_.to(device), moved(example.tokens), moved(example.maps))
    parsed = parse_readout(readout).to(device)
    reason = parsed.missing_features(example)
    if reason is not None:
        available = ", ".join(available_readouts(example))
        raise ValueError(f"`readout` {parsed.name!r} {reason}. This encoder can give: {available}.")
    fitted = parsed.build(example, seed).to(device)
    fitted.eval()
    return fitted, tuple(fitted.output_shape(example))
