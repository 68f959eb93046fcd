"""Smooth random images, whose motion optical flow can follow."""

import torch


def texture(side: int = 96, cells: int = 16, seed: int = 0) -> torch.Tensor:
    """A smooth random picture, [1, side, side, 1] uint8."""
    noise = torch.rand(1, 1, cells, cells, generator=torch.Generator().manual_seed(seed))
    grown = torch.nn.functional.interpolate(noise, (side, side), mode="bicubic").clamp(0, 1)
    return (255 * grown).byte()[0, 0][None, ..., None]
