"""Check that demonstrations follow the dynamics of the data.

`dynamics_agreement`  fraction of the demonstrated changes that actions explain, relative to the data

A reward of states cannot show that recorded actions are shuffled, or that observations are in other units.  A
model of one step, fitted to the data, shows both before any training.
"""

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import EpisodeStore

__all__ = ["dynamics_agreement"]

N_FEATURES, N_FITTED, N_CHECKED = 256, 20_000, 4000
RIDGE = 1e-3
LEAST_EFFECT = 0.1  # of actions on one step of the data


def dynamics_agreement(demonstrations: EpisodeStore, data: EpisodeStore, rng: np.random.Generator) -> float:
    """Return how well demonstrated actions explain the demonstrated changes, relative to the data, in [0, 1].

    The model is ridge regression of the change of the observation on the observation, the action and random
    features of both (Rahimi & Recht 2008, NIPS), in units of the data's changes.  The score of episodes is
    one minus its squared error, divided by that with permuted actions.  The result is the score of the
    demonstrations divided by that of held-out data.  A small number means that actions do not belong to their
    observations, other units, or another environment.  It is 1 if actions explain little even in the data.

    Args:
        demonstrations: demonstrations.
        data: data of the same environment, of at least 10 steps.
        rng: generator of the features and of the samples.

    Raises:
        ValueError: the data has fewer than 10 steps.

    Example:
        >>> from rlpriors.data import Episode
        >>> rng = np.random.default_rng(0)
        >>> act = rng.uniform(-1, 1, (400, 1))
        >>> walk = Episode(np.concatenate([[[0.0]], act.cumsum(0)]), act, *np.zeros((3, 400)))
        >>> walks = [walk, walk._replace(act=act[::-1].copy())]
        >>> data, mixed = (EpisodeStore.from_episodes([each]) for each in walks)
        >>> dynamics_agreement(data, data, rng) > 0.9, dynamics_agreement(mixed, data, rng) < 0.3
        (True, True)
    """
    if data.n_steps < 10:
        raise ValueError(f"`data` must have at least 10 steps. Received {data.n_steps}.")
    order = rng.permutation(data.n_steps)
    fitted, held = order[: data.n_steps // 2][:N_FITTED], order[data.n_steps // 2 :][:N_CHECKED]
    inputs, changes = _steps(data, fitted)
    loc, scale = inputs.mean(0), inputs.std(0) + 1e-6
    unit = changes.std(0)
    moving = unit > 1e-8 * np.abs(inputs).max()  # a constant entry is no dynamics
    if not moving.any():
        return 1.0
    weights = rng.normal(size=(inputs.shape[1], N_FEATURES)) / np.sqrt(inputs.shape[1])
    offsets = rng.uniform(-1, 1, N_FEATURES)

    def features(part: np.ndarray) -> np.ndarray:
        normal = np.clip((part - loc) / scale, -10, 10)
        return np.concatenate([normal, np.tanh(normal @ weights + offsets), np.ones((len(part), 1))], 1)

    x = features(inputs)
    penalty = RIDGE * len(x) * np.eye(x.shape[1]) / 1000
    solution = np.linalg.solve(x.T @ x + penalty, x.T @ (changes[:, moving] / unit[moving]))

    def score(store: EpisodeStore, steps: np.ndarray) -> float:
        part, change = _steps(store, steps)
        mixed = part.copy()
        n_obs = change.shape[1]
        mixed[:, n_obs:] = part[rng.permutation(len(part)), n_obs:]
        own, other = (
            np.square(features(x) @ solution - change[:, moving] / unit[moving]).mean() for x in (part, mixed)
        )
        return float(1 - own / other) if other > 0 else 0.0

    expected = score(data, held)
    if expected < LEAST_EFFECT:
        return 1.0
    shown = rng.permutation(demonstrations.n_steps)[:N_CHECKED]
    return float(np.clip(score(demonstrations, shown) / expected, 0, 1))


def _steps(store: EpisodeStore, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs [n, obs + act] and changes [n, obs] of steps; Discrete actions are one-hot."""
    obs = store.obs.reshape(len(store.obs), -1)
    at = store.obs_index(steps)
    act = store.act[steps].reshape(len(steps), -1)
    space = store.action_space
    if isinstance(space, gym.spaces.Discrete):
        act = np.eye(int(space.n))[act[:, 0] - int(space.start)]
    before = obs[at].astype(np.float64)
    return np.concatenate([before, act.astype(np.float64)], 1), obs[at + 1] - before
