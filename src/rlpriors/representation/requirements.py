"""Sizes of encoders and requirements of recipes.

`measure_sizes`     dimensions of encoder and data
`example_features`  features of two black images
`check_encoder`     check that an encoder can be trained
`check_needs`       check that encoder and data satisfy a recipe's needs
"""

import torch

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.representation.clips import Actions
from rlpriors.representation.recipe import Recipe, Sizes
from rlpriors.types import Features

__all__ = ["check_encoder", "check_needs", "example_features", "measure_sizes"]

NEEDS = {
    "maps": "computes maps, such as a convolutional network",
    "tokens": "computes tokens, such as a convolutional network or a vision transformer",
    "masks": 'can skip masked tokens: a vision transformer of this library, such as "vit-nano"',
}
"""Requirements of a recipe on its encoder, as worded in errors."""


def example_features(encoder: ImageEncoder) -> Features:
    """Return features of two black images."""
    height, width = encoder.spec.input_size
    x = torch.zeros(2, encoder.spec.channels, height, width, device=encoder.device)
    with torch.no_grad():
        mode = encoder.training
        features: Features = encoder.eval()(x)
        encoder.train(mode)
    return features


def measure_sizes(encoder: ImageEncoder, recipe: Recipe, actions: Actions | None, updates: int) -> Sizes:
    """Return the dimensions of encoder and data, from which the modules of a recipe are built."""
    global_, tokens, maps = example_features(encoder)
    return Sizes(
        dim=global_.shape[1],
        maps=None if maps is None else (maps.shape[1], maps.shape[2], maps.shape[3]),
        tokens=None if tokens is None else (tokens.shape[1], tokens.shape[2]),
        pixels=(encoder.spec.channels, *encoder.spec.input_size),
        horizon=recipe.horizon,
        stride=recipe.stride,
        actions=actions,
        updates=updates,
    )


def check_needs(encoder: ImageEncoder, recipe: Recipe, sizes: Sizes) -> None:
    """Check that encoder and data satisfy `recipe.needs`.

    Raises:
        ValueError: actions, maps, tokens or token masks are missing.
    """
    if "act" in recipe.needs and sizes.actions is None:
        raise ValueError(
            f"Recipe {recipe.name!r} needs actions. Received data without any; store them as `act` when "
            "frames are written."
        )
    supported = {
        "maps": sizes.maps is not None,
        "tokens": sizes.tokens is not None,
        "masks": encoder.can_mask,
    }
    for name, need in NEEDS.items():
        if name in recipe.needs and not supported[name]:
            raise ValueError(
                f"Recipe {recipe.name!r} needs an encoder that {need}. Received {encoder.spec.name!r}."
            )


def check_encoder(encoder: ImageEncoder) -> None:
    """Check that an encoder can be trained.

    Raises:
        ValueError: the encoder encodes clips, or has a readout with weights.
    """
    if encoder.spec.frames > 1:
        raise ValueError(
            f"`encoder` must encode single frames. Received {encoder.spec.name!r}, which encodes clips of "
            f"{encoder.spec.frames}."
        )
    if any(True for _ in encoder.readout.parameters()):
        raise ValueError(
            "`encoder` must have a readout without weights, as recipes train the network in front of it. "
            f"Received {encoder.readout.name!r}; train with another readout, and set this one when the "
            "encoder is loaded."
        )
