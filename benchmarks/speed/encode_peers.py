"""Encoders of this library, run by other libraries with the same weights.

`make_torchrl`  TorchRL's R3MTransform with the encoder's network
`make_onnx`     ONNX Runtime on the encoder's network
"""

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlpriors.encoders import ImageEncoder

__all__ = ["make_onnx", "make_torchrl"]


class _Global(nn.Module):
    """The backbone as a function from pixels to the global vector."""

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.backbone = encoder.backbone

    def forward(self, x: Tensor) -> Tensor:
        vectors: Tensor = self.backbone(x).global_
        return vectors


def make_torchrl(encoder: ImageEncoder, batch: np.ndarray) -> Callable[[], Tensor] | None:
    """Return TorchRL's R3MTransform of a batch of frames, or None if TorchRL is not installed.

    ResNet-18 runs in TorchRL's own network, into which the weights are loaded.  Another network takes its
    place in the transform.  Size and normalization are the encoder's.
    """
    try:
        from tensordict import TensorDict
        from torchrl.envs.transforms import ObservationNorm, R3MTransform
    except ImportError:
        return None
    spec, device = encoder.spec, encoder.device
    transform = R3MTransform("resnet18", in_keys=["pixels"], size=spec.input_size[0], download=False)
    if not transform.initialized:
        transform._init()
    parts = list(transform.transforms)
    network: Any = parts[-1]
    if encoder.backbone.architecture.get("model") == "resnet18":
        weights = {key.removeprefix("network."): v for key, v in encoder.backbone.state_dict().items()}
        network.convnet.load_state_dict({key: v for key, v in weights.items() if not key.startswith("fc.")})
    else:
        network.convnet = _Global(encoder)
    norm: Any = next(part for part in parts if isinstance(part, ObservationNorm))
    norm.loc.copy_(torch.tensor(spec.mean).view(3, 1, 1))
    norm.scale.copy_(torch.tensor(spec.std).view(3, 1, 1))
    transform = transform.to(device).eval()

    @torch.inference_mode()
    def run() -> Tensor:
        pixels = torch.from_numpy(batch).to(device)
        encoded = transform._call(TensorDict({"pixels": pixels}, [len(batch)], device=device))
        result: Tensor = encoded["r3m_vec"]
        return result

    return run


def make_onnx(encoder: ImageEncoder, batch: np.ndarray) -> Callable[[], Tensor] | None:
    """Return ONNX Runtime's features of a preprocessed batch, or None if it is not installed."""
    try:
        import onnx  # noqa: F401  (the exporter needs it)
        import onnxruntime
    except ImportError:
        return None
    x = encoder.preprocess(batch)
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer
        torch.onnx.export(
            _Global(encoder),
            (x,),
            file,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        file.getvalue(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    inputs = {"x": x.numpy()}
    return lambda: torch.from_numpy(session.run(None, inputs)[0])
