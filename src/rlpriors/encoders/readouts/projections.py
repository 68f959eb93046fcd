"""Random projections of an encoded vector, which need no data.

`RandomProjection`   Gaussian projection (Johnson and Lindenstrauss 1984)
`SignProjection`     projection by random signs, whose file holds a checksum instead of the matrix
"""

import math
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlpriors.encoders.readouts.transform_base import Transform
from rlpriors.encoders.readouts.validation import check_int

__all__ = ["RandomProjection", "SignProjection"]

MAX_SIGNS = 2**25
"""Maximum number of entries of a `SignProjection`, which takes 4 bytes of memory for each."""


class RandomProjection(Transform):
    """Projection by a Gaussian matrix with entries of variance 1/size, drawn from `seed`.

    Squared lengths and distances are preserved in expectation (Johnson-Lindenstrauss).  It shortens
    long vectors, such as those of crops, without fitting.

    Raises:
        ValueError: `size` is below 1, or `seed` negative.

    Example:
        >>> projection = RandomProjection(256)
        >>> projection.build(10_000)
        256
        >>> float(projection(torch.ones(1, 10_000)).norm() / 100) > 0.8
        True
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        super().__init__()
        self.size = check_int("size", size)
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f"`seed` must be a whole number of at least 0. Received {seed!r}.")
        self.seed = seed

    @property
    def name(self) -> str:
        return f"random-projection({self.size}{f',{self.seed}' if self.seed else ''})"

    def out_size(self, in_size: int) -> int:
        return self.size

    def fill_buffers(self) -> None:
        assert self.matrix is not None  # `build` has created it
        # Drawn on the CPU, since the generators of other devices give other numbers.
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randn(self.matrix.shape, generator=generator) / math.sqrt(self.size)
        self.matrix.copy_(drawn)
        self.fitted.fill_(True)


class SignProjection(Transform):
    """Projection by random signs divided by sqrt(size), drawn from `seed` (Achlioptas 2003).

    Squared lengths and distances are preserved in expectation, as by `RandomProjection`.  A file holds a
    checksum of 8 bytes instead of the matrix, which is drawn again when it is loaded.  Signs are the bits
    of numpy's PCG64, whose stream numpy guarantees, so that the matrix is equal on every platform and
    device.  The checksum is in the fingerprint, and loading raises an error if it differs.

    Raises:
        ValueError: `size` is below 1, `seed` negative, or the matrix has more than 2^25 entries.

    Example:
        >>> projection = SignProjection(4)
        >>> projection.build(2)
        4
        >>> projection(torch.eye(2))
        tensor([[ 0.5000,  0.5000,  0.5000,  0.5000],
                [ 0.5000, -0.5000,  0.5000, -0.5000]])
    """

    checksum: Tensor

    def __init__(self, size: int, seed: int = 0) -> None:
        super().__init__()
        self.size = check_int("size", size)
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ValueError(f"`seed` must be a whole number of at least 0. Received {seed!r}.")
        self.seed = seed
        self.register_buffer("mean", None, persistent=False)
        self.register_buffer("matrix", None, persistent=False)
        self.register_buffer("checksum", torch.tensor(0))

    @property
    def name(self) -> str:
        return f"sign-projection({self.size}{f',{self.seed}' if self.seed else ''})"

    def out_size(self, in_size: int) -> int:
        if in_size * self.size > MAX_SIGNS:
            raise ValueError(
                f"`size` of {self.name!r} must be at most {MAX_SIGNS // in_size} for vectors of {in_size} "
                f"numbers. Received {self.size}."
            )
        return self.size

    def fill_buffers(self) -> None:
        assert self.matrix is not None  # `build` has created it
        count = self.matrix.numel()
        words = np.random.PCG64(self.seed).random_raw(-(-count // 64)).astype("<u8")
        bits = np.unpackbits(words.view(np.uint8), count=count, bitorder="little")
        signs = torch.from_numpy(bits).reshape(self.matrix.shape).float() * 2 - 1
        self.matrix.copy_(signs / math.sqrt(self.size))
        digest = sha256(np.packbits(bits).tobytes()).digest()
        self.checksum = torch.tensor(
            int.from_bytes(digest[:8], "little", signed=True), device=self.matrix.device
        )
        self.fitted.fill_(True)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        *_, error_msgs = args
        saved = state_dict.get(f"{prefix}checksum")
        if self.matrix is not None and saved is not None and int(saved) != int(self.checksum):
            error_msgs.append(
                f"the matrix of {self.name!r} differs from the saved one: its checksum is "
                f"{int(self.checksum)} instead of {int(saved)}. Encode with the version that saved it."
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
