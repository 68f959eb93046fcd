"""Script: kill `encode_dataset` before each of its file operations in turn, and resume.

The first argument is a folder for the data sets; the number of kills is printed at the end.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from tiny_encoder import FRAMES, tiny_encoder

from rlpriors.encoders.dataset.encode import encode_dataset

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "mmap.__new__", "fcntl.flock"}


def encode(folder: Path) -> bytes:
    encode_dataset(FRAMES, tiny_encoder(), folder, batch_size=4, progress=False)
    names = {path.name for path in folder.iterdir()} - {".lock"}
    assert names == {"features.npy", "fingerprint.json", "index.json"}, names
    return (folder / "features.npy").read_bytes() + (folder / "index.json").read_bytes()


def killed(folder: Path, operation: int) -> bool:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    left = operation

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in OPERATIONS:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(kill)
    encode(folder)
    os._exit(0)


if __name__ == "__main__":
    torch.set_num_threads(1)  # a forked process must not wait for threads that it lacks
    root = Path(sys.argv[1])
    expected = encode(root / "whole")
    n_kills = 0
    while killed(root / str(n_kills), n_kills):
        assert encode(root / str(n_kills)) == expected, n_kills
        n_kills += 1
    sys.stdout.write(f"{n_kills}\n")
