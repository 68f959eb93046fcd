"""Pixels of crops, and selection of crops by motion."""

import pytest
import torch

from rlpriors.encoders.readouts.crops import Crops, TopKCrops, grid_crops
from rlpriors.encoders.readouts.pooling import Grid
from rlpriors.encoders.readouts.registry import parse_readout

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def counting(height: int, width: int, batch: int = 1) -> torch.Tensor:
    pixels = torch.arange(batch * height * width, dtype=torch.uint8)
    return pixels.reshape(batch, height, width, 1)


def test_crops_of_a_counting_image() -> None:
    crops = grid_crops(counting(4, 6), 2)[..., 0]
    assert crops.dtype == torch.uint8
    assert crops[0].tolist() == [[0, 1, 2], [6, 7, 8]]
    assert crops[1].tolist() == [[3, 4, 5], [9, 10, 11]]
    assert crops[2].tolist() == [[12, 13, 14], [18, 19, 20]]
    assert crops[3].tolist() == [[15, 16, 17], [21, 22, 23]]


def test_edges_are_repeated_until_the_grid_divides() -> None:
    # 3 rows lack one: it goes below.  2 columns lack none.
    assert grid_crops(counting(3, 2), 2)[..., 0].tolist() == [[[0], [2]], [[1], [3]], [[4], [4]], [[5], [5]]]
    # 6 rows on a grid of 4 lack two: one above, one below.
    column = grid_crops(counting(6, 4), 4)[:, :, 0, 0][::4]
    assert column.tolist() == [[0, 0], [4, 8], [12, 16], [20, 20]]
    # 5 rows lack three: one above, two below.
    assert grid_crops(counting(5, 4), 4)[:, :, 0, 0][::4].tolist() == [[0, 0], [4, 8], [12, 16], [16, 16]]


def test_the_grids_of_an_atari_frame() -> None:
    views = Crops((1, 2, 4)).make_views(torch.zeros(2, 210, 160, 3, dtype=torch.uint8))
    assert [tuple(part.shape) for part in views.batches] == [
        (2, 210, 160, 3),
        (8, 105, 80, 3),
        (32, 53, 40, 3),
    ]
    assert views.indices.shape == (2, 21)
    assert sorted(views.indices.flatten().tolist()) == list(range(42))
    assert views.positions.tolist() == [0, 0, *(2 * [1, 2, 3, 4]), *(2 * list(range(5, 21)))]


@pytest.mark.parametrize("device", DEVICES)
def test_joined_vectors_stand_frame_by_frame_and_crop_by_crop(device: str) -> None:
    frames = counting(4, 4, batch=3).to(device)
    readout = Crops((2, 1))
    views = readout.make_views(frames)
    means = torch.cat([part.float().mean((1, 2)) for part in views.batches])
    joined = readout.combine_views(means, views.indices)
    quarters = torch.tensor([2.5, 4.5, 10.5, 12.5, 7.5], device=device)  # and the whole at last
    torch.testing.assert_close(joined, quarters + 16 * torch.arange(3, device=device)[:, None])


def test_inner_arrays_are_flattened_and_sizes_inferred() -> None:
    readout = Crops((1, 2), Grid(2))
    assert readout.name == "crops(1,2,grid(2))"
    assert readout.combine_views(
        torch.zeros(10, 3, 4), readout.make_views(counting(4, 4, 2)).indices
    ).shape == (2, 60)


def test_crops_refuse_frames_smaller_than_the_grid() -> None:
    with pytest.raises(ValueError, match=r"at least 4x4 pixels.*Received 3x9"):
        Crops((1, 4)).make_views(torch.zeros(1, 3, 9, 1, dtype=torch.uint8))


def moving(row: int, column: int, value: int = 200, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    before = torch.zeros(batch, 16, 16, 3, dtype=torch.uint8)
    now = before.clone()
    now[:, row, column] = value
    return now, before


@pytest.mark.parametrize("measure", ["difference", "flow"])
@pytest.mark.parametrize("device", DEVICES)
def test_top_crops_pick_the_moving_patch(measure: str, device: str) -> None:
    generator = torch.Generator().manual_seed(0)
    scene = torch.rand(1, 3, 9, 9, generator=generator)
    scene = torch.nn.functional.interpolate(scene, (64, 64), mode="bicubic").clamp(0, 1)[0].permute(1, 2, 0)
    before = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    now = before.clone()
    patch = (255 * scene[:12, :12]).byte()
    before[0, 34:46, 17:29] = patch  # inside row 2, column 1 of the 4x4 grid
    now[0, 34:46, 18:30] = patch
    views = TopKCrops(2, measure).make_views(now.to(device), before.to(device))
    assert views.positions[views.indices[0]].tolist() == [0, 5 + 4 * 2 + 1, 3]  # then its lower left quarter
    assert torch.equal(views.batches[-1][0].cpu(), now[0, 32:48, 16:32])
    assert torch.equal(views.batches[-2][0].cpu(), now[0, 32:64, 0:32])


def test_ties_go_by_position_and_nothing_moving_gives_the_quarters() -> None:
    now, before = moving(0, 0)
    still = TopKCrops(5)
    assert still.select_crops(now, now).tolist() == [[0, 1, 2, 3, 4]]
    assert still.select_crops(now, before).tolist() == [[4, 0, 1, 2, 3]]  # a sixteenth has 4 times the mean
    views = still.make_views(now)  # the first frame: it is its own predecessor
    assert views.positions[views.indices[0]].tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(views.indices, still.make_views(now, now).indices)


def test_frames_of_a_batch_choose_for_themselves() -> None:
    before = torch.zeros(3, 16, 16, 1, dtype=torch.uint8)
    now = before.clone()
    now[0, 1, 1] = 9
    now[2, 14, 14] = 9
    readout = TopKCrops(1)
    views = readout.make_views(now, before)
    assert views.positions[views.indices].tolist() == [[0, 5], [0, 1], [0, 20]]
    sums = torch.cat([part.float().sum((1, 2)) for part in views.batches])
    assert readout.combine_views(sums, views.indices).tolist() == [[9, 9], [0, 0], [9, 9]]


def test_every_crop_can_be_chosen_and_parts_are_never_empty() -> None:
    now, before = moving(5, 9)
    views = TopKCrops(20).make_views(now, before)
    assert sorted(views.positions.tolist()) == list(range(21))
    assert [len(part) for part in TopKCrops(1).make_views(now, before).batches] == [1, 1]


def test_views_serve_float_frames_too() -> None:
    frames = torch.rand(1, 8, 8, 3)
    assert TopKCrops(1).make_views(frames, frames).batches[0].dtype == torch.float32


def test_only_motion_readouts_need_previous_frames() -> None:
    assert not parse_readout("crops(1,2)").needs_previous
    assert parse_readout("topk-crops(4,difference)>random-projection(4)").needs_previous
