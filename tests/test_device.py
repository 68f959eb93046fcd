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
        with pytest.raises(ValueError, match=rf"`device` is .*{name}.*shows {count} CUDA.*auto"):
            resolve_device(device)


def test_cuda_devices_that_are_there_pass(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    assert resolve_device("cuda") == torch.device("cuda")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has that device")
def test_other_accelerators_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="`device` is 'mps', which this torch cannot use"):
        resolve_device("mps")


@pytest.mark.cuda
def test_a_tensor_lands_where_it_says():
    assert torch.zeros(1, device=resolve_device()).is_cuda
