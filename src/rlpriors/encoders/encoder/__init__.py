"""Image encoders: preprocessing, backbone and readout as one module.

`image_encoder`  `ImageEncoder`: from frames to vectors
`network`        `EncoderNetwork`: from prepared frames to features, frozen or trained, by torch or OpenVINO
`readout_fit`    readouts for the features of a network
`identity`       settings that rebuild a saved encoder, and its fingerprint
"""

from rlpriors.encoders.encoder.identity import ImageEncoderSettings
from rlpriors.encoders.encoder.image_encoder import ImageEncoder
from rlpriors.encoders.encoder.network import Amp

__all__ = ["Amp", "ImageEncoder", "ImageEncoderSettings"]
