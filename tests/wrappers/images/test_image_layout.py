"""Layouts of images: plausible readings of shapes, choices in errors, merged axes."""

import re
from itertools import product

import pytest

from rlpriors.wrappers.images.image_layout import describe_layout, detect_layout, split_layout


@pytest.mark.parametrize(
    ("shape", "channels", "layout"),
    [
        ((84, 84), 3, "HW"),
        ((84, 84, 3), 3, "HWC"),
        ((84, 84, 1), 3, "HWC"),
        ((7, 7, 3), 3, "HWC"),
        ((84, 84, 4), 4, "HWC"),
        ((1, 84, 84), 3, "CHW"),
        ((2, 84, 84), 3, "THW"),
        ((5, 84, 84), 3, "THW"),
        ((4, 84, 84, 3), 3, "THWC"),
        ((3, 84, 84, 3), 3, "THWC"),
        ((4, 84, 84, 1), 1, "THWC"),
        ((4, 3, 84, 84), 3, "TCHW"),
        ((4, 84, 84, 4), 3, "THWA"),
    ],
)
def test_one_plausible_layout_is_detected(shape: tuple[int, ...], channels: int, layout: str) -> None:
    assert detect_layout(shape, channels, "The observation") == layout


@pytest.mark.parametrize(
    ("shape", "choices"),
    [
        ((3, 84, 84), '"CHW" (1 RGB frame) or "THW" (3 gray frames)'),
        ((4, 84, 84), '"AHW" (1 RGBA frame) or "THW" (4 gray frames)'),
        ((9, 84, 84), '"THW" (9 gray frames) or "(TC)HW" (3 RGB frames)'),
        ((84, 84, 4), '"HWA" (1 RGBA frame) or "HWT" (4 gray frames)'),
        ((84, 84, 9), '"HWT" (9 gray frames) or "HW(TC)" (3 RGB frames)'),
        ((84, 84, 5), '"HWT" (5 gray frames)'),
        ((84, 84, 3, 3), '"HWCT" (3 RGB frames) or "HWTC" (3 RGB frames)'),
        ((84, 84, 3, 1), '"HWCT" (1 RGB frame) or "HWTC" (3 gray frames)'),
        ((3, 3, 84, 84), '"TCHW" (3 RGB frames) or "CTHW" (3 RGB frames)'),
    ],
)
def test_several_plausible_layouts_are_listed(shape: tuple[int, ...], choices: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"layouts fit: {choices}; set `layout`")):
        detect_layout(shape, 3, "The observation")


@pytest.mark.parametrize("shape", [(7, 7, 20), (20, 7, 7), (84, 84, 84), (4, 5, 84, 84), (10, 10, 10, 10)])
def test_shapes_of_no_image_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"The observation of shape {shape} must have the axes")):
        detect_layout(shape, 3, "The observation")


def test_a_known_stack_has_its_frames_first() -> None:
    for shape, layout in [((3, 84, 84), "THW"), ((9, 84, 84), "THW"), ((40, 84, 84), "THW")]:
        assert detect_layout(shape, 3, "The observation", is_stack=True) == layout
    assert detect_layout((3, 3, 84, 84), 3, "The observation", is_stack=True) == "TCHW"
    with pytest.raises(ValueError, match="must have the axes of an image"):
        detect_layout((4, 6), 3, "The observation", is_stack=True)


@pytest.mark.parametrize(
    ("layout", "shape", "message"),
    [
        ("hwc", (4, 4, 3), "`layout` must name each axis of an image once.*Received 'hwc'"),
        ("HWCA", (4, 4, 3, 4), "Received 'HWCA'"),
        ("(HW)C", (16, 3), r"Received '\(HW\)C'"),
        ("HWC", (4, 4), r"must name all 2 axes. Received 'HWC'"),
        ("(TC)HW", (8, 4, 4), "needs a multiple of 3 entries.*Received 8"),
        ("HWA", (4, 4, 3), r"needs 4 entries \(RGBA\) or 2 .*Received 3"),
    ],
)
def test_invalid_layouts_are_refused(layout: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_layout(layout, shape)


def test_merged_axes_are_split() -> None:
    assert split_layout("HW(CT)", (5, 6, 9)) == ("HWCT", (5, 6, 3, 3))
    assert split_layout("(TA)HW", (8, 5, 6)) == ("TAHW", (2, 4, 5, 6))
    assert describe_layout("(TA)HW", (8, 5, 6)) == "2 RGBA frames"


def test_detected_layouts_are_plausible() -> None:
    sizes = (1, 2, 3, 4, 9, 20, 84)
    for rank in (2, 3, 4):
        for shape in product(sizes, repeat=rank):
            try:
                layout = detect_layout(shape, 3, "The observation")
            except ValueError:
                continue
            letters, _ = split_layout(layout, shape)
            axes = dict(zip(letters, shape, strict=True))
            assert 4 * axes.get("T", 0) <= min(axes["H"], axes["W"])
            assert axes.get("C", 1) in (1, 3)
            assert axes.get("A", 4) == 4
            assert not letters.endswith("T")
