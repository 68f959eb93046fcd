"""From an environment's frames to what a network takes: on the device, as uint8 for as long as possible.

`Preprocess`   checks, moves, resizes and normalizes a batch of frames
`check_frames` frames of either channel order as a tensor with the channels last, nothing copied
`seen_channels` how many channels these may have

A frame travels as the bytes that the environment gave (a quarter of what floats would take) and is
resized as bytes too, which on a CPU is six times as fast as PIL and agrees with it to one level in
255.
"""

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.encoders.spec import EncoderSpec

__all__ = ["Channels", "Preprocess", "check_frames", "seen_channels"]

Channels = Literal["auto", "last", "first"]
BRIGHTNESS = (0.299, 0.587, 0.114)
"""Of red, green and blue: ITU-R Rec. BT.601."""


class Preprocess(nn.Module):
    """Prepares frames for the network of `spec`.

    Frames are [batch, height, width, channels] or [batch, channels, height, width], of uint8 in
    0..255 or of floats in [0, 1], as numpy arrays or tensors anywhere.  For a network that sees
    clips they have a further axis of time after the batch; without it, each frame becomes a still
    clip.  A single gray channel stands for all colors; three colors become the brightness that a
    network with one channel sees (Rec. 601, what Atari's own gray frames are).  The result lies where the
    module does.

    `channels` says where the colors are; "auto" finds out, and refuses a batch where both ends
    could be meant.  `channels_last` is the memory layout of the result.

    Raises:
        TypeError: frames are neither uint8 nor floats.
        ValueError: another rank or number of channels, an ambiguous order, floats outside [0, 1] or
            NaN, or, with `resize="native"`, another size.

    Example:
        >>> import numpy as np
        >>> from rlpriors.encoders.registry import encoder_spec
        >>> preprocess = Preprocess(encoder_spec("resnet18"))
        >>> preprocess(np.zeros((2, 210, 160, 3), np.uint8)).shape
        torch.Size([2, 3, 224, 224])
    """

    scale: Float[Tensor, "channels 1 1"]
    shift: Float[Tensor, "channels 1 1"]

    def __init__(
        self, spec: EncoderSpec, *, channels: Channels = "auto", channels_last: bool = False
    ) -> None:
        super().__init__()
        if channels not in get_args(Channels):
            raise ValueError(f"`channels` must be one of {list(get_args(Channels))}. Received {channels!r}.")
        self.spec = spec
        self.channels: Channels = channels
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        mean, std = (
            torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (spec.mean, spec.std)
        )
        # (x / 255 - mean) / std as one product and one sum.  Not persistent: the spec holds them.
        self.register_buffer("scale", (1 / (255 * std)).float(), persistent=False)
        self.register_buffer("shift", (-mean / std).float(), persistent=False)

    def forward(self, frames: np.ndarray | Tensor) -> Float[Tensor, "batch *time channels height width"]:
        """Frames of any size to the network's input, on this module's device."""
        return self.prepare(self.check(frames).to(self.scale.device, non_blocking=True))

    def check(self, frames: np.ndarray | Tensor) -> Tensor:
        """`check_frames` for this network: channels last, still where they were."""
        return check_frames(frames, self.spec, self.channels)

    def prepare(self, frames: Tensor) -> Float[Tensor, "batch *time channels height width"]:
        """Resize and normalize frames that were checked and lie on the device, channels last."""
        x = frames.flatten(0, -4).movedim(-1, 1)
        byte = x.dtype == torch.uint8
        if x.shape[1] > self.spec.channels:
            x = _brightness(x)
        x = self._resize(x if byte else x.float())
        x = x.to(torch.float32, memory_format=self.memory_format)
        x = x * (self.scale if byte else self.scale * 255) + self.shift
        return x.unflatten(0, frames.shape[:-3]) if frames.ndim == 5 else self._still(x)

    def _still(self, x: Tensor) -> Tensor:
        count = self.spec.frames
        return x if count == 1 else x[:, None].expand(-1, count, -1, -1, -1)

    def _resize(self, x: Tensor) -> Tensor:
        (height, width), (rows, columns) = x.shape[-2:], self.spec.input_size
        if self.spec.resize == "native":
            if (height, width) != (rows, columns):
                raise ValueError(
                    f'`frames` must be {rows}x{columns} for {self.spec.name!r} with resize="native". '
                    "Received "
                    f"{height}x{width}; pass input_size=({height}, {width}), or another `resize`."
                )
            return x
        if self.spec.resize == "squash":
            return self._to(x, rows, columns)
        if self.spec.resize == "pad":
            shrink = min(rows / height, columns / width)
            x = self._to(x, max(1, round(height * shrink)), max(1, round(width * shrink)))
            top, left = (rows - x.shape[-2]) // 2, (columns - x.shape[-1]) // 2
            right, bottom = columns - x.shape[-1] - left, rows - x.shape[-2] - top
            return F.pad(x, (left, right, top, bottom))
        # As torchvision's Resize(edge) and CenterCrop do it, with timm's meaning of crop_pct.
        edge_rows, edge_columns = int(rows / self.spec.crop_pct), int(columns / self.spec.crop_pct)
        if edge_rows / height >= edge_columns / width:
            x = self._to(x, edge_rows, max(edge_columns, int(edge_rows * width / height)))
        else:
            x = self._to(x, max(edge_rows, int(edge_columns * height / width)), edge_columns)
        top, left = round((x.shape[-2] - rows) / 2), round((x.shape[-1] - columns) / 2)
        return x[..., top : top + rows, left : left + columns]

    def _to(self, x: Tensor, height: int, width: int) -> Tensor:
        if x.shape[-2:] == (height, width):
            return x
        mode, antialias = self.spec.interpolation, self.spec.antialias
        if mode == "nearest":
            return F.interpolate(x, (height, width), mode="nearest-exact")
        byte = x.dtype == torch.uint8
        if byte and x.device.type == "cpu":
            return F.interpolate(x, (height, width), mode=mode, antialias=antialias)
        # Floats, and bytes on CUDA, which has no kernel for them.  PIL goes over the rows and then over the
        # columns with bytes in between: bicubic overshoots at edges, and what is cut off after the first
        # pass does not reach the second.  Without this, edges would differ from the CPU's by four levels.
        x = x.float()
        for size in ((x.shape[-2], width), (height, width)):
            x = F.interpolate(x, size, mode=mode, antialias=antialias)
            x = x.round_().clamp_(0, 255) if byte else x.clamp_(0, 1)
        return x


def check_frames(frames: np.ndarray | Tensor, spec: EncoderSpec, channels: Channels = "auto") -> Tensor:
    """Refuse what the network of `spec` cannot see, and put the channels last without copying.

    Raises:
        TypeError, ValueError: as `Preprocess`.
    """
    if isinstance(frames, np.ndarray):
        if any(stride < 0 for stride in frames.strides) or not frames.flags.writeable:
            frames = frames.copy()  # what torch.from_numpy cannot take
        if frames.dtype.kind not in "fu" or (frames.dtype.kind == "u" and frames.dtype != np.uint8):
            raise TypeError(_dtype(frames.dtype))
        frames = torch.from_numpy(frames)
    elif not isinstance(frames, Tensor):
        raise TypeError(f"`frames` must be a numpy array or a tensor. Received {type(frames).__name__}.")
    if frames.dtype != torch.uint8 and not frames.is_floating_point():
        raise TypeError(_dtype(frames.dtype))
    ranks = (4,) if spec.frames == 1 else (4, 5)
    if frames.ndim not in ranks:
        time = "" if spec.frames == 1 else f"{spec.frames} frames, "
        raise ValueError(
            f"`frames` for {spec.name!r} must be [batch, {time}height, width, {spec.channels}] or have the "
            f"channels before the height. Received shape {list(frames.shape)}; one image alone needs a batch "
            "axis (frames[None]), and a gray image a channel axis."
        )
    if frames.ndim == 5 and frames.shape[1] != spec.frames:
        raise ValueError(
            f"`frames` must hold clips of {spec.frames} frames for {spec.name!r}. Received {frames.shape[1]} "
            f"(shape {list(frames.shape)}); cut or stack clips of that length."
        )
    frames = _channels_last(frames, spec, channels)
    if 0 in frames.shape[1:]:
        raise ValueError(f"`frames` must have pixels. Received shape {list(frames.shape)}.")
    if frames.is_floating_point() and frames.numel():
        low, high = (float(value) for value in frames.aminmax())
        if not (low >= 0 and high <= 1):  # also true for NaN
            raise ValueError(
                f"`frames` of floats must be in [0, 1]. Received values from {low:g} to {high:g}; give "
                "uint8 in 0..255, or divide by 255."
            )
    return frames


def seen_channels(channels: int) -> tuple[int, ...]:
    """How many channels frames may have for a network of `channels`, the likeliest first.

    Example:
        >>> seen_channels(3), seen_channels(1)
        ((3, 1), (1, 3))
    """
    return (1, 3) if channels == 1 else (channels, 1)


def _brightness(x: Tensor) -> Tensor:
    weights = torch.tensor(BRIGHTNESS, device=x.device)[:, None, None]
    bright = (x * weights).sum(1, keepdim=True)
    return bright.round_().to(torch.uint8) if x.dtype == torch.uint8 else bright


def _channels_last(frames: Tensor, spec: EncoderSpec, channels: Channels) -> Tensor:
    last, first = frames.shape[-1], frames.shape[-3]
    if channels == "auto":
        # Another number counts only where the network's own stands at neither end.
        for count in seen_channels(spec.channels):
            if last == count and first == count:
                raise ValueError(
                    f"`frames` of shape {list(frames.shape)} could have their {count} channels first or "
                    "last. "
                    'Pass channels="first" or channels="last".'
                )
            if count in (last, first):
                channels = "first" if first == count else "last"
                break
        else:
            raise ValueError(_count(frames, spec, f"{last} in the last place and {first} before the height"))
    received = last if channels == "last" else first
    if received not in seen_channels(spec.channels):
        raise ValueError(_count(frames, spec, f"{received} in the {channels} place"))
    return frames if channels == "last" else frames.movedim(-3, -1)


def _count(frames: Tensor, spec: EncoderSpec, received: str) -> str:
    allowed = " or ".join(map(str, seen_channels(spec.channels)))
    return (
        f"`frames` for {spec.name!r} must have {allowed} channels, last or before the height. Received "
        f"{received}, in shape {list(frames.shape)}; encode the frames of a stack one by one."
    )


def _dtype(received: object) -> str:
    return (
        f"`frames` must be uint8 in 0..255 or floats in [0, 1]. Received {received}; convert them with "
        ".astype(np.uint8) if they are images at all."
    )
