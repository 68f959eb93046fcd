"""The head of the jigsaw method."""

import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings


def test_the_permutation_head_is_trained_and_saved(store: FrameStore) -> None:
    """EIRLI made it anew in every forward pass, after the optimizer was built: it learned nothing."""
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    settings = TrainingSettings(updates=2, batch_size=4)
    learner = RepresentationLearner(encoder, RECIPES["jigsaw"](n_permutations=12), store, settings)
    assert learner.model.predictor is not None
    head = [p for name, p in learner.model.predictor.named_parameters() if "weight" in name]
    optimized = {id(p) for group in learner.optim.param_groups for p in group["params"]}
    assert head
    assert {id(p) for p in head} <= optimized
    before = [p.clone() for p in head]
    learner.update()
    assert all(not torch.equal(old, new) for old, new in zip(before, head, strict=True))
    assert any(name.startswith("predictor.") for name in learner.model.state_dict())
