"""Catch as features of its frames, controllers that read these features, and a reward learned on them.

`make_catch`      Catch with the features of a frozen encoder for observations
`read_positions`  linear readout of ball and paddle
`follow_ball`     controller that moves the paddle under the ball
`go_left`         controller that ignores the observation
`learn_reward`    reward of recorded episodes, by regression

The world, its reward and the policies read features only.  The readout is fitted to positions of the
simulator, in episodes of its own.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.encoders import load_encoder
from rlpriors.envs.catch import CATCH_ID, Catch
from rlpriors.envs.encoded_env import EncodedEnvs
from rlpriors.types import RewardFn
from rlpriors.wrappers.flat_observation import FlatObservation

__all__ = ["follow_ball", "go_left", "learn_reward", "make_catch", "read_positions"]

ENCODER = "rlpriors/atari-filters"
"""Bundled random filters, whose readout keeps rows and columns: 512 features."""
N_LABELED = 200
"""Number of episodes with random actions whose frames the readout is fitted to."""
PENALTY = 1e-3
"""Penalty of the readout for each frame."""


@cache
def _envs() -> EncodedEnvs:
    return EncodedEnvs(load_encoder(ENCODER, device="cpu"))


def make_catch() -> FlatObservation:
    """Return Catch with the features of each frame for observations; all environments share one encoder."""
    return _envs().make(CATCH_ID)


@cache
def _position_readout() -> Ridge:
    """Return the readout of positions, fitted to frames before each step of random actions."""
    env, rng = Catch(), np.random.default_rng(1_000_000)
    frames, positions = [], []
    for episode in range(N_LABELED):
        frame, _ = env.reset(seed=1_000_000 + episode)
        terminated = False
        while not terminated:
            frames.append(frame)
            positions.append((env.ball_column, env.ball_row, env.paddle))
            frame, _, terminated, _, _ = env.step(rng.integers(3))
    distinct, rows = np.unique(np.array(frames), axis=0, return_inverse=True)
    features = _envs().encoder.encode(distinct).numpy()[rows.reshape(-1)]
    return Ridge(PENALTY * len(frames)).fit(features, np.array(positions))


def read_positions(obs: Float[np.ndarray, "batch obs"]) -> Float[np.ndarray, "batch 3"]:
    """Return column and row of the ball and column of the paddle, by a linear readout of features."""
    return np.asarray(_position_readout().predict(obs))


def follow_ball(
    obs: Float[np.ndarray, "batch obs"], *, first_row: float = -np.inf, to_right: bool = True
) -> Float[np.ndarray, "batch 1"]:
    """Return the number of columns from the paddle to the ball, to the right.

    Args:
        obs: features of frames.
        first_row: row of the ball from which on the paddle moves; by default it always does.
        to_right: False for a paddle that moves to the left only.
    """
    column, row, paddle = read_positions(obs).T
    distance = np.where(row >= first_row - 0.5, column - paddle, 0.0)
    return (distance if to_right else np.minimum(distance, 0.0))[:, None]


def go_left(obs: Float[np.ndarray, "batch obs"]) -> Float[np.ndarray, "batch 1"]:
    """Return -1, a step to the left."""
    return np.full((len(obs), 1), -1.0)


def learn_reward(data: EpisodeStore, seed: int = 0) -> RewardFn:
    """Return a function of the next observation, a small network that is fitted to the rewards of `data`.

    A linear function fits the rewards of Catch, too, but errs more on observations that a world predicts.
    """
    network = MLPRegressor(hidden_layer_sizes=(128, 128), early_stopping=True, random_state=seed)
    regression = make_pipeline(StandardScaler(), network)
    regression.fit(data.transitions().obs_next.numpy(), data.rew)

    def reward(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        return torch.as_tensor(regression.predict(obs_next.cpu().numpy()))

    return reward
