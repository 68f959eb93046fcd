import subprocess
import sys

import pytest
import torch

from rlpriors.device import resolve_device


def test_auto_is_cuda_when_there_is_one(monkeypatch):
    for there, expected in [(True, "cuda"), (False, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert resolve_device("auto") == resolve_device() == torch.device(expected)


def test_names_and_devices_pass():
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")
    assert resolve_device("meta") == torch.device("meta")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cpu0"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=rf'`device` must be "auto", "cpu", "cuda".*Received \'{name}\''):
        resolve_device(name)


@pytest.mark.parametrize(("count", "name"), [(0, "cuda"), (0, "cuda:0"), (2, "cuda:2")])
def test_cuda_devices_that_are_not_there_are_refused(monkeypatch, count, name):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    for device in (name, torch.device(name)):
        with pytest.raises(ValueError, match=rf"`device` must exist.*{name}.*has {count} CUDA.*auto"):
            resolve_device(device)


def test_cuda_devices_that_are_there_pass(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    assert resolve_device("cuda") == torch.device("cuda")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has that device")
def test_other_accelerators_that_are_not_there_are_refused():
    with pytest.raises(
        ValueError, match=r"`device` must be usable\. Received 'mps', which this torch cannot use"
    ):
        resolve_device("mps")


@pytest.mark.cuda
def test_a_tensor_lands_where_it_says():
    assert torch.zeros(1, device=resolve_device()).is_cuda


FORK = """
import multiprocessing
import torch
{setup}

def work(pipe):
    {work}
    pipe.send(torch.get_num_threads())
    torch.set_num_threads(2)  # a choice of the user
    limit_forked_threads()
    pipe.send(torch.get_num_threads())

from rlpriors.device import limit_forked_threads
torch.set_num_threads(2)
(torch.ones(1000, 1000) @ torch.ones(1000, 1000)).sum()  # starts the threads of this process
limit_forked_threads()
assert torch.get_num_threads() == 2
context = multiprocessing.get_context("fork")
mine, theirs = context.Pipe()
child = context.Process(target=work, args=(theirs,), daemon=True)
child.start()
assert mine.poll(60), "the forked process hangs"
assert mine.recv() == 1
assert mine.poll(60) and mine.recv() == 2
"""
ENCODE = """
import numpy as np
from rlpriors.encoders import load_encoder
frames = np.zeros((8, 84, 84, 3), np.uint8)
encoder = load_encoder("nature-cnn", weights="none", device="cpu")
encoder.encode(frames)
"""
REWARD = """
from tempfile import mkdtemp
import numpy as np
from rlpriors.rewards import MLPReward, RewardSettings, load_reward
reward = MLPReward(RewardSettings(obs_dim=64, act_dim=1, hidden=(1024, 1024)))
folder = reward.save(mkdtemp())
rows = np.zeros((4096, 64), np.float32), np.zeros((4096, 1), np.float32), np.zeros((4096, 64), np.float32)
reward.score(*rows)
"""


@pytest.mark.parametrize(
    ("setup", "work"),
    [
        (ENCODE, 'load_encoder("nature-cnn", weights="none", device="cpu").encode(frames)'),
        (ENCODE, "encoder.encode(frames)"),
        (REWARD, 'load_reward(folder, device="cpu").score(*rows)'),
        (REWARD, "reward.score(*rows)"),
    ],
    ids=["encoder made in the worker", "encoder of the parent", "reward made in the worker", "its own"],
)
def test_forked_workers_do_not_hang(setup, work):
    code = FORK.format(setup=setup, work=work)
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


CUDA_FORK = """
import os, torch
from rlpriors.device import resolve_device
torch.zeros(1, device="cuda")
child = os.fork()
if not child:
    for name in ("auto", "cuda"):
        try:
            resolve_device(name)
        except ValueError as error:
            assert 'context="spawn"' in str(error)
        else:
            os._exit(1)
    os._exit(0 if resolve_device("cpu").type == "cpu" else 2)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.cuda
def test_cuda_in_a_forked_process_is_refused():
    assert subprocess.run([sys.executable, "-c", CUDA_FORK], check=False, timeout=120).returncode == 0
