"""Data and encoders that a method cannot learn from are refused before anything is trained."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.representation import RECIPES, Recipe, RepresentationLearner, TrainingSettings
from rlpriors.representation.methods.act_jepa import act_jepa
from rlpriors.representation.methods.dino import dino
from rlpriors.representation.methods.dynamo import dynamo
from rlpriors.representation.methods.inverse_dynamics import inverse_dynamics
from rlpriors.representation.methods.myow import myow
from rlpriors.representation.methods.recurrent_cpc import recurrent_cpc
from rlpriors.representation.methods.spr import spr
from rlpriors.representation.methods.swav import swav
from rlpriors.types import Features

NEED_ACT = [name for name, make in RECIPES.items() if "act" in make().needs]
NEED_MAPS = [name for name, make in RECIPES.items() if "maps" in make().needs]
NEED_TOKENS = [name for name, make in RECIPES.items() if "tokens" in make().needs]
NEED_TIME = [name for name, make in RECIPES.items() if make().horizon > 1]
NEED_OTHERS = [name for name, make in RECIPES.items() if make().min_batch_size > 1]


class Blind(Backbone):
    """Gives a vector, and no maps or tokens."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Features:
        """The vector alone."""
        return Features(self.backbone(x).global_, None, None)


def nature(side: int = 40) -> ImageEncoder:
    return load_encoder("nature-cnn", weights="none", input_size=(side, side), device="cpu")


def frames(folder: Path, lengths: list[int], act: np.dtype | None = None) -> FrameStore:
    """Episodes of noise; actions are two numbers each."""
    rng = np.random.default_rng(0)
    with FrameWriter(folder / "frames") as writer:
        for length in lengths:
            arrays = {} if act is None else {"act": rng.normal(size=(length, 2)).astype(act)}
            writer.add_episode(rng.integers(0, 255, (length, 40, 40, 3), np.uint8), **arrays)
    return writer.store


def learner(
    recipe: Recipe, store: FrameStore, *, batch_size: int = 8, side: int = 40
) -> RepresentationLearner:
    settings = TrainingSettings(updates=2, batch_size=batch_size)
    return RepresentationLearner(nature(side), recipe, store, settings)


@pytest.mark.parametrize("name", NEED_ACT)
def test_data_without_actions(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"Recipe '{name}' needs actions. Received data without any"):
        learner(RECIPES[name](), frames(tmp_path, [20]), side=52)


@pytest.mark.parametrize("name", NEED_MAPS)
def test_an_encoder_without_maps(name: str, store: FrameStore) -> None:
    encoder = nature(52)
    encoder.backbone = Blind(encoder.backbone)
    with pytest.raises(
        ValueError, match=f"Recipe '{name}' needs an encoder that computes maps.*'nature-cnn'"
    ):
        RepresentationLearner(encoder, RECIPES[name](), store, TrainingSettings(updates=1, batch_size=8))


@pytest.mark.parametrize("name", NEED_TOKENS)
def test_an_encoder_without_tokens(name: str, store: FrameStore) -> None:
    encoder = load_encoder("vit-nano", weights="none", input_size=(40, 40), device="cpu")
    encoder.backbone = Blind(encoder.backbone)
    encoder.backbone.can_mask = True  # tokens are all that it lacks
    settings = TrainingSettings(updates=1, batch_size=8)
    with pytest.raises(
        ValueError, match=f"Recipe '{name}' needs an encoder that computes tokens.*'vit-nano'"
    ):
        RepresentationLearner(encoder, RECIPES[name](), store, settings)


@pytest.mark.parametrize("name", NEED_TOKENS)
def test_an_encoder_with_tokens_that_cannot_be_left_out(name: str, store: FrameStore) -> None:
    with pytest.raises(ValueError, match=f"Recipe '{name}' needs an encoder that can skip masked tokens"):
        learner(RECIPES[name](), store)


@pytest.mark.parametrize("name", NEED_TIME)
def test_episodes_of_one_frame(name: str, tmp_path: Path) -> None:
    store = frames(tmp_path, [1] * 10, np.dtype(np.float32))
    with pytest.raises(ValueError, match=r"must fit into an episode: .* Received episodes of at most 1"):
        learner(RECIPES[name](), store)


@pytest.mark.parametrize(
    "make", [lambda: spr(n_steps=30), lambda: act_jepa(n_steps=30), lambda: dynamo(stride=8)]
)
def test_windows_longer_than_episodes(make: Callable[[], Recipe], store: FrameStore) -> None:
    with pytest.raises(ValueError, match=r"must fit into an episode: .* use a smaller horizon or stride"):
        learner(make(), store, side=52)


@pytest.mark.parametrize("name", NEED_OTHERS)
def test_batches_without_another_row(name: str, store: FrameStore) -> None:
    smallest = RECIPES[name]().min_batch_size
    with pytest.raises(ValueError, match=f"`batch_size` must be at least {smallest} for recipe '{name}'"):
        learner(RECIPES[name](), store, batch_size=smallest - 1)


def test_a_pool_needs_more_rows_than_neighbors(store: FrameStore) -> None:
    with pytest.raises(ValueError, match="`batch_size` must be at least 7 for recipe 'myow'"):
        learner(myow(n_neighbors=6), store, batch_size=6)
    learner(myow(n_neighbors=6), store, batch_size=7).update()


def test_frames_of_mixed_sizes(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "mixed") as writer:
        writer.add_episode(np.zeros((3, 40, 40, 3), np.uint8))
        with pytest.raises(ValueError, match=r"`frames` must have 3 rows of uint8 and shape \(40, 40, 3\)"):
            writer.add_episode(np.zeros((3, 36, 40, 3), np.uint8))


def test_options_out_of_their_bounds() -> None:
    with pytest.raises(ValueError, match=r"`n_steps` must be between 1 and `horizon` - 1, 3. Received 4"):
        recurrent_cpc(horizon=4, n_steps=4)
    with pytest.raises(ValueError, match=r"`n_steps` must be at least 1. Received 0"):
        spr(n_steps=0)
    with pytest.raises(ValueError, match=r"`n_steps` must be at least 1. Received 0"):
        act_jepa(n_steps=0)
    with pytest.raises(ValueError, match=r"`horizon` must be at least 2. Received 1"):
        dynamo(horizon=1)


@pytest.mark.parametrize("make", [swav, dino])
def test_one_prototype_sorts_nothing(make: Callable[..., Recipe], store: FrameStore) -> None:
    with pytest.raises(ValueError, match=r"`n_prototypes` must be at least 2. Received 1"):
        learner(make(n_prototypes=1), store)


@pytest.mark.parametrize("name", NEED_ACT)
def test_continuous_actions_are_learned_too(name: str, tmp_path: Path) -> None:
    store = frames(tmp_path, [20, 20], np.dtype(np.float32))
    trained = learner(RECIPES[name](), store, side=52)
    before = {key: value.clone() for key, value in trained.model.named_parameters()}
    trained.update()
    losses = trained.update()
    assert np.isfinite(losses["loss"])
    predictor = [key for key in before if key.startswith("predictor.")]
    now = dict(trained.model.named_parameters())
    moved = [key for key in predictor if not torch.equal(now[key], before[key])]
    assert moved == predictor


@pytest.mark.parametrize("name", NEED_ACT)
def test_a_resumed_training_on_continuous_actions_is_bit_equal(name: str, tmp_path: Path) -> None:
    store = frames(tmp_path, [20, 20], np.dtype(np.float32))
    whole, resumed = (learner(RECIPES[name](), store, side=52) for _ in range(2))
    whole.update()
    resumed.resume(copy.deepcopy(whole.state()))
    assert whole.update() == resumed.update()
    ours, theirs = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_all_actions_of_a_longer_gap_are_predicted(store: FrameStore) -> None:
    trained = learner(inverse_dynamics(offset=3), store)
    assert trained.update()["action_nll"] == pytest.approx(np.log(5), abs=0.4)
    predictor = trained.model.predictor
    assert predictor is not None
    last = list(predictor.parameters())[-1]
    assert last.shape == (3 * 5,)


def test_a_readout_with_weights_would_stay_untrained(store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", readout="attention-pool", device="cpu")
    with pytest.raises(ValueError, match=r"readout without weights.*attention-pool"):
        RepresentationLearner(encoder, RECIPES["simclr"](), store, TrainingSettings(updates=1, batch_size=4))


def test_an_encoder_of_clips_is_refused(store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    encoder.spec = replace(encoder.spec, frames=2)
    with pytest.raises(ValueError, match=r"must encode single frames.*clips of 2"):
        RepresentationLearner(encoder, RECIPES["simclr"](), store, TrainingSettings(updates=1, batch_size=4))


def test_a_run_goes_on_only_as_it_began(store: FrameStore) -> None:
    def learner(offset: int, seed: int) -> RepresentationLearner:
        encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
        settings = TrainingSettings(updates=2, batch_size=4, seed=seed)
        return RepresentationLearner(encoder, RECIPES["temporal-cpc"](offset=offset), store, settings)

    state = learner(1, 0).state()
    learner(1, 0).resume(state)
    with pytest.raises(CheckpointError, match=r"started with stride 1 \(now 2\), seed 0 \(now 5\)"):
        learner(2, 5).resume(state)


def test_a_run_resumes_on_its_own_frames_only(store: FrameStore, tmp_path: Path) -> None:
    other = frames(tmp_path, [20, 20], np.dtype(np.float32))
    begun, now = learner(RECIPES["moco"](), store), learner(RECIPES["moco"](), other)
    state = begun.state()
    with pytest.raises(CheckpointError, match=r"started with frames \['\w+'\] \(now \['\w+'\]\)"):
        now.resume(state)
    del state["settings"]["frames"]  # saved by a version that did not compare them
    now.resume(state)


def test_a_run_goes_on_with_as_many_processes_as_it_began(store: FrameStore) -> None:
    alone, one_of_two = (learner(RECIPES["moco"](), store) for _ in range(2))
    one_of_two.rank, one_of_two.world_size = 1, 2  # as where torchrun has started two
    alone.resume(alone.state())
    one_of_two.resume(one_of_two.state())
    with pytest.raises(CheckpointError, match=r"started with processes 2 \(now 1\)\. Resume with the same"):
        alone.resume(one_of_two.state())
    with pytest.raises(CheckpointError, match=r"started with processes 1 \(now 2\)"):
        one_of_two.resume(alone.state())
    old = alone.state()
    del old["settings"]["processes"]  # saved by a version that did not count them
    with pytest.raises(CheckpointError, match=r"processes None \(now 1\)"):
        alone.resume(old)
