"""Two processes that train one encoder: gradients are averaged, weights stay the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from rlpriors.data.frames import FrameStore


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "network"), [("byol", "nature-cnn"), ("mae", "vit-nano")])
def test_two_processes_average_gradients_and_keep_one_encoder(
    store: FrameStore, recipe: str, network: str
) -> None:
    worker = Path(__file__).with_name("distributed_worker.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(worker), str(store.folder), recipe, network],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
