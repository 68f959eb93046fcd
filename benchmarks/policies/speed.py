"""Speed of score policies: time of an action, and training on embeddings that are computed once.

`ms_per_action`       milliseconds of an action by the number of denoising steps
`updates_per_second`  updates with an encoder in each update, and with cached embeddings
"""

from pathlib import Path
from time import process_time

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch

from rlpriors.agents import BESO, ScorePolicy, ScoreSettings
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.encoders import load_encoder
from rlpriors.encoders.dataset.encode import encode_dataset

__all__ = ["ms_per_action", "updates_per_second"]

N_FRAMES, SIZE, BATCH, HISTORY = 33, 64, 8, 8


def ms_per_action(n_steps: int, n_actions: int = 50) -> float:
    """Return the median milliseconds of CPU time of an action in one environment."""
    settings = ScoreSettings(history=4, n_steps=n_steps)
    policy = ScorePolicy(
        action_space=gym.spaces.Box(-1, 1, (2,)),
        obs=Normalizer.identity(4),
        act=Normalizer.identity(2),
        settings=settings,
        task_entries=(0, 1),
        device="cpu",
    )
    policy.reach(np.zeros(2))
    seconds, state = [], None
    for _ in range(n_actions):
        start = process_time()
        state = policy(Batch(obs=np.zeros((1, 4), np.float32), info={}), state).state
        seconds.append(process_time() - start)
    return 1000 * float(np.median(seconds))


def updates_per_second(runs: Path) -> dict[str, float]:
    """Return the updates of past-token prediction in a second of CPU time, by the place of a ResNet-18.

    Both train on the same windows of `HISTORY` past frames.  Without a cache, the frames of a batch pass
    through the frozen encoder in each update.
    """
    rng = np.random.default_rng(0)
    frames = rng.integers(256, size=(N_FRAMES, SIZE, SIZE, 3), dtype=np.uint8)
    encoder = load_encoder("resnet18", weights="none", device="cpu")
    features = encode_dataset(frames, encoder, runs / "embeddings", progress=False).features
    rew, ends = np.zeros(N_FRAMES - 1), np.zeros(N_FRAMES - 1, bool)
    act = rng.uniform(-1, 1, (N_FRAMES - 1, 2))
    data = EpisodeStore(np.array(features), act, rew, ends, ends, np.array([N_FRAMES - 1]))
    settings = ScoreSettings(history=HISTORY, horizon=4)
    policy = ScorePolicy.fit(data, gym.spaces.Box(-1, 1, (2,)), goals=False, settings=settings, device="cpu")
    algorithm = BESO(policy=policy, optim=AdamOptimizerFactory())
    buffer = algorithm.process_buffer(to_buffer(data))
    found = {}
    for name, n_updates in (("cached", 50), ("encoded-in-each-update", 2)):
        start = process_time()
        for _ in range(n_updates):
            batch, steps = buffer.sample(BATCH)
            if name != "cached":
                rows = np.clip(steps[:, None] + np.arange(-HISTORY, 1), 0, N_FRAMES - 1)
                with torch.no_grad():
                    encoder.encode(frames[rows.reshape(-1)])
            algorithm._update_with_batch(batch)
        found[name] = n_updates / (process_time() - start)
    return found
