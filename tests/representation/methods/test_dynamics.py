"""Pixel dynamics: dependence on actions."""

import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings


@pytest.mark.parametrize("name", ["dynamics", "action-conditioned-vae"])
def test_the_next_frame_depends_on_the_action(name: str, store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    settings = TrainingSettings(updates=1, batch_size=4)
    trained = RepresentationLearner(encoder, RECIPES[name](offset=3), store, settings, n_actions=5)
    model = trained.model.eval()
    encoded = model.encode(trained.clips.at(trained.clips.starts[:4]))
    assert "target" not in encoded.z  # only its pixels are wanted
    assert "target" not in encoded.features
    assert encoded.batch.act is not None
    assert encoded.batch.act.shape == (4, 1, 15)
    assert model.predictor is not None
    found = model.predictor(encoded)["decoded"]
    other = encoded._replace(batch=encoded.batch._replace(act=encoded.batch.act.roll(1, 2)))
    assert not torch.allclose(model.predictor(other)["decoded"], found)
    assert set(trained.visualize(2)) == {"view/context", "view/target", "reconstruction"}
