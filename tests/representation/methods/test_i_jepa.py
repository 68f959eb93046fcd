"""Block prediction of I-JEPA."""

import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings


def learner(store: FrameStore, name: str = "mae", size: tuple[int, int] = (40, 24)) -> RepresentationLearner:
    encoder = load_encoder("vit-nano", weights="none", input_size=size, device="cpu")
    settings = TrainingSettings(updates=4, batch_size=8)
    return RepresentationLearner(encoder, RECIPES[name](), store, settings, n_actions=5)


def test_blocks_are_predicted_from_visible_tokens(store: FrameStore) -> None:
    trained = learner(store, "i-jepa", (40, 40))
    model = trained.model
    torch.manual_seed(0)
    encoded = model.encode(trained.clips.at(trained.clips.starts[:3]))
    assert model.predictor is not None
    outputs = model.predictor(encoded)
    targets = encoded.extra["context.targets"]
    whole = encoded.target_features["context"].tokens
    assert whole is not None
    assert whole.shape == (3, 25, 128)  # the target sees all
    assert not whole.requires_grad
    row = whole[1, targets[1, 2, 0]]
    place = 2 * targets.shape[2]
    expected = (row - row.mean()) / (row.var(correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(outputs["expected"][1, place], expected)
    assert outputs["predicted"].shape == outputs["expected"].shape
    # Each block is predicted by itself: what the others are does not matter.
    others = encoded.extra["context.targets"].clone()
    others[:, 0] = others[:, 1]
    extra = {**encoded.extra, "context.targets": others}
    again = model.predictor(encoded._replace(extra=extra))
    torch.testing.assert_close(again["predicted"][1, place], outputs["predicted"][1, place])
