"""Declared range of pixels: conversion by the space's bounds, rounding, refusals."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.wrappers.images.pixel_range import PixelRange


def of_box(low: float, high: float, dtype: Any) -> PixelRange:
    return PixelRange.of_space(gym.spaces.Box(low, high, (2, 2), dtype), "The observation")


@pytest.mark.parametrize(
    ("low", "high", "dtype", "pixels", "expected"),
    [
        (0, 255, np.uint8, [0, 51, 255], [0, 51, 255]),
        (0, 255, np.int32, [0, 51, 255], [0, 51, 255]),
        (0, 255, np.uint16, [0, 51, 255], [0, 51, 255]),
        (0, 1, np.float32, [0, 0.2, 1], [0, 0.2, 1]),
        (0, 1, np.float64, [0, 0.2, 1], [0, 0.2, 1]),
        (0, 255, np.float32, [0, 0.51, 255], [0, 0.002, 1]),
        (0, 255, np.float16, [0, 51, 255], [0, 0.2, 1]),
        (-1, 1, np.float32, [-1, 0, 1], [0, 0.5, 1]),
    ],
)
def test_pixels_are_converted_by_their_range(
    low: float, high: float, dtype: Any, pixels: list[float], expected: list[float]
) -> None:
    converted = of_box(low, high, dtype).convert(np.array(pixels, dtype))
    assert converted.dtype == (np.float32 if np.dtype(dtype).kind == "f" else np.uint8)
    np.testing.assert_allclose(converted, expected, atol=1e-6)


def test_rounding_beyond_the_range_is_clipped() -> None:
    above = np.nextafter(np.float32(1), np.float32(2))
    np.testing.assert_array_equal(
        of_box(0, 1, np.float32).convert(np.array([above, -1e-6], np.float32)), [1, 0]
    )
    np.testing.assert_array_equal(of_box(0, 255, np.float32).convert(np.array([255.01], np.float32)), [1])


@pytest.mark.parametrize(
    ("low", "high", "dtype", "pixel"),
    [
        (0, 1, np.float32, 90.0),
        (0, 1, np.float32, 1.1),
        (0, 1, np.float32, np.nan),
        (0, 255, np.float32, -3.0),
        (-1, 1, np.float32, 255.0),
        (0, 255, np.int32, 256),
        (0, 255, np.int32, -1),
    ],
)
def test_pixels_outside_of_the_range_are_refused(low: float, high: float, dtype: Any, pixel: float) -> None:
    with pytest.raises(ValueError, match=rf"must be in the range of its space, \[{low}, {high}\]. Received"):
        of_box(low, high, dtype).convert(np.array([pixel], dtype))


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 1, np.uint8),
        (0, 10, np.int64),
        (-np.inf, np.inf, np.float32),
        (0, 10, np.float32),
        (np.array([[0, 0], [0, -1]]), 1, np.float32),
    ],
)
def test_other_ranges_are_refused(low: Any, high: float, dtype: Any) -> None:
    low = np.broadcast_to(np.asarray(low, dtype), (2, 2))
    space = gym.spaces.Box(low, np.full((2, 2), high, dtype), dtype=dtype)
    with pytest.raises(ValueError, match=r"integers in 0..255, or of floats.*the bounds of the space set"):
        PixelRange.of_space(space, "The observation")
