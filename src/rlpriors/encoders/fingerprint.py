"""What tells the features of one encoder from those of another.

`Fingerprint`      the parts that decide every number of an encoding, as plain data
`weights_digest`   sha256 over the tensors of a module

Features that were stored are worth something only with the encoder they came from: a data set keeps
the fingerprint, and whoever encodes live frames beside it compares.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ENCODING_VERSION", "Fingerprint", "weights_digest"]

ENCODING_VERSION = 1
"""Raised whenever this library computes other numbers from the same parts."""


@dataclass(frozen=True)
class Fingerprint:
    """The parts that decide every number of an encoding.

    The precision (`amp`, float16 in a file), the device and the batch size are no parts: they move
    encodings by rounding only.

    Example:
        >>> a = Fingerprint({"model_id": "m"}, "00ff", {"resize": "squash"}, {"name": "cls"})
        >>> b = Fingerprint({"model_id": "m"}, "00ff", {"resize": "pad"}, {"name": "cls"})
        >>> a.difference(b)
        ('preprocess',)
        >>> print(a.explain(b))
        preprocess: resize is 'squash' here and 'pad' there
        >>> Fingerprint.from_dict(a.as_dict()) == a
        True
    """

    spec: Mapping[str, Any]
    """Source, id, revision and options of the network."""
    weights: str
    """sha256 over the network's weights."""
    preprocess: Mapping[str, Any]
    """How frames are brought to the network's input."""
    readout: Mapping[str, Any]
    """The readout's name, and sha256 over its weights where it has any."""
    version: int = ENCODING_VERSION
    """The version of the encoding code."""

    @property
    def digest(self) -> str:
        """One short word for the whole."""
        return sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:32]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for a JSON file."""
        return dict(json.loads(json.dumps(asdict(self))))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Fingerprint":
        """Read back what `as_dict` gave.

        Raises:
            ValueError: parts are missing, or there are unknown ones.
        """
        names = {field.name for field in fields(cls)}
        if set(data) != names:
            raise ValueError(f"A fingerprint must hold {sorted(names)}. Received {sorted(data)}.")
        return cls(**data)

    def difference(self, other: "Fingerprint") -> tuple[str, ...]:
        """Names of the parts in which the two differ; empty when encodings can be mixed."""
        mine, theirs = self.as_dict(), other.as_dict()
        return tuple(name for name in mine if mine[name] != theirs[name])

    def explain(self, other: "Fingerprint") -> str:
        """The differences in words, part by part; empty when there is none."""
        mine, theirs = self.as_dict(), other.as_dict()
        return "; ".join(_words(name, mine[name], theirs[name]) for name in self.difference(other))


def weights_digest(module: nn.Module) -> str:
    """sha256 over names, types, shapes and bytes of the module's state; empty for one without any.

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


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    state = module.state_dict()
    yield from ((name, value) for name, value in sorted(state.items()) if isinstance(value, Tensor))


def _words(part: str, mine: Any, theirs: Any) -> str:
    if not (isinstance(mine, dict) and isinstance(theirs, dict)):
        short = [value[:8] if isinstance(value, str) else value for value in (mine, theirs)]
        return f"{part}: {short[0]!r} here and {short[1]!r} there"
    keys = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
    return f"{part}: " + ", ".join(
        f"{key} is {mine.get(key)!r} here and {theirs.get(key)!r} there" for key in keys
    )
