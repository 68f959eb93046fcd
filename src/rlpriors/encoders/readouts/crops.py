"""Crops of a frame, each encoded like a frame: what is small becomes large.

`Crops`     all crops of one or more grids; "crops(1,2,4)" is PEARL's best
`TopCrops`  the whole frame and the few crops in which most happens, PEARL's DP5 and OP5
`cut`       the crops of one grid

PEARL: github.com/PAL-ML/PEARL_v1.  Crops of one size make one part of `Views`, in the frames' own
pixels: nothing is resized before the encoder does it.  With an encoder that resizes to its input
size all parts can be joined for one forward; with resize="native" each size takes its own.
"""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from rlpriors.encoders.readouts.base import Readout, Views
from rlpriors.encoders.readouts.motion import Frames, ViewReadout, check_motion, motion_energy

__all__ = ["Crops", "TopCrops", "cut"]


def cut(frames: Frames, grid: int) -> Shaped[Tensor, "images crop_height crop_width channels"]:
    """Cut each frame into `grid` x `grid` crops of one size, frame by frame, row by row.

    Where `grid` does not divide a side, its edge rows or columns are repeated until it does: half of
    them before, the other half (one more where they are odd) behind.

    Example:
        >>> cut(torch.zeros(2, 210, 160, 3, dtype=torch.uint8), 4).shape
        torch.Size([32, 53, 40, 3])

    Raises:
        ValueError: a frame is smaller than the grid.
    """
    height, width = frames.shape[1:3]
    if min(height, width) < grid:
        raise ValueError(
            f"`frames` must be at least {grid}x{grid} pixels for a {grid}x{grid} grid of crops. "
            f"Received {height}x{width}."
        )
    rows, columns = _repeated(height, grid, frames.device), _repeated(width, grid, frames.device)
    padded = frames if height == len(rows) and width == len(columns) else frames[:, rows][:, :, columns]
    return rearrange(padded, "b (r h) (c w) k -> (b r c) h w k", r=grid, c=grid)


class Crops(ViewReadout):
    """All crops of the `grids`: (1, 2, 4) is the whole frame, its quarters and its sixteenths.

    Raises:
        ValueError: a grid is below 1 or named twice, or `inner` cuts frames up itself.

    Example:
        >>> readout = Crops((1, 2))
        >>> views = readout.views(torch.zeros(3, 8, 6, 1, dtype=torch.uint8))
        >>> [tuple(part.shape) for part in views.parts]
        [(3, 8, 6, 1), (12, 4, 3, 1)]
        >>> readout.join(torch.zeros(15, 10), views.order).shape
        torch.Size([3, 50])
    """

    label = "crops"

    def __init__(self, grids: Sequence[int] = (1, 2, 4), inner: Readout | None = None) -> None:
        super().__init__(inner)
        sound = all(isinstance(grid, int) and not isinstance(grid, bool) and grid > 0 for grid in grids)
        if not grids or not sound or len(set(grids)) < len(grids):
            raise ValueError(
                f"`grids` must be whole numbers of at least 1, each once. Received {tuple(grids)}."
            )
        self.grids = tuple(grids)
        self.views_per_frame = sum(grid * grid for grid in self.grids)

    @classmethod
    def from_arguments(cls, *grids_and_inner: Any) -> "Crops":
        """From the arguments of a name: "crops(1,2,grid(2))" reads each crop by grid(2)."""
        if not grids_and_inner:
            return cls()
        *grids, last = grids_and_inner
        return cls(grids, last) if isinstance(last, Readout) else cls((*grids, last))

    def arguments(self) -> tuple[Any, ...]:
        return (*self.grids, *self.inner_argument())

    def views(self, frames: Frames, previous: Frames | None = None) -> Views:
        parts, orders, positions, images, crops = [], [], [], 0, 0
        for grid in self.grids:
            parts.append(cut(frames, grid))
            numbers = torch.arange(grid * grid, device=frames.device)
            first = images + grid * grid * torch.arange(len(frames), device=frames.device)
            orders.append(first[:, None] + numbers)
            positions.append((crops + numbers).repeat(len(frames)))
            images, crops = images + len(parts[-1]), crops + len(numbers)
        return Views(tuple(parts), torch.cat(orders, 1), torch.cat(positions))


class TopCrops(ViewReadout):
    """The whole frame and those `k` of its quarters and sixteenths in which most moves, most first.

    Energy is the mean over a crop's pixels of the frame difference or of the flow's speed, so that
    small and large crops compare.  Ties go to quarters before sixteenths, then row by row: at the
    first frame of an episode, where nothing has moved, these are the quarters.
    (PEARL groups the chosen by size instead, sixteenths first.)

    Raises:
        ValueError: `k` is not between 1 and 20, or `by` unknown.

    Example:
        >>> before = torch.zeros(1, 16, 16, 1)
        >>> now = before.clone()
        >>> now[0, 13, 2] = 100
        >>> TopCrops(2).views(now, before).positions  # row 3, column 0 of the 4x4 grid; lower left quarter
        tensor([ 0,  3, 17])
    """

    label = "topk-crops"
    needs_previous = True
    grids = (2, 4)

    def __init__(self, k: int = 4, by: str = "difference", inner: Readout | None = None) -> None:
        super().__init__(inner)
        check_motion(by)
        most = sum(grid * grid for grid in self.grids)
        if not isinstance(k, int) or not 1 <= k <= most:
            raise ValueError(f"`k` must be between 1 and {most}, the crops there are. Received {k!r}.")
        self.k, self.by = k, by
        self.views_per_frame = 1 + k

    def arguments(self) -> tuple[Any, ...]:
        return (self.k, self.by, *self.inner_argument())

    def views(self, frames: Frames, previous: Frames | None = None) -> Views:
        chosen = self.chosen(frames, frames if previous is None else previous)
        parts, order, positions = [frames], torch.zeros_like(chosen), [torch.zeros_like(chosen[:, 0])]
        images, crops = len(frames), 0
        for grid in self.grids:
            here = (chosen >= crops) & (chosen < crops + grid * grid)
            frame, rank = here.nonzero(as_tuple=True)
            number = chosen[frame, rank] - crops
            if len(frame):  # networks do not like batches of nothing
                parts.append(cut(frames, grid)[frame * grid * grid + number])
                order[frame, rank] = images + torch.arange(len(frame), device=frames.device)
                positions.append(1 + crops + number)
            images, crops = images + len(frame), crops + grid * grid
        whole = torch.arange(len(frames), device=frames.device)
        return Views(tuple(parts), torch.cat([whole[:, None], order], 1), torch.cat(positions))

    def chosen(self, frames: Frames, previous: Frames) -> Int[Tensor, "batch k"]:
        """The crops with most energy: 0 to 3 are the quarters, 4 to 19 the sixteenths."""
        energy = motion_energy(frames, previous, self.by)[..., None]
        means = [_means(energy, grid) for grid in self.grids]
        # A stable sort keeps ties in the order of the crops; topk does not.
        return torch.cat(means, 1).sort(dim=1, descending=True, stable=True).indices[:, : self.k]


def _means(energy: Frames, grid: int) -> Float[Tensor, "batch crops"]:
    crops = cut(energy, grid)
    return crops.flatten(1).mean(1).reshape(len(energy), grid * grid)


def _repeated(length: int, grid: int, device: torch.device) -> Int[Tensor, " padded"]:
    missing = -length % grid
    before = missing // 2
    return torch.arange(-before, length + missing - before, device=device).clamp(0, length - 1)
