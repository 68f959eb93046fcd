"""Networks that OpenVINO runs on the CPU.

`Backend`          names of the libraries that run a network
`OpenVINONetwork`  a backbone, converted and compiled
`Calibration`      prepared images on which a network in 8 bits is calibrated
`check_backend`    check that a backend is installed and supports the options of an encoder

OpenVINO fuses the layers of convolutional networks and is two to three times as fast as torch on one core.
It computes in 32 bits unless half precision or 8 bits are requested.
"""

import importlib
import logging
import os
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from hashlib import sha256
from io import StringIO
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.fingerprint import BACKEND_TOLERANCE
from rlpriors.extras import missing_extra
from rlpriors.types import Features

__all__ = ["Backend", "Calibration", "OpenVINONetwork", "check_backend", "import_nncf"]

Backend = Literal["torch", "openvino"]
PRECISIONS = {None: "f32", "bf16": "bf16", "fp16": "f16"}
CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}


def check_backend(backend: str, amp: str | None, device: torch.device, compile: bool) -> None:
    """Check that `backend` is installed and supports the other options of an encoder.

    Raises:
        ValueError: the backend is unknown, the device is no CPU, the CPU does not compute in the half
            precision `amp`, or `compile` is set.
        ImportError: OpenVINO is not installed.
    """
    if backend not in get_args(Backend):
        raise ValueError(f"`backend` must be one of {list(get_args(Backend))}. Received {backend!r}.")
    if backend == "torch":
        return
    if device.type != "cpu":
        raise ValueError(
            f'`device` must be "cpu" with backend="openvino". Received {str(device)!r}; use backend="torch" '
            "there."
        )
    if compile:
        raise ValueError('`compile` must be False with backend="openvino", which compiles by itself.')
    core = _import_openvino().Core()
    if amp is not None and CAPABILITIES[amp] not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ValueError(
            f'`amp` must be None on this CPU with backend="openvino". Received {amp!r}, in which it does not '
            "compute."
        )


class Calibration(NamedTuple):
    """Prepared images on which the ranges of activations are measured."""

    pixels: Float[Tensor, "images channels height width"]
    """Prepared pixels, on the CPU."""

    @property
    def digest(self) -> str:
        """Digest of the pixels: 16 hexadecimal digits."""
        return sha256(self.pixels.contiguous().numpy().tobytes()).hexdigest()[:16]


class OpenVINONetwork:
    """A backbone that OpenVINO has converted and compiled, for batches of any size.

    The weights are copied: a network of changed weights must be converted again.  In 32 bits the features,
    and the vectors that `readout` makes of them, are compared with those of torch when the network is
    converted.

    Args:
        backbone: the network, in evaluation mode.
        example: prepared pixels of at least 3 images, for the conversion and the comparison.
        amp: half precision, or None for 32 bits.
        readout: function of the features whose result is compared too.
        calibration: images on which a network in 8 bits is calibrated; None for a network that is not.

    Raises:
        ImportError: OpenVINO is not installed, or NNCF for 8 bits.
        ValueError: OpenVINO cannot convert the network, or its features differ from those of torch.

    Example:
        >>> import pytest
        >>> _ = pytest.importorskip("openvino")
        >>> from rlpriors.encoders import load_encoder
        >>> options = {"weights": "none", "device": "cpu"}
        >>> encoder = load_encoder("nature-cnn", backend="openvino", **options)
        >>> frames = torch.zeros(2, 84, 84, 3, dtype=torch.uint8)
        >>> expected = load_encoder("nature-cnn", **options).encode(frames)
        >>> torch.allclose(encoder.encode(frames), expected, atol=1e-4)
        True
    """

    def __init__(
        self,
        backbone: Backbone,
        example: Float[Tensor, "batch *time channels height width"],
        amp: str | None,
        readout: Callable[[Features], Tensor] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.process = os.getpid()
        openvino = _import_openvino()
        exported = _Exported(backbone)
        with torch.no_grad():
            expected: Features = backbone(example)
        self._present = [part is not None for part in expected]
        shape = openvino.PartialShape([-1, *example.shape[1:]])
        try:
            with warnings.catch_warnings(), torch.no_grad(), _Convertible():
                warnings.simplefilter("ignore")  # of the tracer, about each value that it takes as constant
                model = openvino.convert_model(exported, example_input=example[:2], input=[shape])
        except Exception as error:  # of the tracer, of the converter, or of its parser
            raise ValueError(
                f"`backend` must be 'torch' for this network: OpenVINO cannot convert it "
                f"({type(error).__name__}: {' '.join(str(error).split())[:400]})."
            ) from error
        if calibration is not None:
            model = _quantized(model, calibration)
        options = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[amp],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled: Callable[..., Any] = openvino.Core().compile_model(model, "CPU", options)
        if amp is None and calibration is None:
            self._compare(example, expected, readout)

    def __call__(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        """Compute the features of prepared pixels on the CPU, without a gradient.

        Raises:
            ValueError: a gradient is required, or the pixels are not on the CPU.
            RuntimeError: this process was forked from the one that compiled the network.
        """
        if torch.is_grad_enabled() and x.requires_grad:
            raise ValueError(
                '`x` must not require a gradient with backend="openvino". Load the encoder with '
                'backend="torch".'
            )
        if x.device.type != "cpu":
            raise ValueError(f'`x` must be on the CPU with backend="openvino". Received {str(x.device)!r}.')
        if os.getpid() != self.process:
            raise RuntimeError(
                'An encoder with backend="openvino" does not run in a forked process. Encode in the main '
                'process, or start workers with context="spawn".'
            )
        outputs = self._compiled(x.detach().float().contiguous().numpy(), share_inputs=True)
        parts = iter(torch.from_numpy(outputs[place]) for place in range(sum(self._present)))
        return Features(*(next(parts) if present else None for present in self._present))  # type: ignore[arg-type]

    @torch.no_grad()
    def _compare(
        self, example: Tensor, expected: Features, readout: Callable[[Features], Tensor] | None
    ) -> None:
        for count in (len(example), 1):  # a size that the tracer took as constant would show here
            try:
                features = self(example[:count])
            except RuntimeError as error:
                raise ValueError(_difference("features", f"an error for a batch of {count}")) from error
            for name, ours, theirs in zip(Features._fields, features, expected, strict=True):
                if ours is not None and theirs is not None:
                    _compare_values(name, ours, theirs, count)
            if readout is not None:  # which may enlarge differences
                _compare_values("encodings", readout(features), readout(expected), count)


class _Convertible(TorchFunctionMode):
    """Context manager in which operations that OpenVINO lacks are replaced by equal ones."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func == torch.Tensor.mT.__get__:  # type: ignore[attr-defined]
            return args[0].transpose(-2, -1)
        return func(*args, **(kwargs or {}))


class _Exported(nn.Module):
    """The backbone as a function from pixels to a tuple of tensors."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(part for part in self.backbone(x) if part is not None)


def _import_openvino() -> Any:
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise ImportError(
            missing_extra(f'backend="openvino" needs OpenVINO ({error})', "openvino")
        ) from error


def import_nncf() -> Any:
    """Return the module of NNCF, which quantizes networks.

    Raises:
        ImportError: NNCF is not installed.
    """
    try:
        return importlib.import_module("nncf")
    except ImportError as error:
        raise ImportError(missing_extra(f"Encoding in 8 bits needs NNCF ({error})", "int8")) from error


def _quantized(model: Any, calibration: Calibration) -> Any:
    """Return an OpenVINO model with 8-bit weights and activations."""
    nncf = import_nncf()
    images = [image[None].numpy() for image in calibration.pixels]
    level = logging.getLogger("nncf").level
    nncf.set_log_level(logging.ERROR)
    try:
        with redirect_stdout(StringIO()):  # progress bars of a few seconds
            return nncf.quantize(model, nncf.Dataset(images), subset_size=len(images))
    finally:
        nncf.set_log_level(level or logging.INFO)


def _compare_values(name: str, ours: Tensor, theirs: Tensor, count: int) -> None:
    if ours.shape != theirs[:count].shape:
        raise ValueError(_difference(name, "their shape"))
    spread = float(theirs.std()) or 1.0
    largest = float((ours - theirs[:count]).abs().max()) / spread
    if not largest <= BACKEND_TOLERANCE:
        raise ValueError(_difference(name, f"{largest:.1e} of their spread"))


def _difference(name: str, difference: str) -> str:
    return (
        f"`backend` must be 'torch' for this network: OpenVINO's {name} differ from torch's by {difference}. "
        f"Allowed is {BACKEND_TOLERANCE:g} of their spread."
    )
