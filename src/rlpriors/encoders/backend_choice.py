"""Choice of the library that runs an encoder.

`BackendOption`   names of the backends, and "auto"
`choose_backend`  OpenVINO where its features are those of torch, otherwise torch
"""

import logging
from typing import Literal

from rlpriors.encoders.encoder import ImageEncoder

__all__ = ["BackendOption", "choose_backend"]

BackendOption = Literal["torch", "openvino", "auto"]

_log = logging.getLogger(__name__)


def choose_backend(encoder: ImageEncoder) -> ImageEncoder:
    """Run the encoder by OpenVINO if that is safe, otherwise by torch; return the encoder itself.

    OpenVINO is chosen if it is installed, the encoder is on the CPU in 32 bits without `compile`, and
    features and encodings of a batch of noise images agree with those of torch within `BACKEND_TOLERANCE` of
    their standard deviation.  `encoder.backend` names the choice, and the log the reason for torch.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu", amp="bf16")
        >>> choose_backend(encoder).backend  # half precisions of two backends do not agree
        'torch'
    """
    reason = f"half precision ({encoder.amp}) differs between backends" if encoder.amp is not None else None
    if reason is None:
        try:
            encoder.set_backend("openvino")
        except (ValueError, ImportError) as error:
            reason = str(error)
    if reason is None:
        _log.info("%s is run by OpenVINO.", encoder.spec.name)
    else:
        _log.info("%s is run by torch: %s", encoder.spec.name, reason)
    return encoder
