"""Pytest plugin that runs the tests marked `cuda` on the second device.

A parametrized "cuda" is replaced by the name of the device, and the fixture `cuda_device` gives that name.
Tests in `CANNOT_RUN` are skipped.
"""

from collections.abc import Iterator

import pytest

from second_device.cannot_run import CANNOT_RUN
from second_device.creation import SecondDeviceMode
from second_device.registration import register
from second_device.tensor import NAME

__all__ = ["pytest_collection_modifyitems", "pytest_configure", "pytest_runtest_protocol"]


def pytest_configure() -> None:
    register()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests marked `cuda` the second device, and skip those that it cannot run."""
    for item in items:
        if item.get_closest_marker("cuda") is None:
            continue
        reason = CANNOT_RUN.get(item.nodeid) or CANNOT_RUN.get(item.nodeid.partition("[")[0])
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
        callspec = getattr(item, "callspec", None)
        if callspec is not None:
            callspec.params.update({key: NAME for key, value in callspec.params.items() if value == "cuda"})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Check random generators while a test marked `cuda` and its fixtures run."""
    if item.get_closest_marker("cuda") is None:
        return (yield)
    with SecondDeviceMode():
        return (yield)
