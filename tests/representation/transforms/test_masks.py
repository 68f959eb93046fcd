"""Random and block masks over tokens."""

import pytest
import torch

from rlpriors.representation.transforms.masks import BlockMask, RandomMask

CPU = torch.device("cpu")


@pytest.mark.parametrize("grid", [(4, 4), (5, 5), (8, 8), (4, 11), (12, 12)])
def test_targets_are_blocks_and_not_visible(grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    for _ in range(30):
        visible, chosen = BlockMask()(6, grid, CPU)
        targets = chosen["targets"]
        assert targets.shape[:2] == (6, 4)
        assert visible.shape[1] >= 1
        for image in range(6):
            shown = set(visible[image].tolist())
            assert len(shown) == visible.shape[1]
            for block in targets[image]:
                assert not shown & set(block.tolist())
                rows, columns = block // grid[1], block % grid[1]
                spans = [(int(x.max() - x.min()) + 1) for x in (rows, columns)]
                assert spans[0] * spans[1] == len(block) == len(set(block.tolist()))
                assert len(block) <= 0.2 * grid[0] * grid[1]


def test_blocks_cover_the_image() -> None:
    torch.manual_seed(0)
    found = torch.zeros(64)
    for _ in range(50):
        found += BlockMask()(8, (8, 8), CPU)[1]["targets"].flatten().bincount(minlength=64)
    assert (found > 0).all()


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.99])
def test_some_tokens_are_visible_and_some_masked(ratio: float) -> None:
    visible, chosen = RandomMask(ratio)(3, (3, 3), CPU)
    assert visible.shape[1] >= 1
    assert chosen["masked"].shape[1] >= 1
    both = torch.cat([visible, chosen["masked"]], 1).sort(1).values
    assert torch.equal(both, torch.arange(9).expand(3, -1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockMask(n_blocks=0), "`n_blocks` must be at least 1"),
        (lambda: BlockMask(area=(0.3, 0.2)), r"`area` must be \(least, most\), above 0 and at most 1"),
        (lambda: BlockMask(aspect=(0.0, 1.0)), r"`aspect` must be \(least, most\), above 0\. Received"),
        (
            lambda: BlockMask(n_blocks=5),
            "`n_blocks` times the largest `area` must be below the smallest `context`, 0.85. Received 5",
        ),
        (lambda: BlockMask()(1, (3, 8), CPU), "at least 4 x 4 tokens for a block mask. Received 3 x 8"),
    ],
)
def test_bounds(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
