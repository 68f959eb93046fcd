"""Training in several processes started by torchrun.

`init_process`          the device and the rank of this process
`broadcast_from_first`  a word of the first process, at which all processes wait
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

from rlpriors.device import resolve_device

__all__ = ["broadcast_from_first", "init_process"]


@contextmanager
def init_process(device: str) -> Iterator[tuple[torch.device, int]]:
    """Yield the device and the rank of this process; torchrun's processes form a group in the meantime.

    Each process takes the GPU of its local rank, or the CPU on a machine without GPUs.
    """
    if not distributed.is_torchelastic_launched():
        yield resolve_device(device), 0
        return
    local = f"cuda:{os.environ['LOCAL_RANK']}" if device in ("auto", "cuda") else device
    resolved = resolve_device(local if torch.cuda.is_available() else device)
    if resolved.type == "cuda":
        torch.cuda.set_device(resolved)
    # The timeout is a day, as the other processes wait while the first one collects frames.
    distributed.init_process_group("nccl" if resolved.type == "cuda" else "gloo", timeout=timedelta(days=1))
    try:
        yield resolved, distributed.get_rank()
    finally:
        distributed.destroy_process_group()


def broadcast_from_first(word: str) -> str:
    """Return the word of the first process, after all processes have called this function."""
    if not distributed.is_initialized():
        return word
    words = [word]
    distributed.broadcast_object_list(words, src=0)
    return words[0]
