"""Readouts: hand-worked numbers, and one contract for all of `READOUTS`."""

import copy
import math

import pytest
import torch

from rlpriors.encoders.readouts.crops import Crops
from rlpriors.encoders.readouts.pooling import GeneralizedMean, Grid, SpatialSoftmax
from rlpriors.encoders.readouts.registry import (
    READOUTS,
    Readout,
    ReadoutPipeline,
    available_readouts,
    parse_readout,
)
from rlpriors.types import Features

NAMES = [
    "cls",
    "mean",
    "max",
    "gem",
    "cls+mean",
    "grid(2)",
    "lines",
    "lines(2)",
    "flatten",
    "spatial-softmax",
    "attention-pool(2)",
    "compress(32)",
    "crops(1,2,attention-pool)",
    "topk-crops(2,flow,mean)",
    "motion-mask(difference)",
]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]

# Two channels on a 2x2 map: the first counts 1 to 4, the second is 8, 6, 4, 2.
MAPS = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[8.0, 6.0], [4.0, 2.0]]]])
COUNTED = Features(torch.tensor([[10.0, 20.0]]), MAPS.flatten(2).transpose(1, 2), MAPS)


def features(batch: int = 3, width: int = 8, side: int = 4, seed: int = 0) -> Features:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(batch, width, side, side, generator=generator)
    return Features(maps.mean((2, 3)), maps.flatten(2).transpose(1, 2), maps)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cls", [10, 20]),
        ("mean", [2.5, 5]),
        ("max", [4, 8]),
        ("gem(1)", [2.5, 5]),
        ("gem(2)", [math.sqrt(30 / 4), math.sqrt(120 / 4)]),
        ("gem", [(100 / 4) ** (1 / 3), (800 / 4) ** (1 / 3)]),
        ("cls+mean", [10, 20, 2.5, 5]),
        ("grid(1)", [2.5, 5]),
        ("grid(2)", [1, 8, 2, 6, 3, 4, 4, 2]),
        ("flatten", [1, 8, 2, 6, 3, 4, 4, 2]),
    ],
)
def test_hand_worked_numbers(name: str, expected: list[float]) -> None:
    torch.testing.assert_close(parse_readout(name)(COUNTED), torch.tensor([expected], dtype=torch.float32))


def test_a_map_alone_serves_for_tokens() -> None:
    assert parse_readout("flatten")(COUNTED._replace(tokens=None)).tolist() == [[1, 8, 2, 6, 3, 4, 4, 2]]


def test_gem_goes_from_mean_to_max() -> None:
    tokens = features().tokens.abs() * 1000  # a plain 200th power of these would overflow
    given = Features(tokens.mean(1), tokens, None)
    torch.testing.assert_close(GeneralizedMean(1)(given), tokens.mean(1))
    torch.testing.assert_close(GeneralizedMean(3000)(given), tokens.amax(1), rtol=2e-3, atol=0)
    between = GeneralizedMean(4)(given)
    assert bool((between > tokens.mean(1)).all() and (between < tokens.amax(1)).all())


def test_gem_keeps_half_precision_finite() -> None:
    tokens = torch.full((1, 4, 2), 60000.0, dtype=torch.float16)
    assert GeneralizedMean(3)(Features(tokens[:, 0], tokens, None)).tolist() == [[60000.0, 60000.0]]


@pytest.mark.parametrize(
    ("row", "column", "x", "y"), [(0, 0, -1, -1), (0, 4, 1, -1), (2, 4, 1, 1), (1, 2, 0, 0), (2, 1, -0.5, 1)]
)
def test_spatial_softmax_of_one_bright_cell_is_its_place(row: int, column: int, x: float, y: float) -> None:
    maps = torch.zeros(1, 2, 3, 5)
    maps[0, 0, row, column] = 200.0
    expected = torch.tensor([[x, y, 0.0, 0.0]], dtype=torch.float32)  # the second channel is flat: the middle
    torch.testing.assert_close(SpatialSoftmax()(Features(torch.zeros(1, 2), None, maps)), expected)


def test_spatial_softmax_temperature_and_single_cells() -> None:
    maps = torch.tensor([[[[0.0, math.log(3.0)]]]])
    given = Features(torch.zeros(1, 1), None, maps)
    torch.testing.assert_close(SpatialSoftmax()(given), torch.tensor([[0.5, 0.0]]))  # 3/4 - 1/4
    torch.testing.assert_close(SpatialSoftmax(0.5)(given), torch.tensor([[0.8, 0.0]]))  # 9/10 - 1/10


def test_attention_pool_weighs_tokens_by_its_query() -> None:
    readout = parse_readout("attention-pool").build(COUNTED)
    with torch.no_grad():
        readout.query.zero_()  # asks for nothing: all tokens count alike
        readout.net["value"].weight.copy_(torch.eye(2))
    normed = readout.net["norm"](COUNTED.tokens)
    torch.testing.assert_close(readout(COUNTED), normed.mean(1))


def test_compress_keeps_about_its_size_on_the_grid() -> None:
    assert parse_readout("compress").build(features(1, 8, 16)).output_shape(features(1, 8, 16)) == (2048,)
    assert parse_readout("compress").build(features(1, 8, 7)).output_shape(features(1, 8, 7)) == (2058,)
    assert parse_readout("compress(3)").build(features(1, 8, 4)).output_shape(features(1, 8, 4)) == (16,)


def test_every_readout_is_under_contract() -> None:
    assert {name.partition("(")[0] for name in NAMES} == set(READOUTS)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [*NAMES, "crops(1,2,4)>random-projection(5)", "mean>random-projection(3,1)"])
def test_contract(name: str, device: str) -> None:
    given = Features(*(part.to(device) for part in features()))
    readout = parse_readout(name).build(given, seed=1)
    assert readout.name == name
    assert parse_readout(readout) is readout

    shape = readout.output_shape(given)
    vectors = readout(given)
    assert vectors.device.type == device
    assert vectors.dtype == torch.float32
    views = readout.views_per_frame
    indices = torch.zeros(2, views, dtype=torch.long)  # two frames, all of whose views were the first image
    joined = readout.combine_views(vectors, indices)
    assert joined.shape == (2, *shape)
    torch.testing.assert_close(joined[0], joined[1])

    assert bool(list(readout.parameters())) == readout.trainable
    if readout.trainable:
        vectors.square().sum().backward()
        for weight in readout.parameters():
            assert weight.grad is not None
            assert weight.grad.abs().sum() > 0

    again = parse_readout(name).build(given, seed=2)
    if readout.trainable:
        assert not torch.equal(again(given), vectors)
    again.load_state_dict(readout.state_dict())
    torch.testing.assert_close(again(given), vectors)
    same = parse_readout(name).build(given, seed=1)
    torch.testing.assert_close(same(given), vectors)


@pytest.mark.parametrize("name", NAMES)
def test_building_twice_keeps_the_weights_and_leaves_the_global_generator(name: str) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    readout = parse_readout(name).build(features())
    before = readout(features()).detach()
    readout.build(features(seed=5), seed=9)
    assert torch.equal(readout(features()), before)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    "name", ["mean", "gem", "grid(2)", "spatial-softmax", "attention-pool", "compress(32)"]
)
def test_half_precision_features(name: str) -> None:
    given = features()
    half = Features(*(part.bfloat16() for part in given))
    readout = parse_readout(name).build(given)
    torch.testing.assert_close(readout(half).float(), readout(given).float(), rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (" grid( 2 ) ", "grid(2)"),
        ("gem(3)", "gem"),
        ("gem(3.0)", "gem"),
        ("gem(2.5)", "gem(2.5)"),
        ("spatial-softmax(0.123456789)", "spatial-softmax(0.123456789)"),
        ("attention-pool(1)", "attention-pool"),
        ("compress", "compress(2048)"),
        ("crops", "crops(1,2,4)"),
        ("crops(4, 1, grid(2))", "crops(4,1,grid(2))"),
        ("crops(1,2,cls)", "crops(1,2)"),
        ("crops(1,2,mean>pca(3))>pca(2)", "crops(1,2,mean>pca(3))>pca(2)"),
        ("topk-crops", "topk-crops(4,difference)"),
        ("topk-crops(3,flow,max)", "topk-crops(3,flow,max)"),
        ("motion-mask(flow,mean,alone)", "motion-mask(flow,alone,mean)"),
        ("cls>whiten(4)>random-projection(2,7)", "cls>whiten(4)>random-projection(2,7)"),
    ],
)
def test_names(written: str, name: str) -> None:
    assert parse_readout(written).name == name
    assert parse_readout(name).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clss", "Did you mean 'cls'"),
        ("", "must be made of"),
        ("spatial_softmax", "Did you mean 'spatial-softmax'"),
        ("mean>pc(3)", "Did you mean 'pca'"),
        ("grid", "missing a required argument: 'size'"),
        ("grid(a)", "`size` must be a number"),
        ("grid(1,2)", "too many positional arguments"),
        ("grid(2", "close its brackets"),
        ("grid(2)x", "close its brackets"),
        ("grid(0)", "`size` must be a whole number of at least 1. Received 0"),
        ("gem(-1)", "`power` must be a finite number above 0"),
        ("spatial-softmax(0)", "`temperature` must be"),
        ("crops(1,1)", "each once"),
        ("crops(0)", "`grids` must be whole numbers"),
        ("crops(1,crops(1,2))", "`inner` must read one image"),
        ("topk-crops(21)", "`k` must be between 1 and 20"),
        ("topk-crops(2,speed)", "`measure` must be one of"),
        ("motion-mask(flow,both)", "takes 'alone' and one readout"),
        ("compress(99999999999)", "`size` must be at most 1048576"),
        ("grid(99999999999)", "`size` must be at most 1048576"),
        ("mean>random-projection(99999999999)", "`size` must be at most 1048576"),
        ("attention-pool(99999999999)", "`queries` must be at most 4096"),
        ("crops(1,99999999999)", "`grids` must make at most 4096 crops"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        parse_readout(name)


def test_a_readout_that_the_model_cannot_give_names_those_that_it_can() -> None:
    pooled = Features(torch.zeros(2, 4), None, None)
    everywhere = "cls, crops(1,2,4), topk-crops(4,difference), motion-mask(difference)"
    for name, missing in [("mean", "tokens"), ("grid(2)", "maps"), ("crops(1,2,compress)", "maps")]:
        with pytest.raises(ValueError, match=rf"needs {missing}.*`available_readouts`"):
            parse_readout(name).build(pooled)
    assert ", ".join(available_readouts(pooled)) == everywhere
    tokens = Features(torch.zeros(2, 4), torch.zeros(2, 9, 4), None)
    assert "attention-pool" in available_readouts(tokens)
    assert not {"grid(2)", "compress", "spatial-softmax"} & set(available_readouts(tokens))
    with pytest.raises(ValueError, match="map of at least 5x5, and this encoder's is 4x4"):
        Grid(5)(features())


def test_weights_must_be_built_and_must_fit() -> None:
    for name in ("attention-pool", "compress(32)"):
        with pytest.raises(ValueError, match="call `build"):
            parse_readout(name)(features())
        built = parse_readout(name).build(features())
        with pytest.raises(ValueError, match="built for"):
            built(features(width=6))


def test_a_pipeline_acts_on_the_joined_vector_of_a_frame() -> None:
    given = features(batch=10)
    pipeline = parse_readout("crops(1,2)>random-projection(6)").build(given)
    views = pipeline.make_views(torch.zeros(2, 8, 8, 3, dtype=torch.uint8))
    joined = Crops((1, 2)).combine_views(given.global_, views.indices)
    assert joined.shape == (2, 40)
    torch.testing.assert_close(
        pipeline.combine_views(pipeline(given), views.indices), pipeline.transforms[0](joined)
    )
    assert pipeline.output_shape(given) == (6,)


def test_an_outside_readout_only_defines_pool() -> None:
    class First(Readout):
        label, required_feature = "first", "tokens"

        def pool(self, features: Features) -> torch.Tensor:
            assert features.tokens is not None
            return features.tokens[:, 0]

    assert First()(COUNTED).tolist() == [[1, 8]]
    assert parse_readout(First()).name == "first"
    assert ReadoutPipeline(First()).build(COUNTED)(COUNTED).tolist() == [[1, 8]]
    frames = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    views = First().make_views(frames)
    assert views.batches[0] is frames
    assert views.indices.tolist() == [[0], [1]]


def test_a_copied_pipeline_uses_its_own_transforms() -> None:
    pipeline = parse_readout("cls>random-projection(3)").build(features())
    twin = copy.deepcopy(pipeline)
    twin.transforms[0].matrix.zero_()
    assert not twin(features()).any()
    assert pipeline(features()).any()
