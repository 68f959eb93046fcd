"""Networks of a torch.hub repository in a local folder, loaded by torch.hub itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import encoder_spec, load_encoder

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
HUBCONF = """
import torch
from torch import nn


class ResNet(nn.Module):  # in torchvision's manner
    def __init__(self):
        super().__init__()
        self.layer4 = nn.Conv2d(3, 8, 32, stride=32)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(self.layer4(x).mean((2, 3)))


class Dino(nn.Module):  # of 2021
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 32, stride=32)
        self.head = nn.Identity()

    def get_intermediate_layers(self, x, n=1):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        return [torch.cat([tokens.mean(1, keepdim=True), tokens], 1)] * n


class Dinov2(Dino):
    def forward_features(self, x):
        tokens = self.get_intermediate_layers(x)[0]
        return {"x_norm_clstoken": tokens[:, 0], "x_norm_patchtokens": tokens[:, 1:]}


def _made(network, pretrained):
    if pretrained:  # what a download would bring
        for parameter in network.parameters():
            nn.init.constant_(parameter, 0.01)
    return network


def resnet(pretrained=False):
    return _made(ResNet(), pretrained)


def dino(pretrained=True):
    return _made(Dino(), pretrained)


def dinov2(*, pretrained=True):
    return _made(Dinov2(), pretrained)


def conv(pretrained=False):
    return _made(nn.Conv2d(3, 8, 32, stride=32), pretrained)


def vector(pretrained=False):
    return _made(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 8)), pretrained)


def scalar(pretrained=False):
    return _made(nn.Flatten(0), pretrained)


def unsaid():
    return ResNet()


def offline(pretrained=False):
    return torch.hub.load_state_dict_from_url("http://localhost:9/weights.pth")


def function(pretrained=False):
    return len
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    (folder / "hubconf.py").write_text(HUBCONF)
    return folder


@pytest.mark.parametrize("entry", ["resnet", "dino", "dinov2", "conv", "vector"])
def test_entries_give_features(repository: Path, entry: str) -> None:
    name = f"torchhub:{repository}:{entry}"
    encoder = load_encoder(name, device="cpu", trust_remote_code=True, input_size=(64, 96))
    features = encoder(encoder.preprocess(FRAMES))
    assert features.global_.shape == (2, 8)
    if entry == "vector":
        assert features.tokens is None
        assert features.maps is None
        with pytest.raises(ValueError, match=r"`readout` 'grid\(2\)'.*can give: cls"):
            encoder.set_readout("grid(2)")
    else:
        assert features.tokens is not None
        assert features.maps is not None
        assert features.maps.shape == (2, 8, 2, 3)
        torch.testing.assert_close(features.tokens, features.maps.flatten(2).mT)
        torch.testing.assert_close(features.global_, features.tokens.mean(1))


def test_the_entry_receives_pretrained(repository: Path) -> None:
    name = f"torchhub:{repository}:conv"
    constant = load_encoder(name, device="cpu", trust_remote_code=True).backbone.network.weight
    assert (constant == 0.01).all()
    untrained = load_encoder(name, device="cpu", trust_remote_code=True, weights="none", seed=3)
    same = load_encoder(name, device="cpu", trust_remote_code=True, weights="none", seed=3)
    assert not (untrained.backbone.network.weight == 0.01).any()
    assert untrained.fingerprint() == same.fingerprint()


def test_code_runs_only_when_trusted(repository: Path) -> None:
    with pytest.raises(ValueError, match="`trust_remote_code` must be True"):
        load_encoder(f"torchhub:{repository}:conv", device="cpu")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("nothing", "has no entry 'nothing'"),
        ("unsaid", "takes no `pretrained`, so its weights could be random without notice"),
        ("function", "must give a torch.nn.Module"),
        ("scalar", "cannot take frames.*returns .*neither vectors, tokens nor maps"),
    ],
)
def test_entries_that_cannot_serve(repository: Path, entry: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_encoder(f"torchhub:{repository}:{entry}", device="cpu", trust_remote_code=True)


def test_no_network_is_one_clear_error(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="Cannot fetch the weights of 'torchhub:"):
        load_encoder(f"torchhub:{repository}:offline", device="cpu", trust_remote_code=True)


def test_weights_from_a_file(repository: Path, tmp_path: Path) -> None:
    name = f"torchhub:{repository}:resnet"
    encoder = load_encoder(name, device="cpu", trust_remote_code=True)
    torch.save(encoder.backbone.network.state_dict(), tmp_path / "cut.pth")
    torch.save({**encoder.backbone.network.state_dict(), **_linear()}, tmp_path / "whole.pth")
    for file in ("cut.pth", "whole.pth"):
        filled = load_encoder(name, weights=tmp_path / file, device="cpu", trust_remote_code=True)
        assert filled.fingerprint().weights == encoder.fingerprint().weights
    torch.save(_linear(), tmp_path / "wrong.pth")
    with pytest.raises(CheckpointError, match="2 missing"):
        load_encoder(name, weights=tmp_path / "wrong.pth", device="cpu", trust_remote_code=True)


def _linear() -> dict[str, torch.Tensor]:
    return {f"fc.{name}": value for name, value in torch.nn.Linear(8, 5).state_dict().items()}


def test_save_and_load_round_trip(repository: Path, tmp_path: Path) -> None:
    encoder = load_encoder(f"torchhub:{repository}:dino", device="cpu", trust_remote_code=True)
    encoder.save(tmp_path)
    with pytest.raises(CheckpointError, match="trust_remote_code"):
        load_encoder(tmp_path, device="cpu")
    again = load_encoder(tmp_path, device="cpu", trust_remote_code=True)
    assert torch.equal(again.encode(FRAMES), encoder.encode(FRAMES))
    assert again.fingerprint() == encoder.fingerprint()


def test_spec_states_what_it_assumes() -> None:
    spec = encoder_spec("torchhub:facebookresearch/dino:main:dino_vits16")
    assert (spec.model_id, spec.license) == ("facebookresearch/dino:main:dino_vits16", "unknown")
    assert "assumed" in spec.notes
