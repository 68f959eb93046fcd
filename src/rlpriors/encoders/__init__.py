"""Pretrained encoders: from frames to features.

`load_encoder`    an encoder by its name or folder
`encoder_spec`    what is known about one before it is loaded
`ENCODERS`        those with a short name
`ImageEncoder`    what they all are
`EncoderSpec`     the card of one
`Fingerprint`     what tells the features of one from those of another

Readouts are in `rlpriors.encoders.readouts.registry`.
"""

from rlpriors.encoders.encoder import Backbone, ImageEncoder
from rlpriors.encoders.fingerprint import Fingerprint
from rlpriors.encoders.load import load_encoder
from rlpriors.encoders.registry import ENCODERS, encoder_spec
from rlpriors.encoders.spec import EncoderSpec

__all__ = [
    "ENCODERS",
    "Backbone",
    "EncoderSpec",
    "Fingerprint",
    "ImageEncoder",
    "encoder_spec",
    "load_encoder",
]
