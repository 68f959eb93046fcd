"""Linear decoding of the square's position from an encoder's vectors.

A linear map from few frames' vectors to positions is fitted, and evaluated on other episodes.  Two controls:
the network as it was at the start, and one that was trained to look like a normal distribution, which
alone brings vectors to a scale where they are read more easily.
"""

import numpy as np
import pytest

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings

SIDE = 52
"""Maps of nine cells."""
UPDATES = 80
READ = [
    "moco",
    "vicreg",
    "curl",
    "temporal-cpc",
    "recurrent-cpc",
    "st-dim",
    "atc",
    "dynamo",
    "inverse-dynamics",
    "contrastive-inverse-dynamics",
    "action-conditioned-cpc",
    "spr",
]
"""Methods to which it matters where the square is: views, time, actions."""


def encoder() -> ImageEncoder:
    return load_encoder("nature-cnn", weights="none", input_size=(SIDE, SIDE), device="cpu")


def trained(name: str, store: FrameStore) -> ImageEncoder:
    settings = TrainingSettings(updates=UPDATES, batch_size=24, lr=1e-3)
    learner = RepresentationLearner(encoder(), RECIPES[name](), store, settings, n_actions=5)
    for _ in range(UPDATES):
        learner.update()
    return learner.finish()


def unexplained(network: ImageEncoder, store: FrameStore, others: FrameStore, penalty: float = 0.1) -> float:
    """Return the unexplained fraction of the variance of positions in `others`.

    Positions are predicted by ridge regression on every fourth frame of `store`.
    """
    x = network.encode(np.array(store.frames[::4])).numpy()
    z = network.encode(np.array(others.frames)).numpy()
    y, v = store.arrays["position"][::4].astype(float), others.arrays["position"].astype(float)
    mean, std = x.mean(0), x.std(0)
    x, z = ((part - mean) / (std + 0.1 * std.mean()) for part in (x, z))
    weight = np.linalg.solve(x.T @ x + penalty * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean(0)))
    left = v - z @ weight - y.mean(0)
    return float((left**2).sum() / ((v - v.mean(0)) ** 2).sum())


@pytest.fixture(scope="module")
def controls(store: FrameStore, others: FrameStore) -> tuple[float, float]:
    """Return the unexplained variance of the untrained network and of the Gaussian prior."""
    return (
        unexplained(encoder(), store, others),
        unexplained(trained("gaussian-prior", store), store, others),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
def test_positions_are_read_better_than_from_controls(
    name: str, store: FrameStore, others: FrameStore, controls: tuple[float, float]
) -> None:
    assert unexplained(trained(name, store), store, others) < 0.8 * min(controls)
