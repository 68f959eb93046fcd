"""Pretrained image encoders: from frames to features.

The package loads encoders by name or folder, preprocesses frames and pools features into vectors.  It
does not know environments, wrappers or training.

`encoder/`       image encoders: preprocessing, backbone and readout as one module
`spec`           specifications of encoders
`registry`       encoders by name
`load`           loading of encoders
`saved`          check of a saved encoder's settings
`torch_checkpoint`   tensors of torch checkpoints
`preprocess`     preprocessing of frames
`chunking`       forward passes of bounded size
`openvino_backend`  networks that OpenVINO runs
`backend_choice`  choice of the library that runs an encoder
`fingerprint`    fingerprints of encoders
`record`         record of the encoder whose features a model reads
`state_version`  count of changes of an encoder's weights
`calibration`    BatchNorm statistics and 8-bit integers, calibrated on one's own frames
`efficientnet_keys`  keys of EfficientNet files in TensorFlow's naming
`attention`      attention and saliency maps
`backbones/`     networks and their weights, by source
`readouts/`      pooling of features into vectors
`dataset/`       encoded data sets and the feature cache
`pretrained/`    weights of the bundled encoders
"""

from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.calibration import bn_calibrate, quantize
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.fingerprint import Fingerprint
from rlpriors.encoders.load import load_encoder
from rlpriors.encoders.record import EncoderRecord
from rlpriors.encoders.registry import ENCODERS, encoder_spec
from rlpriors.encoders.spec import EncoderSpec

__all__ = [
    "ENCODERS",
    "Backbone",
    "EncoderRecord",
    "EncoderSpec",
    "Fingerprint",
    "ImageEncoder",
    "bn_calibrate",
    "encoder_spec",
    "load_encoder",
    "quantize",
]
