"""Networks of encoders: from prepared frames to features.

`EncoderNetwork`  preprocessing and backbone, frozen or trained, run by torch or OpenVINO
`Amp`             names of the half precisions
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeVar, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.device import resolve_device
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.openvino_backend import Backend, Calibration, OpenVINONetwork, check_backend
from rlpriors.encoders.preprocess import Channels, Preprocess
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.encoders.state_version import StateVersion
from rlpriors.types import Features

__all__ = ["Amp", "EncoderNetwork"]

Amp = Literal["bf16", "fp16"]
AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
NetworkT = TypeVar("NetworkT", bound="EncoderNetwork")


class EncoderNetwork(StateVersion):
    """Base class of `ImageEncoder`: preprocessing and backbone, from prepared frames to features.

    `ImageEncoder` documents the arguments.

    Raises:
        ValueError: an option is unknown, or the backend does not support it.
        ImportError: the backend is not installed.

    Example:
        >>> import numpy as np
        >>> from rlpriors.encoders import load_encoder
        >>> network: EncoderNetwork = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> features = network(network.preprocess(np.zeros((2, 84, 84, 3), np.uint8)))
        >>> features.global_.shape, network.precision
        (torch.Size([2, 512]), 'fp32')
        >>> network.unfreeze().frozen
        False
    """

    def __init__(
        self,
        spec: EncoderSpec,
        backbone: Backbone,
        *,
        device: str | torch.device,
        amp: Amp | None,
        compile: bool,
        backend: Backend,
        channels_last: bool,
        channels: Channels,
    ) -> None:
        super().__init__()
        if amp is not None and amp not in get_args(Amp):
            raise ValueError(f"`amp` must be None or one of {list(get_args(Amp))}. Received {amp!r}.")
        resolved = resolve_device("cpu" if (backend, device) == ("openvino", "auto") else device)
        check_backend(backend, amp, resolved, compile)
        self.spec, self.amp = spec, amp
        self.backend: Backend = backend
        self._calibration: Calibration | None = None
        self.frozen = True
        self.preprocess = Preprocess(spec, channels=channels, channels_last=channels_last)
        self.backbone = backbone
        if channels_last:
            self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._compile, self._compiled = compile, cast(dict[str, Any], {})
        self.to(resolved)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Device of the weights and of the encodings."""
        return self.preprocess.scale.device

    @property
    def precision(self) -> str:
        """Precision of the network: "fp32", "bf16", "fp16", or "int8-" with a digest of its calibration."""
        if self._calibration is not None:
            return f"int8-{self._calibration.digest}"
        return self.amp or "fp32"

    def set_backend(self: NetworkT, backend: Backend, calibration: Calibration | None = None) -> NetworkT:
        """Select the library that runs the network, convert it at once and return the encoder itself.

        With a `calibration` the network computes in 8 bits; see `quantize`.

        Raises:
            ValueError: the backend does not support this network, its device or its options, or the encoder
                is not frozen; the backend is then unchanged.
            ImportError: the backend is not installed.
        """
        check_backend(backend, self.amp, self.device, self._compile)
        if calibration is not None and self.amp is not None:
            raise ValueError(
                f"`amp` must be None for a network in 8 bits. Received {self.amp!r}; load the encoder "
                "without it."
            )
        if backend != "torch" and not self.frozen:
            raise ValueError(
                f"`backend` must be 'torch' for an encoder that is trained. Received {backend!r}; call its "
                "`freeze()` first."
            )
        before, calibrated, version = self.backend, self._calibration, self.state_version
        if (backend, calibration) != (before, calibrated):
            self.state_version, self._compiled = version + 1, {}
            self.backend, self._calibration = backend, calibration
        try:
            return self.convert()
        except (ValueError, ImportError):
            self.backend, self._calibration, self.state_version = before, calibrated, version
            raise

    def freeze(self: NetworkT) -> NetworkT:
        """Disable gradients of all weights, switch to evaluation mode and return the encoder itself."""
        self.frozen = True
        self.requires_grad_(False)
        return self.train(False)

    def unfreeze(self: NetworkT) -> NetworkT:
        """Enable gradients of all weights and `train()`, and return the encoder itself.

        Raises:
            ValueError: the backend computes no gradients.
        """
        if self.backend != "torch":
            raise ValueError(
                f"`unfreeze` requires backend='torch'. Received {self.backend!r}, which computes no "
                "gradients; load the encoder again."
            )
        self.frozen = False
        return self.requires_grad_(True)

    def train(self: NetworkT, mode: bool = True) -> NetworkT:
        """Set the training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        """Compute the float32 features of prepared frames, differentiably if weights or `x` require it."""
        if self.backend == "openvino":
            return self._openvino_network()(x)
        with self._autocast():
            features: Features = self._network()(x)
        return _as_floats(features)

    @property
    def can_mask(self) -> bool:
        """True if `forward_tokens` is supported."""
        return bool(self.backbone.can_mask) and self.backend == "torch"

    def forward_tokens(
        self, x: Float[Tensor, "batch channels height width"], visible: Int[Tensor, "batch visible"]
    ) -> Features:
        """Compute features from visible tokens alone; see `Backbone.forward_tokens`.

        Raises:
            ValueError: the backend cannot leave tokens out.
        """
        if self.backend != "torch":
            raise ValueError(f"`forward_tokens` requires backend='torch'. Received {self.backend!r}.")
        with self._autocast():
            features: Features = self._network("forward_tokens")(x, visible)
        return _as_floats(features)

    def convert(self: NetworkT) -> NetworkT:
        """Convert the network for its backend now and not at the next forward pass; return the encoder.

        Raises:
            ValueError: the backend does not support this network.
        """
        if self.backend == "openvino":
            self._openvino_network()
        return self

    def _compared_readout(self) -> Callable[[Features], Tensor] | None:
        """Return a function of features by which a converted network is compared, too."""
        return None

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.amp is None:
            return nullcontext()
        return torch.autocast(self.device.type, AMP_DTYPES[self.amp])

    def _openvino_network(self) -> OpenVINONetwork:
        version = self.state_version
        if self._compiled.get("version") != version:
            height, width = self.spec.input_size
            generator = torch.Generator().manual_seed(0)
            size = (3, height, width, self.spec.channels)
            noise = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
            pixels = self.preprocess.prepare(noise)
            readout = self._compared_readout()
            network = OpenVINONetwork(self.backbone, pixels, self.amp, readout, self._calibration)
            self._compiled = {"version": version, "openvino": network}
        converted: OpenVINONetwork = self._compiled["openvino"]
        return converted

    def _network(self, method: str = "forward") -> Any:
        if not self._compile:
            return self.backbone if method == "forward" else self.backbone.forward_tokens
        if method not in self._compiled:
            # A compiled module would appear in the state dictionary a second time; a function does not.
            self._compiled[method] = torch.compile(getattr(self.backbone, method))
        return self._compiled[method]

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions cannot be copied; the next forward pass compiles again.
        return {**self.__dict__, "_compiled": {}}


def _as_floats(features: Features) -> Features:
    global_, tokens, maps = features
    return Features(
        global_.float(),
        None if tokens is None else tokens.float(),
        None if maps is None else maps.float(),
    )
