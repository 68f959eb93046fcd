"""Saved folders name known networks and their numbers; hostile settings are refused before a build."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from jaxtyping import TypeCheckError

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import EncoderSpec, load_encoder
from rlpriors.encoders.saved import check_saved


class Recorder(http.server.BaseHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal of a test."""


@pytest.fixture
def url() -> Iterator[str]:
    Recorder.requests.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/any.pth"
        server.shutdown()


def change(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["settings"]["spec"] |= settings.pop("spec", {})
    config["settings"] |= settings
    path.write_text(json.dumps(config))


@pytest.fixture
def timm_folder(tmp_path: Path) -> Path:
    return load_encoder("timm:test_vit", weights="none", device="cpu").save(tmp_path / "saved")


def arguments(**entries: Any) -> dict[str, Any]:
    return {"architecture": {"model": "test_vit", "arguments": entries}}


def test_no_url_is_fetched(timm_folder: Path, url: str) -> None:
    cfg = {"url": url, "hf_hub_id": None, "architecture": "test_vit"}
    change(timm_folder, **arguments(pretrained=True, pretrained_cfg=cfg))
    with pytest.raises(CheckpointError, match=r"architecture\.arguments\.pretrained.*must be left out"):
        load_encoder(timm_folder, device="cpu")
    assert Recorder.requests == []


def test_no_local_file_is_read(timm_folder: Path, tmp_path: Path) -> None:
    torch.save({"head.bias": torch.zeros(1)}, tmp_path / "secret.pth")
    for entries in (
        {"checkpoint_path": str(tmp_path / "secret.pth")},
        {"cache_dir": str(tmp_path)},
        {"pretrained_cfg_overlay": {"file": str(tmp_path / "secret.pth")}},
        {"img_size": str(tmp_path)},  # an argument of the network, but no number
        {"norm_layer": "os.system"},
        {"features_only": True},
    ):
        change(timm_folder, **arguments(**entries))
        with pytest.raises(CheckpointError, match=rf"architecture\.arguments\.{next(iter(entries))}"):
            load_encoder(timm_folder, device="cpu")


@pytest.mark.parametrize("model", ["hf-hub:someone/model", "local-dir:/tmp", "no_such_network", 3, None])
def test_other_models_than_timms_are_refused(timm_folder: Path, model: Any) -> None:
    change(timm_folder, architecture={"model": model, "arguments": {}})
    with pytest.raises(CheckpointError, match=r"`architecture\.model` .* must be a network of timm"):
        load_encoder(timm_folder, device="cpu")


@pytest.mark.parametrize("architecture", [None, {}, [], {"model": "test_vit"}])
def test_a_folder_without_an_architecture_does_not_reach_the_hub(
    timm_folder: Path, architecture: Any
) -> None:
    change(timm_folder, architecture=architecture, spec={"model_id": "hf-hub:someone/model"})
    with pytest.raises(CheckpointError, match="`architecture` of a saved encoder must be"):
        load_encoder(timm_folder, device="cpu")


@pytest.mark.parametrize(
    "entry",
    [
        {"_attn_implementation": "someone/kernel"},
        {"attn_implementation": "someone/kernel"},
        {"auto_map": {"AutoModel": "someone/code--code.Mine"}},
        {"backbone_config": {"model_type": "timm_backbone", "backbone": "resnet18"}},
        {"quantization_config": {"quant_method": "awq"}},
        {"hidden_act": "../../x"},
        {"image_size": {"_attn_implementation": "kernel"}},
        {"model_type": "timm_wrapper"},
        {"model_type": "mine"},
    ],
)
def test_configurations_of_transformers_hold_numbers_only(entry: dict[str, Any]) -> None:
    spec = EncoderSpec(name="x", source="huggingface", model_id="x", license="mit")
    check_saved(spec, {"config": {"model_type": "vit", "hidden_size": 32, "transformers_version": "5.1"}})
    with pytest.raises(CheckpointError, match=rf"architecture\.config\.{next(iter(entry))}"):
        check_saved(spec, {"config": {"model_type": "vit", "hidden_size": 32} | entry})


def test_other_sources_are_checked_too(tmp_path: Path) -> None:
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    for spec, message in (
        ({"source": "local", "model_id": "/etc"}, "`spec.source`"),
        ({"source": "published", "layout": "r3m"}, "`architecture`"),
        ({"options": {"file": "/etc/passwd"}}, r"`spec\.options\.file`"),
        ({"input_size": [100_000, 100_000]}, "at most 67108864 values"),
        ({"frames": 100_000_000}, "at most 67108864 values"),
    ):
        encoder.save(tmp_path)
        change(tmp_path, spec=spec)
        with pytest.raises(CheckpointError, match=message):
            load_encoder(tmp_path, device="cpu")


def test_save_writes_nothing_that_load_refuses(tmp_path: Path) -> None:
    encoder = load_encoder("timm:test_resnet", weights="none", device="cpu")
    encoder.backbone.architecture["arguments"]["cache_dir"] = "/tmp"
    with pytest.raises(CheckpointError, match="cache_dir"):
        encoder.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_size", 84),
        ("input_size", []),
        ("input_size", [84.5, 84]),
        ("channels", "3"),
        ("channels", 10**30),
        ("frames", None),
        ("crop_pct", [1]),
        ("mean", 0.5),
        ("mean", [None, 0.5, 0.5]),
        ("std", [10**400, 1, 1]),
        ("options", []),
        ("head", 1),
        ("revision", 3),
        ("name", {}),
        ("spec", None),
        ("spec", [1]),
    ],
)
def test_damaged_specs_are_one_kind_of_error(field: str, value: Any, tmp_path: Path) -> None:
    folder = load_encoder("nature-cnn", weights="none", device="cpu").save(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    owner = config["settings"] if field == "spec" else config["settings"]["spec"]
    owner[field] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises((CheckpointError, TypeCheckError)):
        load_encoder(folder, device="cpu")
