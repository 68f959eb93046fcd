"""Layouts of image observations: one letter per axis.

`CHOICES`           documentation of the letters, for error messages
`split_layout`      axes and sizes of a layout, with merged axes taken apart
`detect_layout`     the one plausible layout of a shape
`describe_layout`   content of an image in this layout, such as "3 gray frames"

Letters: height H, width W, channels C, channels with alpha A (the last of them is dropped), frames T.
An axis that holds the channels of several frames is written in parentheses, the slower index first:
`"(TC)HW"` is [frames * colors, height, width].
"""

import re
from collections.abc import Sequence

__all__ = ["CHOICES", "describe_layout", "detect_layout", "split_layout"]

CHOICES = (
    '"H" (height) and "W" (width) and, if present, "C" (channels) or "A" (channels, the last of which is '
    'alpha) and "T" (frames), such as "HWC", "THW" or "HWA". Write frames that are merged into channels in '
    'parentheses, such as "(TC)HW" or "HW(TC)".'
)
MERGED_CHANNELS = {"C": 3, "A": 4}
"""Number of channels of each frame in a merged axis."""
PLAUSIBLE = (
    *("HW", "HWC", "CHW", "HWA", "AHW", "THW", "(TC)HW", "HWT", "HW(TC)"),
    *("THWC", "TCHW", "CTHW", "THWA", "TAHW", "HWCT", "HWTC", "HWAT"),
)
"""Layouts that detection considers."""
FRAMES_LAST = ("HWT", "HW(TC)", "HWCT", "HWTC", "HWAT")
BY_NAME_ONLY = (*FRAMES_LAST, "(TC)HW")
"""Layouts that are listed as choices, but never assumed."""


def split_layout(layout: str, shape: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """Return the letters of a layout without parentheses and the size of each letter's axis.

    Raises:
        ValueError: the layout is none, names another number of axes, or a size does not fit its letter.

    Example:
        >>> split_layout("(TC)HW", (9, 84, 84))
        ('TCHW', (3, 3, 84, 84))
    """
    axes = re.findall(r"\((?:T[CA]|[CA]T)\)|[HWCAT]", layout)
    letters = "".join(axes).replace("(", "").replace(")", "")
    allowed = ("HW", "CHW", "AHW", "HTW", "CHTW", "AHTW")
    if "".join(axes) != layout or sorted(letters) not in [sorted(names) for names in allowed]:
        raise ValueError(f"`layout` must name each axis of an image once: {CHOICES} Received {layout!r}.")
    if len(axes) != len(shape):
        raise ValueError(
            f"`layout` must name all {len(shape)} axes. Received {layout!r} for shape {tuple(shape)}."
        )
    sizes: list[int] = []
    for axis, size in zip(axes, shape, strict=True):
        if len(axis) == 1:
            sizes.append(size)
            continue
        channels = MERGED_CHANNELS["A" if "A" in axis else "C"]
        if size % channels:
            raise ValueError(
                f"`layout` {layout!r} needs a multiple of {channels} entries in the axis {axis!r}, "
                f"{channels} channels for each frame. Received {size} in shape {tuple(shape)}."
            )
        sizes.extend((size // channels, channels) if axis[1] == "T" else (channels, size // channels))
    if "A" in letters and sizes[letters.index("A")] not in (2, 4):
        raise ValueError(
            f'`layout` {layout!r} needs 4 entries (RGBA) or 2 (gray, alpha) in the axis "A". Received '
            f"{sizes[letters.index('A')]} in shape {tuple(shape)}."
        )
    return letters, tuple(sizes)


def describe_layout(layout: str, shape: Sequence[int]) -> str:
    """Return the content of an image of this layout.

    Example:
        >>> describe_layout("THW", (3, 84, 84)), describe_layout("HWA", (84, 84, 4))
        ('3 gray frames', '1 RGBA frame')
    """
    letters, sizes = split_layout(layout, shape)
    axes = dict(zip(letters, sizes, strict=True))
    count, channels = axes.get("T", 1), axes.get("C", axes.get("A", 1))
    names = {1: "gray", 3: "RGB"} if "A" not in axes else {2: "gray and alpha", 4: "RGBA"}
    return f"{count} {names.get(channels, f'{channels}-channel')} frame{'' if count == 1 else 's'}"


def detect_layout(shape: Sequence[int], channels: int, what: str, *, is_stack: bool = False) -> str:
    """Return the only plausible layout of a shape, for an encoder of `channels` channels.

    A last axis of 1, 3 or `channels` entries holds channels.  Frames in the last axis, or merged into
    channels, are never assumed.  The number of frames of a stack is at most a quarter of its rows or
    columns.  `is_stack` states that the first axis is a stack of frames.

    Raises:
        ValueError: no layout is plausible, or several are; the message names them.

    Example:
        >>> detect_layout((64, 64, 3), 3, "The observation"), detect_layout((5, 84, 84), 3, "The observation")
        ('HWC', 'THW')
    """
    layouts = [name for name in PLAUSIBLE if _is_plausible(name, shape, channels, is_stack)]
    if layouts and layouts[0] in ("HWC", "THWC"):
        layouts = [name for name in layouts if name not in FRAMES_LAST]
    if len(shape) == 3 and shape[0] == 1 and "CHW" in layouts and "THW" in layouts:
        layouts.remove("THW")  # one gray frame in both
    if len(layouts) == 1 and layouts[0] not in BY_NAME_ONLY:
        return layouts[0]
    if not layouts:
        raise ValueError(
            f"{what} of shape {tuple(shape)} must have the axes of an image or of a stack of frames. "
            f"Received a shape without such axes; if it is an image, set `layout` with {CHOICES}"
        )
    listed = " or ".join(f'"{name}" ({describe_layout(name, shape)})' for name in layouts)
    raise ValueError(
        f"`layout` must name the axes of {what[0].lower()}{what[1:]} of shape {tuple(shape)}. Received None, "
        f"but several layouts fit: {listed}; set `layout` to one of them, or to another order of axes."
    )


def _is_plausible(layout: str, shape: Sequence[int], channels: int, is_stack: bool) -> bool:
    try:
        letters, sizes = split_layout(layout, shape)
    except ValueError:
        return False
    axes = dict(zip(letters, sizes, strict=True))
    smaller_side = min(axes["H"], axes["W"])
    n_channels = axes.get("C", axes.get("A", 1))
    if is_stack and not layout.startswith("T"):
        return False
    if "T" in axes and not is_stack and 4 * axes["T"] > smaller_side:
        return False
    if "(" in layout and axes["T"] == 1:
        return False  # the same as "HWC" or "CHW"
    if "A" in axes and (channels == 4 or n_channels != 4):
        return False
    if "C" in axes and n_channels not in (1, 3, channels):
        return False
    return n_channels <= smaller_side
