"""Download, reading and strict loading of weights."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.weights import (
    download,
    explain_download,
    load_weights_strict,
    read_weights,
    seeded_init,
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if "short" in self.path:  # a connection that breaks off
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal of a test."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "cache"))
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "model.pt").write_bytes(b"weights")
    handler = functools.partial(Quiet, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http_server.server_address[1]}"
        http_server.shutdown()


def test_download_fetches_once(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    Quiet.requests.clear()
    path = download(f"{server}/model.pt", "mine")
    assert path.read_bytes() == b"weights"
    assert "mine" in capsys.readouterr().err  # the progress bar
    assert download(f"{server}/model.pt", "mine") == path
    assert Quiet.requests == ["/model.pt"]


def test_download_leaves_nothing_half(server: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Cannot fetch .*'mine'.*404"):
        download(f"{server}/none.pt", "mine", progress=False)
    with pytest.raises(FileNotFoundError, match="received 4 of 100 bytes"):
        download(f"{server}/short.pt", "mine", progress=False)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_offline_and_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"HF_HUB_OFFLINE is set: unset it.*weights=\"<file>\""):
        download("http://127.0.0.1:9/model.pt", "mine")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(FileNotFoundError, match="Connection refused"):
        download("http://127.0.0.1:9/model.pt", "mine")


def test_the_error_of_gated_weights_names_the_page() -> None:
    class GatedRepoError(OSError):
        """As huggingface_hub raises it."""

    with (
        pytest.raises(PermissionError, match="accept the publisher's terms"),
        explain_download("mine", "x/y"),
    ):
        raise GatedRepoError


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), explain_download("mine", "x/y"):
        raise KeyError("a bug, not a network")


WEIGHTS = {"a": torch.ones(2), "b": torch.zeros(1)}


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "epoch": 3},
        {"model": {"state_dict": WEIGHTS}},
        {f"module.{key}": value for key, value in WEIGHTS.items()},
        {"model": {f"module._orig_mod.{key}": value for key, value in WEIGHTS.items()}},
        {**WEIGHTS, "steps": 5},
        {"state_dict": {f"model.{key}": value for key, value in WEIGHTS.items()}},  # Lightning
        {"state_dict": {f"model._orig_mod.{key}": value for key, value in WEIGHTS.items()}},
    ],
)
def test_torch_checkpoints_are_unwrapped(content: dict[str, object], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    read = read_weights(tmp_path / "w.pt")
    assert {key: value.tolist() for key, value in read.items()} == {"a": [1.0, 1.0], "b": [0.0]}


def test_safetensors(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    assert read_weights(tmp_path / "w.safetensors").keys() == WEIGHTS.keys()


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="`weights` must be a file"):
        read_weights(tmp_path / "none.pt")
    for name in ("w.pt", "w.safetensors"):
        (tmp_path / name).write_bytes(b"no weights at all")
        with pytest.raises(CheckpointError, match="is damaged, or is not a file of"):
            read_weights(tmp_path / name)
    torch.save({"epoch": 3}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"holds no weights, only \['epoch'\]"):
        read_weights(tmp_path / "w.pt")
    torch.save([torch.zeros(1)], tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="holds a list"):
        read_weights(tmp_path / "w.pt")


def test_strict_loading_is_all_or_nothing() -> None:
    network = nn.Linear(2, 1)
    before = network.weight.clone()
    for weights, message in (
        ({"weight": torch.zeros(1, 2)}, r"1 missing \(bias, ...\)"),
        ({**network.state_dict(), "scale": torch.zeros(1)}, r"1 left over \(scale, ...\)"),
        ({**network.state_dict(), "weight": torch.zeros(1, 3)}, r"weight is \[1, 3\], not \[1, 2\]"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_weights_strict(network, weights, "the file")
        assert torch.equal(network.weight, before)
    load_weights_strict(network, {"weight": torch.zeros(1, 2), "bias": torch.ones(1)}, "the file")
    assert network.bias.item() == 1


def test_seeded_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with seeded_init(7):
        first = torch.rand(1)
    with seeded_init(7):
        assert torch.equal(torch.rand(1), first)
    assert torch.equal(torch.rand(3), expected)


def test_a_network_of_its_own_prefix_keeps_it(tmp_path: Path) -> None:
    network = nn.ModuleDict({"model": nn.Linear(2, 1)})
    network.requires_grad_(False)
    expected = network["model"].weight.clone()
    torch.save(network.state_dict(), tmp_path / "w.pt")
    network["model"].weight.zero_()
    load_weights_strict(network, read_weights(tmp_path / "w.pt"), "the file")
    assert torch.equal(network["model"].weight, expected)
