"""Jigsaw tiles and their permutations."""

import pytest
import torch

from rlpriors.representation.transforms.jigsaw import Jigsaw, hamming_permutations


def test_permutations_differ_in_many_places_and_follow_the_seed() -> None:
    orders = hamming_permutations(40, 9)
    assert torch.equal(orders.sort(1).values, torch.arange(9).expand(40, -1))
    distance = (orders[:, None] != orders).sum(-1) + 9 * torch.eye(40, dtype=torch.long)
    assert distance.min() >= 6  # of random orders about 8 differ on average, but some hardly
    assert torch.equal(hamming_permutations(40, 9), orders)
    assert not torch.equal(hamming_permutations(40, 9, seed=1), orders)


def test_tiles_follow_their_permutation() -> None:
    """Each cell has a gray of its own: what is seen of a tile says where it came from."""
    torch.manual_seed(0)
    cells = torch.arange(9.0).reshape(1, 1, 1, 3, 3) / 8
    images = cells.repeat_interleave(6, 3).repeat_interleave(8, 4).expand(5, -1, 2, -1, -1)
    tiles, chosen = Jigsaw(n_permutations=10, tile_fraction=0.6)(images)
    assert tiles.shape == (5, 9, 2, 18, 24)
    orders = hamming_permutations(10, 9)[chosen["permutation"]]
    assert len(orders.unique(dim=0)) > 1
    expected = (orders / 8)[:, :, None, None, None].expand_as(tiles)
    inner = (..., slice(3, -3), slice(3, -3))  # at edges a little of the next cell is mixed in
    torch.testing.assert_close(tiles[inner], expected[inner], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Jigsaw(grid_size=1), "`grid_size` must be at least 2"),
        (lambda: Jigsaw(tile_fraction=0.0), r"`tile_fraction` must be in \(0, 1\]"),
        (
            lambda: Jigsaw(grid_size=2, n_permutations=25),
            "`n_permutations` must be at least 2 and at most 24 for 4 items",
        ),
        (lambda: Jigsaw()(torch.zeros(1, 2, 3, 9, 9)), r"must be single frames\. Received clips of 2"),
    ],
)
def test_bounds(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
