"""Scores of features and of baselines by each probing protocol.

`ProtocolScores`       type of the scores by protocol
`evaluate_features`    scores of features
`evaluate_majority`    scores of the most frequent label
`evaluate_supervised`  scores of a network that is trained on the labels
`random_cnn`           AtariARI's network with random weights
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Shaped

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.registry import ENCODERS
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS, majority_baseline, probe
from rlpriors.evaluation.probing.metrics import ProbeScores, score_predictions
from rlpriors.evaluation.probing.sampling import Sampling
from rlpriors.evaluation.probing.supervised_baseline import fit_supervised
from rlpriors.networks.atari_cnn import MIN_SIZE

__all__ = [
    "ProtocolScores",
    "evaluate_features",
    "evaluate_majority",
    "evaluate_supervised",
    "random_cnn",
]

ProtocolScores = Mapping[str, ProbeScores]
"""Scores by the name of the protocol."""


def evaluate_features(
    features: Shaped[np.ndarray, "frames *dims"],
    task: ProbeTask,
    settings: ProbeSettings,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> ProtocolScores:
    """Return the scores of features by every protocol."""
    return {
        protocol: probe(features, task, protocol, settings, seed=seed, device=device, progress=progress)
        for protocol in PROTOCOLS
    }


def evaluate_majority(task: ProbeTask, sampling: Sampling = "random") -> ProtocolScores:
    """Return the scores of the most frequent label, which are equal by every protocol."""
    return dict.fromkeys(PROTOCOLS, majority_baseline(task, sampling))


def evaluate_supervised(
    store: FrameStore,
    task: ProbeTask,
    settings: ProbeSettings,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> ProtocolScores:
    """Return the scores of AtariARI's network trained on the labels, which are equal by every protocol."""
    network = random_cnn(store.frames.shape[1:], seed=seed, device=device)
    predictions = fit_supervised(network, store.frames, task, settings, seed=seed, progress=progress)
    return dict.fromkeys(PROTOCOLS, score_predictions(task, predictions, settings.sampling))


def random_cnn(
    shape: tuple[int, ...] = (210, 160, 1), *, seed: int = 0, device: str = "auto"
) -> ImageEncoder:
    """Return AtariARI's network with random weights, for frames [height, width, channels].

    Frames below the network's smallest size are enlarged.
    """
    height, width, channels = shape
    spec = ENCODERS["atari-cnn"]
    size = (height, width) if min(height, width) >= MIN_SIZE else spec.input_size
    spec = replace(spec, channels=channels, mean=(0.0,) * channels, std=(1.0,) * channels, input_size=size)
    return load_encoder(spec, weights="none", seed=seed, device=device, chunk_size=256)
