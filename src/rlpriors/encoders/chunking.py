"""Forward passes of bounded size, and advice for devices that run out of memory.

`split_into_chunks`       batches of images, split into chunks of a given size
`explain_out_of_memory`   error that names the remedies if a device runs out of memory
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["explain_out_of_memory", "split_into_chunks"]


def split_into_chunks(batches: Sequence[Tensor], chunk_size: int | None) -> Iterator[list[Tensor]]:
    """Split batches of images into chunks of `chunk_size` images, in order; one chunk without a limit.

    Example:
        >>> chunks = split_into_chunks([torch.zeros(3), torch.zeros(4)], 2)
        >>> [[len(part) for part in chunk] for chunk in chunks]
        [[2], [1, 1], [2], [1]]
    """
    if chunk_size is None:
        yield list(batches)
        return
    chunk: list[Tensor] = []
    room = chunk_size
    for batch in batches:
        for part in (batch[:room], *batch[room:].split(chunk_size)) if len(batch) > room else (batch,):
            chunk.append(part)
            room -= len(part)
            if room == 0:
                yield chunk
                chunk, room = [], chunk_size
    if chunk:
        yield chunk


@contextmanager
def explain_out_of_memory(device: torch.device, chunk_size: int | None) -> Iterator[None]:
    """Explain errors of the body if `device` runs out of memory with `chunk_size` images per forward pass.

    Raises:
        MemoryError: in place of torch's out-of-memory errors.
    """
    try:
        yield
    except RuntimeError as error:
        # On a CPU torch raises a plain RuntimeError.
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        chunk = "all images at once" if chunk_size is None else f"{chunk_size} images at once"
        raise MemoryError(
            f"{device} is out of memory with {chunk}. Give the encoder a smaller `chunk_size` (try "
            f'{max(1, (chunk_size or 128) // 4)}), a smaller `input_size`, or amp="bf16".'
        ) from error
