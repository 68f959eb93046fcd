"""Contract of every recipe: training changes all weights, lowers the loss, avoids collapse and resumes.

EIRLI's tests required only that runs complete, and hid three methods that trained nothing.
"""

import copy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from page_blocks import block_with

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.representation import (
    RECIPES,
    Recipe,
    RepresentationLearner,
    TargetNetworkSettings,
    TrainingSettings,
    View,
)
from rlpriors.representation.model import RepresentationModel
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import LossTerm

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/guides/pretrain_an_encoder.md"


def documented_recipe() -> Recipe:
    """Return the method that the page "Pretrain an encoder" writes, by its own code."""
    names: dict[str, Any] = {"__name__": "arrow_of_time"}
    exec(block_with(PAGE, "arrow-of-time"), names)
    recipe: Recipe = names["arrow_of_time"]()
    return recipe


METHODS: dict[str, Callable[..., Recipe]] = {**RECIPES, "arrow-of-time": documented_recipe}
UPDATES = 30
BATCH = 24
TOKENS = {name for name in METHODS if "masks" in METHODS[name]().needs}
FALL = 0.1
"""Smallest relative decrease of the loss; over three seeds it was 0.14 to 0.85."""
SLOW_FALL = dict.fromkeys(("vicreg", "swav", "curl", "atc"), 0.03)
"""Smallest decrease of methods with 0.05 to 0.10: losses with a constant part, or at chance for long."""
MIN_STD, MIN_STD_TOKENS = 0.4, 0.08
"""Smallest ratio of feature_std after to before training: it was 0.6 to 9, 0.13 to 0.17 for
transformers, whose vectors soon have a large common part.  Collapsing losses reach 0.07 and 0.04."""
MIN_RANK = 0.2
"""Smallest ratio of RankMe about the mean: it was 0.34 to 1; features on a line reach 0.11."""


def falls(recipe: Recipe) -> bool:
    """Return whether losses of different updates are comparable; a moving target can raise the loss."""
    return recipe.target.kind != "ema" or any("nce" in name for name in recipe.losses)


MOVING = [name for name in METHODS if METHODS[name]().target.kind == "ema"]
MOVING_TARGETS = [name for name in METHODS if not falls(METHODS[name]())]


def encoder_for(name: str, seed: int = 0) -> ImageEncoder:
    """Return the smallest encoder for a recipe; where it needs maps, they have nine cells."""
    network = "vit-nano" if name in TOKENS else "nature-cnn"
    side = 52 if "maps" in METHODS[name]().needs else 40
    return load_encoder(network, weights="none", input_size=(side, side), device="cpu", seed=seed)


def learner_for(
    name: str, store: FrameStore, *, updates: int = UPDATES, seed: int = 0, recipe: Recipe | None = None
) -> RepresentationLearner:
    settings = TrainingSettings(updates=updates, batch_size=BATCH, seed=seed, lr=1e-3)
    return RepresentationLearner(encoder_for(name), recipe or METHODS[name](), store, settings, n_actions=5)


def relative_decrease(losses: list[float]) -> float:
    """Return the relative decrease from the first to the last losses."""
    first = np.mean(losses[:5])
    return float((first - np.mean(losses[-5:])) / abs(first))


def spread_ratios(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return the ratios after to before of feature_std and of RankMe about the mean."""
    std = feature_std(after) / feature_std(before)
    return std, rankme(after - after.mean(0)) / rankme(before - before.mean(0))


each_recipe = pytest.mark.parametrize("name", METHODS)


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
    if learner.recipe.target.kind == "ema":
        now = dict(learner.model.named_parameters())
        assert all(not torch.equal(now[key], before[key]) for key in target)


@each_recipe
def test_the_loss_falls_and_features_stay_apart(name: str, store: FrameStore) -> None:
    learner = learner_for(name, store)
    frames = np.array(store.frames[::7])
    before = encoder_for(name).encode(frames).numpy()
    losses = [learner.update()["loss"] for _ in range(UPDATES)]
    if falls(learner.recipe):
        assert relative_decrease(losses) > SLOW_FALL.get(name, FALL)
    std, rank = spread_ratios(before, learner.finish().encode(frames).numpy())
    assert std > (MIN_STD_TOKENS if name in TOKENS else MIN_STD)
    assert rank > MIN_RANK


@pytest.mark.parametrize("name", MOVING_TARGETS)
def test_the_loss_falls_where_targets_stand_still(name: str, store: FrameStore) -> None:
    # In training mode, as they are: with statistics of the batch targets differ from frame to frame, where
    # those of a frozen network are nearly one, which any bias could learn.
    recipe = METHODS[name](**({"center_decay": 1.0} if name == "dino" else {}))  # which is part of the target
    recipe = replace(recipe, target=TargetNetworkSettings("ema", decay=1.0))
    learner = learner_for(name, store, recipe=recipe)
    losses = [learner.update()["loss"]]  # and the first copy
    held = {key: value.clone() for key, value in learner.model.target.named_parameters()}
    ratios = []
    for _ in range(UPDATES - 1):
        losses.append(learner.update()["loss"])
        ratios.append(loss_of_others(learner.model) / losses[-1])
    assert all(torch.equal(value, held[key]) for key, value in learner.model.target.named_parameters())
    assert relative_decrease(losses) > FALL
    # It was 1.3 to 1.9 for these.  So soon the other two predict what all frames share, and dino, whose views
    # look alike from the start, no more.
    if name in ("byol", "myow", "spr"):
        assert np.mean(ratios[-5:]) > 1.15


def loss_of_others(model: RepresentationModel) -> float:
    """Return the last loss with each prediction shifted to the next row."""
    losses = []
    for term in model.recipe.losses.values():
        first, *rest = (model.outputs[key] for key in term.inputs)
        losses.append(term.weight * term.loss(first.roll(1, 0), *rest).item())
    return sum(losses)


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


@pytest.mark.parametrize("name", MOVING)
def test_moving_averages_take_weights_and_buffers_along(name: str, store: FrameStore) -> None:
    learner = learner_for(name, store, updates=2)
    learner.update()  # the first is a copy
    target, online = learner.model.target, learner.model.online
    assert target.average is not None
    parts = (target.average.module, online)
    average, moving = ({**dict(m.named_parameters()), **dict(m.named_buffers())} for m in parts)
    assert average.keys() == moving.keys()
    with torch.no_grad():
        for value in moving.values():
            value.add_(1)
        before = {key: value.clone() for key, value in average.items()}
        target.update(online, 0.5)
    kept = learner.recipe.target.decay_at(0.5)
    for key, value in average.items():
        expected = kept * before[key] + (1 - kept) * moving[key]
        torch.testing.assert_close(value, expected.to(value.dtype), msg=key)


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


def to_a_point(z: torch.Tensor) -> torch.Tensor:
    return (z - z.mean(0)).square().sum() / z.square().sum().detach()


def to_a_line(z: torch.Tensor) -> torch.Tensor:
    lengths = torch.linalg.svdvals(z - z.mean(0))
    return 1 - lengths[0] / lengths.sum()


@pytest.mark.parametrize(("loss", "network"), [(to_a_point, "cnn"), (to_a_point, "vit"), (to_a_line, "cnn")])
def test_a_collapse_would_be_noticed(
    loss: Callable[..., torch.Tensor], network: str, store: FrameStore
) -> None:
    name = {"cnn": "simclr", "vit": "mae"}[network]
    views = (View("context", branch="online"),)
    recipe = Recipe(
        "collapse", "", views, identity_projector, losses={"loss": LossTerm(loss, ("z.context",))}
    )
    learner = learner_for(name, store, recipe=recipe)
    for _ in range(UPDATES):
        learner.update()
    frames = np.array(store.frames[::7])
    before = encoder_for(name).encode(frames).numpy()
    std, rank = spread_ratios(before, learner.finish().encode(frames).numpy())
    if loss is to_a_point:
        assert std < (MIN_STD_TOKENS if network == "vit" else MIN_STD)
    else:
        assert rank < MIN_RANK


def test_losses_that_are_constant_would_be_noticed(store: FrameStore) -> None:
    """The defect of EIRLI's RecurrentCPC: a loss without negatives moves nothing."""
    constant: Callable[..., torch.Tensor] = lambda z: (z * 0).sum()  # noqa: E731
    broken = copy.copy(RECIPES["simclr"]())
    object.__setattr__(broken, "losses", {"nothing": LossTerm(constant, ("z.context",))})
    learner = RepresentationLearner(
        encoder_for("simclr"), broken, store, TrainingSettings(updates=2, batch_size=8)
    )
    assert learner.update()["grad_norm"] == 0


def test_the_documented_method_passes_mypy(tmp_path: Path) -> None:
    file = tmp_path / "arrow_of_time.py"
    file.write_text(block_with(PAGE, "arrow-of-time"))
    words = ["--strict", "--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent", str(file)]
    done = subprocess.run([sys.executable, "-m", "mypy", *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
