"""What every recipe must show: that it learns, and that a run can be stopped.

EIRLI's tests asked only that runs completed, and hid three methods that trained nothing.
"""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.evaluation.collapse import feature_std
from rlpriors.representation import RECIPES, Recipe, RepresentationLearner, TrainingSettings
from rlpriors.representation.recipe import Term

UPDATES = 30
BATCH = 24
TOKENS = {name for name in RECIPES if "masks" in RECIPES[name]().needs}


def encoder_for(name: str, seed: int = 0) -> ImageEncoder:
    """The smallest that the recipe can train: where it needs maps, these have nine cells, not one."""
    network = "vit-nano" if name in TOKENS else "nature-cnn"
    side = 52 if "maps" in RECIPES[name]().needs else 40
    return load_encoder(network, weights="none", input_size=(side, side), device="cpu", seed=seed)


def learner_for(
    name: str, store: FrameStore, *, updates: int = UPDATES, seed: int = 0
) -> RepresentationLearner:
    settings = TrainingSettings(updates=updates, batch_size=BATCH, seed=seed, lr=1e-3)
    return RepresentationLearner(encoder_for(name), RECIPES[name](), store, settings, n_actions=5)


each_recipe = pytest.mark.parametrize("name", RECIPES)


@each_recipe
def test_every_weight_gets_a_gradient_and_moves(name: str, store: FrameStore) -> None:
    learner = learner_for(name, store)
    before = {key: value.clone() for key, value in learner.model.named_parameters()}
    moved = dict.fromkeys(before, False)
    for _ in range(4):  # some begin behind a gate that opens with the first updates
        learner.update()
        for key, value in learner.model.named_parameters():
            if value.grad is not None and value.grad.abs().max() > 0:
                moved[key] |= not torch.equal(value, before[key])
    target = {key for key in before if key.startswith("target.")}
    still = {key for key, found in moved.items() if not found and key not in target}
    assert not still
    if learner.recipe.branch.kind == "ema":
        now = dict(learner.model.named_parameters())
        assert all(not torch.equal(now[key], before[key]) for key in target)


@each_recipe
def test_the_loss_falls_and_features_stay_apart(name: str, store: FrameStore) -> None:
    learner = learner_for(name, store, updates=UPDATES)
    frames = np.array(store.frames[::7])
    losses = [learner.update()["loss"] for _ in range(UPDATES)]
    if falls(learner.recipe):
        assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 1e-4
    features = learner.finish().encode(frames).numpy()
    assert features.std(0).max() > 1e-3
    centred = features - features.mean(0)
    singular = np.linalg.svd(centred, compute_uv=False)
    share = singular / singular.sum()
    assert np.exp(-(share * np.log(share + 1e-12)).sum()) > 1.5  # RankMe (2210.02885, eq. 3)


def falls(recipe: Recipe) -> bool:
    """Whether its loss means the same in every update; a target that begins to move makes it rise."""
    return recipe.branch.kind != "ema" or any("nce" in name for name in recipe.losses)


@each_recipe
def test_a_resumed_training_is_bit_equal(
    name: str, store: FrameStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from rlpriors.checkpoint import load_resume, save_resume

    whole, first, second = (learner_for(name, store, updates=6) for _ in range(3))
    file = tmp_path_factory.mktemp("resume") / "state.pt"
    for _ in range(3):
        whole.update()
        first.update()
    save_resume(file, first.state())
    second.resume(load_resume(file, "cpu"))
    for _ in range(3):
        assert whole.update() == second.update()
    ours, theirs = whole.model.state_dict(), second.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@each_recipe
def test_a_seed_repeats_and_another_differs(name: str, store: FrameStore) -> None:
    def run(seed: int) -> list[float]:
        learner = learner_for(name, store, updates=2, seed=seed)
        return [learner.update()["loss"] for _ in range(2)]

    torch.manual_seed(1)
    first = run(0)
    torch.manual_seed(2)  # what others draw does not matter
    assert run(0) == first
    assert run(1) != first


@each_recipe
def test_moving_averages_take_buffers_along(name: str, store: FrameStore) -> None:
    learner = learner_for(name, store)
    if learner.recipe.branch.kind != "ema":
        assert learner.model.target.average is None or learner.recipe.branch.kind == "frozen"
        return
    average = learner.model.target.average
    assert average is not None
    buffers = {key: value.clone() for key, value in average.module.named_buffers()}
    learner.update()
    learner.update()
    changed = {key for key, value in average.module.named_buffers() if not torch.equal(value, buffers[key])}
    assert {key for key in buffers if "running" in key} <= changed


@each_recipe
def test_training_leaves_the_global_generator_alone(name: str, store: FrameStore) -> None:
    state = torch.get_rng_state()
    learner_for(name, store, updates=1).update()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_collapsed_encoder_would_be_noticed(store: FrameStore) -> None:
    learner = learner_for("simclr", store)
    with torch.no_grad():
        for weight in learner.encoder.backbone.parameters():
            weight.zero_()
    assert learner.update()["latent_std"] < 1e-3


def test_latent_std_is_the_feature_std_of_projections(store: FrameStore) -> None:
    learner = learner_for("byol", store)
    found = learner.update()["latent_std"]
    assert found == pytest.approx(feature_std(learner.model.outputs["z.context"].numpy()), rel=1e-5)


def test_losses_that_are_constant_would_be_noticed(store: FrameStore) -> None:
    """The defect of EIRLI's RecurrentCPC: a loss without negatives moves nothing."""
    constant: Callable[..., torch.Tensor] = lambda z: (z * 0).sum()  # noqa: E731
    broken = copy.copy(RECIPES["simclr"]())
    object.__setattr__(broken, "losses", {"nothing": Term(constant, ("z.context",))})
    learner = RepresentationLearner(
        encoder_for("simclr"), broken, store, TrainingSettings(updates=2, batch_size=8)
    )
    assert learner.update()["grad_norm"] == 0
