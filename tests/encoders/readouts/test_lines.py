"""Maxima over rows and columns."""

import pytest
import torch

from rlpriors.encoders.readouts.lines import Lines
from rlpriors.encoders.readouts.registry import parse_readout
from rlpriors.types import Features


def features(maps: torch.Tensor) -> Features:
    return Features(maps.mean((2, 3)), None, maps)


def test_two_channels_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [0.0, 3.0], [5.0, 4.0]], [[-1.0, -2.0], [-3.0, 7.0], [0.0, 1.0]]]])
    rows = [2.0, -1.0, 3.0, 7.0, 5.0, 1.0]  # row by row: both channels
    columns = [5.0, 0.0, 4.0, 7.0]
    assert Lines().pool(features(maps)).tolist() == [rows + columns]


@pytest.mark.parametrize(("stride", "size"), [(1, 90), (2, 46), (4, 23), (100, 2)])
def test_strides_join_neighbors(stride: int, size: int) -> None:
    """51 x 39 cells, as those of 8x8/4 filters on an Atari frame."""
    maps = torch.randn(2, 3, 51, 39, generator=torch.Generator().manual_seed(0))
    out = Lines(stride)(features(maps))
    assert out.shape == (2, 3 * size)
    rows = torch.stack([part.amax((2, 3)) for part in maps.split(stride, 2)], 1)
    columns = torch.stack([part.amax((2, 3)) for part in maps.split(stride, 3)], 1)
    assert torch.equal(out, torch.cat([rows.flatten(1), columns.flatten(1)], 1))


def test_an_object_is_where_its_lines_cross() -> None:
    maps = torch.zeros(1, 1, 5, 7)
    maps[0, 0, 3, 6] = 2.0
    out = Lines()(features(maps))[0]
    assert out.nonzero().flatten().tolist() == [3, 5 + 6]


def test_names_and_bounds() -> None:
    assert [parse_readout(name).name for name in ("lines", "lines(1)", "lines(2)")] == [
        *("lines", "lines"),
        "lines(2)",
    ]
    with pytest.raises(ValueError, match="`stride` must be a whole number of at least 1"):
        parse_readout("lines(0)")
    with pytest.raises(ValueError, match="needs maps, which this encoder does not give"):
        parse_readout("lines").build(Features(torch.zeros(1, 2), torch.zeros(1, 4, 2), None))


def test_gradients_reach_the_maxima() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [0.0, 3.0]]]], requires_grad=True)
    Lines().pool(features(maps)).sum().backward()
    assert maps.grad is not None
    assert maps.grad.flatten().tolist() == [1.0, 1.0, 0.0, 2.0]
