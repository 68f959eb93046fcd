"""What is hidden and what is moved: masks of tokens, tiles of images."""

import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.transforms.jigsaw import Jigsaw, permutations
from rlpriors.representation.transforms.masks import BlockMask, RandomMask

CPU = torch.device("cpu")


@pytest.mark.parametrize("grid", [(4, 4), (5, 5), (8, 8), (4, 11), (12, 12)])
def test_blocks_are_blocks_and_never_seen(grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    for _ in range(30):
        kept, chosen = BlockMask()(6, grid, CPU)
        targets = chosen["targets"]
        assert targets.shape[:2] == (6, 4)
        assert kept.shape[1] >= 1
        for image in range(6):
            seen = set(kept[image].tolist())
            assert len(seen) == kept.shape[1]
            for block in targets[image]:
                assert not seen & set(block.tolist())
                rows, columns = block // grid[1], block % grid[1]
                spans = [(int(x.max() - x.min()) + 1) for x in (rows, columns)]
                assert spans[0] * spans[1] == len(block) == len(set(block.tolist()))
                assert len(block) <= 0.2 * grid[0] * grid[1]


def test_blocks_lie_anywhere() -> None:
    torch.manual_seed(0)
    found = torch.zeros(64)
    for _ in range(50):
        found += BlockMask()(8, (8, 8), CPU)[1]["targets"].flatten().bincount(minlength=64)
    assert (found > 0).all()


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.99])
def test_something_is_always_seen_and_something_hidden(ratio: float) -> None:
    kept, chosen = RandomMask(ratio)(3, (3, 3), CPU)
    assert kept.shape[1] >= 1
    assert chosen["hidden"].shape[1] >= 1
    both = torch.cat([kept, chosen["hidden"]], 1).sort(1).values
    assert torch.equal(both, torch.arange(9).expand(3, -1))


def test_orders_are_far_from_each_other_and_the_seeds() -> None:
    orders = permutations(40, 9)
    assert torch.equal(orders.sort(1).values, torch.arange(9).expand(40, -1))
    distance = (orders[:, None] != orders).sum(-1) + 9 * torch.eye(40, dtype=torch.long)
    assert distance.min() >= 6  # of random orders about 8 differ on average, but some hardly
    assert torch.equal(permutations(40, 9), orders)
    assert not torch.equal(permutations(40, 9, seed=1), orders)


def test_a_jigsaw_lays_tiles_in_its_orders() -> None:
    """Each cell has a gray of its own: what is seen of a tile says where it came from."""
    torch.manual_seed(0)
    cells = torch.arange(9.0).reshape(1, 1, 1, 3, 3) / 8
    images = cells.repeat_interleave(6, 3).repeat_interleave(8, 4).expand(5, -1, 2, -1, -1)
    tiles, chosen = Jigsaw(count=10, part=0.6)(images)
    assert tiles.shape == (5, 9, 2, 18, 24)
    orders = permutations(10, 9)[chosen["permutation"]]
    assert len(orders.unique(dim=0)) > 1
    expected = (orders / 8)[:, :, None, None, None].expand_as(tiles)
    inner = (..., slice(3, -3), slice(3, -3))  # at edges a little of the next cell is mixed in
    torch.testing.assert_close(tiles[inner], expected[inner], atol=1e-4, rtol=0)


def test_a_jigsaws_head_is_learned_and_saved(store: FrameStore) -> None:
    """EIRLI made it anew in every forward pass, after the optimizer was built: it learned nothing."""
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    settings = TrainingSettings(updates=2, batch_size=4)
    learner = RepresentationLearner(encoder, RECIPES["jigsaw"](count=12), store, settings)
    assert learner.model.predictor is not None
    head = [p for name, p in learner.model.predictor.named_parameters() if "weight" in name]
    optimized = {id(p) for group in learner.optim.param_groups for p in group["params"]}
    assert head
    assert {id(p) for p in head} <= optimized
    before = [p.clone() for p in head]
    learner.update()
    assert all(not torch.equal(old, new) for old, new in zip(before, head, strict=True))
    assert any(name.startswith("predictor.") for name in learner.model.state_dict())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockMask(blocks=0), "`blocks` must be at least 1"),
        (lambda: BlockMask(area=(0.3, 0.2)), r"`area` must be \(least, most\), above 0 and at most 1"),
        (lambda: BlockMask(aspect=(0.0, 1.0)), r"`aspect` must be \(least, most\), above 0\. Received"),
        (
            lambda: BlockMask(blocks=5),
            "5 `blocks` of an `area` up to 0.2 may hide all of a `context` of 0.85",
        ),
        (lambda: BlockMask()(1, (3, 8), CPU), "at least 4 x 4 tokens for blocks of them. Received 3 x 8"),
        (lambda: Jigsaw(side=1), "`side` must be at least 2"),
        (lambda: Jigsaw(part=0.0), r"`part` must be in \(0, 1\]"),
        (lambda: Jigsaw(side=2, count=25), "`count` must be at least 2 and at most 24 for 4 things"),
        (lambda: Jigsaw()(torch.zeros(1, 2, 3, 9, 9)), r"made of one frame\. Received windows of 2"),
    ],
)
def test_bounds(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
