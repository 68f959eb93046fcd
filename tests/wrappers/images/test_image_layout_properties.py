"""Frames of images over random layouts, sizes and number types: declared and detected."""

import re

import gymnasium as gym
import numpy as np
from hypothesis import assume, event, given
from hypothesis import strategies as st

from rlpriors.wrappers.images.image_layout import detect_layout, split_layout
from rlpriors.wrappers.images.image_spaces import find_images

RANGES = [
    *((dtype, 0, 255) for dtype in ("u1", "i2", "i4", "i8", "f4", "f8")),
    *(("f4", *bounds) for bounds in ((0, 1), (-1, 1))),
    *(("f8", *bounds) for bounds in ((0, 1), (-1, 1))),
]
CONVENTIONAL = ("HW", "HWC", "CHW", "HWA", "AHW", "THW", "THWC", "TCHW", "CTHW", "THWA", "TAHW")
"""Layouts that detection may assume: frames are not last, and not merged into channels."""


@st.composite
def layouts(draw: st.DrawFn) -> str:
    """Any layout: an order of the axes, some of whose neighbors are merged."""
    letters = draw(st.sampled_from(["HW", "CHW", "AHW", "HTW", "CHTW", "AHTW"]))
    layout = "".join(draw(st.permutations(letters)))
    merged = re.search("T[CA]|[CA]T", layout)
    if merged and draw(st.booleans()):
        layout = layout.replace(merged[0], f"({merged[0]})")
    return layout


def shape_of(layout: str, sizes: dict[str, int]) -> tuple[int, ...]:
    """Shape of an array in this layout, with merged axes as one."""
    axes = re.findall(r"\(..\)|.", layout)
    return tuple(int(np.prod([sizes[letter] for letter in axis.strip("()")])) for axis in axes)


def in_layout(frames: np.ndarray, layout: str, sizes: dict[str, int]) -> np.ndarray:
    """Frames [time, height, width, channels] in the order of a layout."""
    letters = re.sub("[()]", "", layout)
    order = [("THWA" if "A" in letters else "THWC").index(letter) for letter in letters]
    order += [axis for axis in range(4) if axis not in order]  # axes of size 1
    return frames.transpose(order).reshape(shape_of(layout, sizes))


def expected(frames: np.ndarray, low: float, high: float, *, alpha: bool) -> np.ndarray:
    colors = frames[..., :-1] if alpha else frames
    if frames.dtype.kind != "f":
        return colors.astype(np.uint8)
    return ((colors.astype(np.float64) - low) / (high - low)).astype(np.float32)


@given(
    layout=layouts(),
    pixels=st.sampled_from(RANGES),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=st.sampled_from([1, 3]),
    n_frames=st.integers(1, 4),
    n=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_frames_of_a_declared_layout(layout, pixels, sides, channels, n_frames, n, seed):
    channels = 3 if "(" in layout else channels  # a merged axis holds color frames
    alpha = "A" in layout
    sizes = {"H": sides[0], "W": sides[1], "T": n_frames if "T" in layout else 1}
    sizes["A" if alpha else "C"] = channels + alpha if alpha or "C" in layout else 1
    dtype, low, high = np.dtype(pixels[0]), *pixels[1:]
    space = gym.spaces.Box(low, high, shape_of(layout, sizes), dtype.type)
    rng = np.random.default_rng(seed)
    full = (n, sizes["T"], *sides, sizes["A" if alpha else "C"])
    frames = rng.uniform(low, high, full) if dtype.kind == "f" else rng.integers(0, 256, full)
    frames = frames.astype(dtype)
    (leaf,) = find_images(space, None, layout, channels=3)
    assert (leaf.n_frames, leaf.channels, leaf.image_size) == (
        sizes["T"],
        sizes["A"] - 1 if alpha else sizes["C"],
        sides,
    )
    read = leaf.frames(np.stack([in_layout(image, layout, sizes) for image in frames]))
    wanted = expected(frames, low, high, alpha=alpha)
    assert read.dtype == wanted.dtype
    if dtype.kind == "f":
        np.testing.assert_allclose(read, wanted, atol=1e-6)
        assert read.min() >= 0
        assert read.max() <= 1
    else:
        np.testing.assert_array_equal(read, wanted)


@given(
    layout=st.sampled_from(CONVENTIONAL),
    sides=st.tuples(st.integers(1, 99), st.integers(1, 99)),
    channels=st.sampled_from([1, 3]),
    n_frames=st.integers(1, 12),
    network=st.sampled_from([1, 3]),
)
def test_a_detected_layout_is_the_declared_one_or_a_choice(layout, sides, channels, n_frames, network):
    sizes = {"H": sides[0], "W": sides[1], "C": channels, "A": 4, "T": n_frames}
    shape = shape_of(layout, sizes)
    n_frames = n_frames if "T" in layout else 1
    n_channels = {"C": channels, "A": 4}.get(next((x for x in layout if x in "CA"), ""), 1)
    assume(4 * n_frames * (n_frames > 1) <= min(sides))
    assume(n_channels <= min(sides))
    message = ""
    try:
        detected = detect_layout(shape, network, "The observation")
    except ValueError as error:
        message = str(error)
    if message:
        event("refused")
        assert f'"{layout}" (' in message or (n_frames == 1 and "T" in layout), (layout, shape)
        return
    letters, split = split_layout(detected, shape)
    axes = dict(zip(letters, split, strict=True))
    # One frame without a letter for frames, and one gray channel without a letter, are the same image.
    assert (axes["H"], axes["W"], axes.get("T", 1), axes.get("C", axes.get("A", 1))) == (
        *sides,
        n_frames,
        n_channels,
    ), (layout, detected, shape)
