"""Half precision is for networks; losses are computed in full."""

from dataclasses import replace

import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.recipe import LossTerm


def test_losses_are_in_full_precision(store: FrameStore) -> None:
    seen = []

    def loss(z: torch.Tensor) -> torch.Tensor:
        seen.append((z.dtype, (z.T @ z).dtype))
        return z.square().mean()

    recipe = replace(RECIPES["barlow"](), losses={"loss": LossTerm(loss, ("z.context",))})
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    RepresentationLearner(
        encoder, recipe, store, TrainingSettings(updates=1, batch_size=8, amp="bf16")
    ).update()
    assert seen == [(torch.float32, torch.float32)]


@pytest.mark.parametrize("name", ["barlow", "st-dim", "swav", "inverse-dynamics", "spr", "myow"])
def test_half_precision_gives_nearly_the_same_losses(name: str, store: FrameStore) -> None:
    found = []
    for amp in (None, "bf16"):
        encoder = load_encoder("nature-cnn", weights="none", input_size=(52, 52), device="cpu")
        settings = TrainingSettings(updates=1, batch_size=8, amp=amp)
        learner = RepresentationLearner(encoder, RECIPES[name](), store, settings, n_actions=5)
        found.append(learner.update()["loss"])
    assert found[1] == pytest.approx(found[0], rel=0.05)
    assert found[1] != found[0]


def sixteen_bits(store: FrameStore, device: str, scale: float) -> RepresentationLearner:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device=device)
    settings = TrainingSettings(updates=4, batch_size=8, amp="fp16")
    learner = RepresentationLearner(encoder, RECIPES["byol"](), store, settings)
    assert learner.scaler.get_scale() > 1
    learner.scaler = torch.amp.GradScaler(device, init_scale=scale)
    return learner


def weights(learner: RepresentationLearner) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in learner.model.parameters() if weight.requires_grad]


each_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])


@each_device
def test_gradients_of_16_bits_are_scaled_and_scaled_back(store: FrameStore, device: str) -> None:
    full = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device=device)
    settings = TrainingSettings(updates=4, batch_size=8)
    expected = RepresentationLearner(full, RECIPES["byol"](), store, settings).update()
    learner = sixteen_bits(store, device, 2.0**10)
    before = weights(learner)
    found = learner.update()
    assert learner.scaler.get_scale() == 2.0**10  # nothing overflowed
    assert found["loss"] == pytest.approx(expected["loss"], rel=0.02)
    assert found["grad_norm"] == pytest.approx(expected["grad_norm"], rel=0.1)
    now = weights(learner)
    assert not any(torch.equal(a, b) for a, b in zip(before, now, strict=True))
    assert {weight.dtype for weight in now} == {torch.float32}


@each_device
def test_an_update_that_overflows_moves_nothing_and_halves_the_scale(store: FrameStore, device: str) -> None:
    learner = sixteen_bits(store, device, 2.0**40)
    before = weights(learner)
    learner.update()
    assert all(torch.equal(a, b) for a, b in zip(before, weights(learner), strict=True))
    assert learner.scaler.get_scale() == 2.0**39
    again = sixteen_bits(store, device, 1.0)
    again.resume(learner.state())
    assert again.scaler.get_scale() == 2.0**39
    learner.scaler.update(2.0**10)
    learner.update()
    assert not any(torch.equal(a, b) for a, b in zip(before, weights(learner), strict=True))
