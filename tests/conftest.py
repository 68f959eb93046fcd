"""What every test stands on: quiet libraries, a private folder for data sets, and no silent skips."""

import logging
import os
import tempfile
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import hypothesis
import pytest

# These are read once, when torch, numba or mujoco is first imported: so before anything else here.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny matrices lose time to threads
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # tianshou's first policy would compile for 5 s
os.environ.setdefault("MUJOCO_GL", "egl" if find_library("EGL") else "disable")  # no screen in CI
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that wants the network fails at once

# Property tests: `default` repeats the same few examples, `nightly` draws many new ones.
hypothesis.settings.register_profile(
    "default", max_examples=40, deadline=None, derandomize=True, database=None
)
hypothesis.settings.register_profile(
    "nightly", max_examples=2000, deadline=None, derandomize=False, print_blob=True
)
hypothesis.settings.load_profile(os.environ.get("RLPRIORS_HYPOTHESIS") or "default")

# No test may read or write the data sets of the person who runs it.
_datasets = tempfile.TemporaryDirectory(prefix="rlpriors-tests-")
os.environ["MINARI_DATASETS_PATH"] = _datasets.name


def second_device_stands_in() -> bool:
    """Return whether tests marked `cuda` run on the second device of `tests/plugins`."""
    if os.environ.get("RLPRIORS_SECOND_DEVICE", "0") in ("", "0"):
        return False
    import torch

    return not torch.cuda.is_available()


def pytest_configure(config: pytest.Config) -> None:
    """Load the plugin of the second device."""
    if second_device_stands_in():
        from second_device import plugin

        config.pluginmanager.register(plugin)


def pytest_unconfigure() -> None:
    """Remove the data sets that tests left behind."""
    _datasets.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `cuda` where there is no device, with a reason that the summary prints."""
    needs_cuda = [item for item in items if item.get_closest_marker("cuda")]
    if not needs_cuda or second_device_stands_in():
        return
    import torch

    if not torch.cuda.is_available():
        for item in needs_cuda:
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture
def cuda_device() -> str:
    """Device of a test marked `cuda`: "cuda", or the second device where that stands in."""
    if not second_device_stands_in():
        return "cuda"
    import second_device

    return second_device.NAME


@pytest.fixture(autouse=True)
def _same_log_level() -> Iterator[None]:
    """Commands and benchmarks set the level of the root logger; the next test finds it unchanged."""
    level = logging.root.level
    yield
    logging.root.setLevel(level)


@pytest.fixture
def without_type_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Annotations are not checked, as in use: what the library itself says of a wrong type is seen."""
    import jaxtyping

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def minari_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that Minari takes for its own during this test."""
    root = tmp_path / "minari"
    root.mkdir()
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    return root
