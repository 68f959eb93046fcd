"""Half precision is for networks; losses are computed in full."""

from dataclasses import replace

import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.recipe import Term


def test_losses_are_in_full_precision(store: FrameStore) -> None:
    seen = []

    def loss(z: torch.Tensor) -> torch.Tensor:
        seen.append((z.dtype, (z.T @ z).dtype))
        return z.square().mean()

    recipe = replace(RECIPES["barlow"](), losses={"loss": Term(loss, ("z.context",))})
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
