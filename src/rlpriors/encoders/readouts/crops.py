"""Readouts that encode crops of a frame as images of their own, which enlarges small objects.

`Crops`        all crops of one or more grids; "crops(1,2,4)" is PEARL's best readout
`TopKCrops`    the whole frame and the k crops with the most motion, PEARL's DP5 and OP5
`grid_crops`   crops of one grid

PEARL: github.com/PAL-ML/PEARL_v1.  Crops of one size form one batch of `ImageViews`, at the frames'
resolution; only the encoder resizes them.  With an encoder that resizes to its input size, all
batches share one forward pass.  With resize="native" each size needs its own.
"""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from rlpriors.encoders.readouts.base import Frames, ImageViews, Readout
from rlpriors.encoders.readouts.motion import check_motion_measure, motion_energy
from rlpriors.encoders.readouts.multi_view import MultiViewReadout

__all__ = ["Crops", "TopKCrops", "grid_crops"]

MAX_CROPS = 4096


def grid_crops(frames: Frames, grid: int) -> Shaped[Tensor, "images crop_height crop_width channels"]:
    """Cut each frame into `grid` x `grid` crops of one size, frame by frame, row by row.

    If `grid` does not divide a side, its edge rows or columns are repeated until it does.  Half of the
    padding comes before the frame and half after it (one more if their number is odd).

    Example:
        >>> grid_crops(torch.zeros(2, 210, 160, 3, dtype=torch.uint8), 4).shape
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
    rows = _padded_indices(height, grid, frames.device)
    columns = _padded_indices(width, grid, frames.device)
    padded = frames if height == len(rows) and width == len(columns) else frames[:, rows][:, :, columns]
    return rearrange(padded, "b (r h) (c w) k -> (b r c) h w k", r=grid, c=grid)


class Crops(MultiViewReadout):
    """Readout of all crops of `grids`: (1, 2, 4) is the whole frame, its quarters and its sixteenths.

    Raises:
        ValueError: a grid is below 1 or repeated, or `inner` itself has several views per frame.

    Example:
        >>> readout = Crops((1, 2))
        >>> views = readout.make_views(torch.zeros(3, 8, 6, 1, dtype=torch.uint8))
        >>> [tuple(batch.shape) for batch in views.batches]
        [(3, 8, 6, 1), (12, 4, 3, 1)]
        >>> readout.combine_views(torch.zeros(15, 10), views.indices).shape
        torch.Size([3, 50])
    """

    label = "crops"

    def __init__(self, grids: Sequence[int] = (1, 2, 4), inner: Readout | None = None) -> None:
        super().__init__(inner)
        valid = all(isinstance(grid, int) and not isinstance(grid, bool) and grid > 0 for grid in grids)
        if not grids or not valid or len(set(grids)) < len(grids):
            raise ValueError(
                f"`grids` must be whole numbers of at least 1, each once. Received {tuple(grids)}."
            )
        self.grids = tuple(grids)
        self.views_per_frame = sum(grid * grid for grid in self.grids)
        if self.views_per_frame > MAX_CROPS:
            raise ValueError(
                f"`grids` must make at most {MAX_CROPS} crops of a frame. Received {self.grids}, which make "
                f"{self.views_per_frame}; each crop is encoded on its own."
            )

    @classmethod
    def from_arguments(cls, *grids_and_inner: Any) -> "Crops":
        """Create the readout from arguments: "crops(1,2,grid(2))" pools each crop with grid(2)."""
        if not grids_and_inner:
            return cls()
        *grids, last = grids_and_inner
        return cls(grids, last) if isinstance(last, Readout) else cls((*grids, last))

    def arguments(self) -> tuple[Any, ...]:
        return (*self.grids, *self.inner_argument())

    def make_views(self, frames: Frames, previous: Frames | None = None) -> ImageViews:
        batches, indices, positions, n_images, n_crops = [], [], [], 0, 0
        for grid in self.grids:
            batches.append(grid_crops(frames, grid))
            numbers = torch.arange(grid * grid, device=frames.device)
            first = n_images + grid * grid * torch.arange(len(frames), device=frames.device)
            indices.append(first[:, None] + numbers)
            positions.append((n_crops + numbers).repeat(len(frames)))
            n_images, n_crops = n_images + len(batches[-1]), n_crops + len(numbers)
        return ImageViews(tuple(batches), torch.cat(indices, 1), torch.cat(positions))


class TopKCrops(MultiViewReadout):
    """Readout of the whole frame and the `k` quarters and sixteenths with the highest motion energy.

    Crops are sorted by decreasing energy: the mean over a crop's pixels of the frame difference or of
    the flow's speed, which makes small and large crops comparable.  Ties are ordered quarters before
    sixteenths, then row by row; at the first frame of an episode, which has no motion, the first crops
    are the quarters.  (PEARL groups the selected crops by size instead, sixteenths first.)

    Raises:
        ValueError: `k` is not between 1 and 20, or `measure` is unknown.

    Example:
        >>> before = torch.zeros(1, 16, 16, 1)
        >>> now = before.clone()
        >>> now[0, 13, 2] = 100
        >>> # The whole frame, the lower left quarter, and row 3, column 0 of the 4x4 grid.
        >>> TopKCrops(2).make_views(now, before).positions
        tensor([ 0,  3, 17])
    """

    label = "topk-crops"
    needs_previous = True
    grids = (2, 4)

    def __init__(self, k: int = 4, measure: str = "difference", inner: Readout | None = None) -> None:
        super().__init__(inner)
        check_motion_measure(measure)
        n_crops = sum(grid * grid for grid in self.grids)
        if not isinstance(k, int) or not 1 <= k <= n_crops:
            raise ValueError(f"`k` must be between 1 and {n_crops}, the number of crops. Received {k!r}.")
        self.k, self.measure = k, measure
        self.views_per_frame = 1 + k

    def arguments(self) -> tuple[Any, ...]:
        return (self.k, self.measure, *self.inner_argument())

    def make_views(self, frames: Frames, previous: Frames | None = None) -> ImageViews:
        selected = self.select_crops(frames, frames if previous is None else previous)
        batches, indices, positions = [frames], torch.zeros_like(selected), [torch.zeros_like(selected[:, 0])]
        n_images, n_crops = len(frames), 0
        for grid in self.grids:
            of_this_grid = (selected >= n_crops) & (selected < n_crops + grid * grid)
            frame, rank = of_this_grid.nonzero(as_tuple=True)
            number = selected[frame, rank] - n_crops
            if len(frame):  # networks may not accept empty batches
                batches.append(grid_crops(frames, grid)[frame * grid * grid + number])
                indices[frame, rank] = n_images + torch.arange(len(frame), device=frames.device)
                positions.append(1 + n_crops + number)
            n_images, n_crops = n_images + len(frame), n_crops + grid * grid
        full_frames = torch.arange(len(frames), device=frames.device)
        return ImageViews(tuple(batches), torch.cat([full_frames[:, None], indices], 1), torch.cat(positions))

    def select_crops(self, frames: Frames, previous: Frames) -> Int[Tensor, "batch k"]:
        """Return the crops with the highest energy: 0 to 3 are quarters, 4 to 19 sixteenths."""
        energy = motion_energy(frames, previous, self.measure)[..., None]
        means = [_crop_means(energy, grid) for grid in self.grids]
        # A stable sort keeps ties in the order of the crops, unlike topk.
        return torch.cat(means, 1).sort(dim=1, descending=True, stable=True).indices[:, : self.k]


def _crop_means(energy: Frames, grid: int) -> Float[Tensor, "batch crops"]:
    crops = grid_crops(energy, grid)
    return crops.flatten(1).mean(1).reshape(len(energy), grid * grid)


def _padded_indices(length: int, grid: int, device: torch.device) -> Int[Tensor, " padded"]:
    missing = -length % grid
    before = missing // 2
    return torch.arange(-before, length + missing - before, device=device).clamp(0, length - 1)
