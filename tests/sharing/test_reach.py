"""An unreachable hub: errors at once, with the reason, and no change of the library's mode."""

import os
import subprocess
import sys
import time

import pytest
from huggingface_hub import constants

from rlpriors.sharing import reach
from rlpriors.sharing.reach import without_retries

UNREACHABLE = "http://127.0.0.1:9"  # nothing listens there

CODE = """
import sys, time
from rlpriors.encoders import load_encoder
from rlpriors import pretrained
for name in ("timm:resnet18.a1_in1k", "hf:facebook/dinov2-small", "dinov2-small"):
    try:
        load_encoder(name, device="cpu")
    except FileNotFoundError as error:
        assert "127.0.0.1 is unreachable" in str(error), error
    else:
        raise AssertionError(name)
try:
    pretrained.from_pretrained("somebody/reward")
except ConnectionError as error:
    assert "127.0.0.1 is unreachable" in str(error), error
print("done")
"""


@pytest.fixture
def no_proxy(monkeypatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_an_unreachable_hub_is_offline_in_the_body(monkeypatch, no_proxy) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", UNREACHABLE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with without_retries() as reason:
        assert reason is not None
        assert reason.startswith("127.0.0.1 is unreachable")
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE


def test_a_set_variable_or_a_proxy_decides(monkeypatch, no_proxy) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", UNREACHABLE)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with without_retries() as reason:
        assert reason is None
    assert constants.HF_HUB_OFFLINE
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:8")
    with without_retries() as reason:
        assert reason is None


def test_a_hub_that_answers_is_remembered(monkeypatch, no_proxy) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        with without_retries() as reason:
            assert reason is None
    assert endpoint in reach._REACHED


@pytest.mark.slow
def test_names_that_are_not_in_the_cache_fail_at_once(tmp_path, no_proxy) -> None:
    """Each name took 24 s of retries, or longer."""
    environment = {**os.environ, "HF_ENDPOINT": UNREACHABLE, "HF_HOME": str(tmp_path)}
    environment.pop("HF_HUB_OFFLINE", None)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.stdout.strip() == "done", done.stderr
    assert time.monotonic() - start < 60
    assert "Retrying" not in done.stderr
