"""The code of a variational autoencoder."""

import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings


def test_the_code_is_sampled_in_training_and_the_mean_in_evaluation(store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    trained = RepresentationLearner(encoder, RECIPES["vae"](dim=8), store, TrainingSettings(batch_size=4))
    model, batch = trained.model, trained.clips.at(trained.clips.starts[:4])
    assert model.predictor is not None
    encoded = model.encode(batch)
    assert encoded.z["context"].shape == (4, 16)
    first, second = (model.predictor(encoded) for _ in range(2))
    assert torch.equal(first["mean"], encoded.z["context"][:, :8])
    assert torch.equal(first["log_variance"], encoded.z["context"][:, 8:])
    assert not torch.equal(first["decoded"], second["decoded"])
    model.eval()
    first, second = (model.predictor(encoded) for _ in range(2))
    assert torch.equal(first["decoded"], second["decoded"])
    assert trained.visualize(2)["reconstruction"].shape == (2, 3, 40, 40)
