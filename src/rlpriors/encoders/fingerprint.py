"""Fingerprints of encoders, which identify the features they compute.

`Fingerprint`        everything that determines the values of an encoding, as plain data
`weights_digest`     sha256 of the tensors of a module
`tensor_versions`    identities and version counters of the tensors of a module, to notice edits
`ENCODING_VERSION`   version of the encoding code
`BACKEND_TOLERANCE`  maximum difference between backends in 32 bits

Stored features are valid only for the encoder that computed them.  A data set keeps the fingerprint,
and code that also encodes live frames compares it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["BACKEND_TOLERANCE", "ENCODING_VERSION", "Fingerprint", "tensor_versions", "weights_digest"]

ENCODING_VERSION = 1
"""Version of the encoding code; incremented when equal parts give other numbers."""
BACKEND_TOLERANCE = 1e-3
"""Maximum difference between backends in 32 bits, as a fraction of the features' standard deviation."""


@dataclass(frozen=True)
class Fingerprint:
    """Everything that determines the values of an encoding, as plain data.

    The device, `compile`, the memory layout, the batch size and float16 in a file are not included: they
    change encodings by rounding errors of 32 or 16 bits only.  Half precision of the whole network
    (`amp`) is included: its errors add up over the layers, to several percent of a feature.

    Example:
        >>> a = Fingerprint({"model_id": "m"}, "00ff", {"resize": "squash"}, {"name": "cls"})
        >>> b = Fingerprint({"model_id": "m"}, "00ff", {"resize": "pad"}, {"name": "cls"})
        >>> a.difference(b)
        ('preprocess',)
        >>> openvino = Fingerprint(a.spec, a.weights, a.preprocess, a.readout, backend="openvino")
        >>> a.difference(openvino), a.mismatch(openvino)
        (('backend',), ())
        >>> print(a.explain(b))
        preprocess: resize is 'squash' here and 'pad' there
        >>> Fingerprint.from_dict(a.as_dict()) == a
        True
    """

    spec: Mapping[str, Any]
    """Source, id, revision and options of the network."""
    weights: str
    """sha256 of the network's weights."""
    preprocess: Mapping[str, Any]
    """Preprocessing of frames: input size, resize and normalization."""
    readout: Mapping[str, Any]
    """Specification of the readout, and sha256 of its weights; empty if it has none."""
    precision: str = "fp32"
    """Precision of the network: "fp32", or "bf16" or "fp16" for half precision."""
    backend: str = "torch"
    """Library that runs the network."""
    version: int = ENCODING_VERSION
    """Version of the encoding code."""

    @property
    def digest(self) -> str:
        """Digest of the whole fingerprint: 32 hexadecimal digits."""
        return sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:32]

    def as_dict(self) -> dict[str, Any]:
        """Return the fingerprint as plain data for a JSON file."""
        return dict(json.loads(json.dumps(asdict(self))))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Fingerprint":
        """Create a fingerprint from the dictionary of `as_dict`.

        Fingerprints of earlier versions name neither precision nor backend; both then have their defaults.

        Raises:
            ValueError: parts are missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if not names - {"precision", "backend"} <= set(data) <= names:
            raise ValueError(f"A fingerprint must hold {sorted(names)}. Received {sorted(data)}.")
        return cls(**data)

    def difference(self, other: "Fingerprint") -> tuple[str, ...]:
        """Return the names of the parts that differ; empty for the same encoder."""
        mine, theirs = self.as_dict(), other.as_dict()
        return tuple(name for name in mine if mine[name] != theirs[name])

    def mismatch(self, other: "Fingerprint") -> tuple[str, ...]:
        """Return the names of the parts that forbid mixing both encoders' output; empty if it can be mixed.

        Another backend alone is no mismatch in 32 bits: it is used only where features agree within
        `BACKEND_TOLERANCE` of their standard deviation.  Half precisions of two backends do not agree.
        """
        names = self.difference(other)
        return () if names == ("backend",) and self.precision == "fp32" else names

    def explain(self, other: "Fingerprint") -> str:
        """Describe the differences part by part; empty if there are none."""
        mine, theirs = self.as_dict(), other.as_dict()
        return "; ".join(_describe(name, mine[name], theirs[name]) for name in self.difference(other))


def weights_digest(module: nn.Module) -> str:
    """Return the sha256 of names, types, shapes and bytes of the module's state; "" without any state.

    Example:
        >>> weights_digest(nn.Identity())
        ''
    """
    digest, empty = sha256(), True
    for name, tensor in _tensors(module):
        empty = False
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        # As bytes, because numpy has no bfloat16; contiguous, because views of another type need it.
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return "" if empty else digest.hexdigest()


def tensor_versions(module: nn.Module) -> tuple[tuple[int, int], ...]:
    """Return the identity and the version counter of each tensor in the module's state.

    torch counts the edits of a tensor in place, those of optimizers included.  It does not count edits
    through `tensor.data`.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> before = tensor_versions(layer)
        >>> with torch.no_grad():
        ...     _ = layer.weight.mul_(0.5)
        >>> tensor_versions(layer) == before
        False
    """
    return tuple(
        (id(tensor), 0 if tensor.is_inference() else tensor._version)
        for part in module.modules()
        for name, tensor in (*part._parameters.items(), *part._buffers.items())
        if tensor is not None and name not in part._non_persistent_buffers_set
    )


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    state = module.state_dict()
    yield from ((name, value) for name, value in sorted(state.items()) if isinstance(value, Tensor))


def _describe(part: str, mine: Any, theirs: Any) -> str:
    if not (isinstance(mine, dict) and isinstance(theirs, dict)):
        short = [value[:8] if isinstance(value, str) else value for value in (mine, theirs)]
        return f"{part}: {short[0]!r} here and {short[1]!r} there"
    keys = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
    return f"{part}: " + ", ".join(
        f"{key} is {mine.get(key)!r} here and {theirs.get(key)!r} there" for key in keys
    )
