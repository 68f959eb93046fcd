"""How many images a network sees at once, and what to do when they are too many.

`groups`          batches of images cut into groups of a given size
`memory_advice`   turns a full device into an error that says what to change
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["groups", "memory_advice"]


def groups(parts: Sequence[Tensor], size: int | None) -> Iterator[list[Tensor]]:
    """Cut batches of images into groups of `size` images, in order; one group where there is no limit.

    Example:
        >>> [[len(part) for part in group] for group in groups([torch.zeros(3), torch.zeros(4)], 2)]
        [[2], [1, 1], [2], [1]]
    """
    if size is None:
        yield list(parts)
        return
    group: list[Tensor] = []
    room = size
    for part in parts:
        for piece in (part[:room], *part[room:].split(size)) if len(part) > room else (part,):
            group.append(piece)
            room -= len(piece)
            if room == 0:
                yield group
                group, room = [], size
    if group:
        yield group


@contextmanager
def memory_advice(device: torch.device, chunk_size: int | None) -> Iterator[None]:
    """Name the remedies when `device` is too small for `chunk_size` images at once.

    Raises:
        MemoryError: in place of whatever torch raises then.
    """
    try:
        yield
    except RuntimeError as error:
        # On a CPU torch has no class of its own for it.
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        chunk = "all images at once" if chunk_size is None else f"{chunk_size} images at once"
        raise MemoryError(
            f"{device} is out of memory with {chunk}. Give the encoder a smaller `chunk_size` (try "
            f'{max(1, (chunk_size or 128) // 4)}), a smaller `input_size`, or amp="bf16".'
        ) from error
