"""Augmentation of frames by small shifts and changes of intensity.

`augment_frames`  random shift and intensity of each frame, from a generator
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = ["augment_frames"]


def augment_frames(
    frames: Float[Tensor, "batch channels height width"],
    shift: int,
    intensity: float,
    generator: torch.Generator,
) -> Float[Tensor, "batch channels height width"]:
    """Return each frame shifted and scaled at random, as SPR does (arXiv 2007.05929, appendix).

    A shift is uniform in -`shift`..`shift` pixels along both axes, and the border is repeated.  The intensity
    is multiplied by 1 + `intensity` x, where x is a standard normal number clipped to [-2, 2].

    Example:
        >>> frames = torch.rand(8, 1, 12, 12)
        >>> generator = torch.Generator().manual_seed(0)
        >>> torch.equal(augment_frames(frames, 0, 0.0, generator), frames)
        True
        >>> augment_frames(frames, 2, 0.05, generator).shape
        torch.Size([8, 1, 12, 12])
    """
    n, _, height, width = frames.shape
    device = frames.device
    if shift:
        padded = functional.pad(frames, (shift, shift, shift, shift), mode="replicate").movedim(1, -1)
        offset = torch.randint(2 * shift + 1, (2, n), generator=generator, device=device)
        rows = offset[0][:, None] + torch.arange(height, device=device)
        columns = offset[1][:, None] + torch.arange(width, device=device)
        numbers = torch.arange(n, device=device)[:, None, None]
        frames = padded[numbers, rows[:, :, None], columns[:, None]].movedim(-1, 1)
    if intensity:
        noise = torch.randn(n, 1, 1, 1, generator=generator, device=device).clamp(-2, 2)
        frames = frames * (1 + intensity * noise)
    return frames
