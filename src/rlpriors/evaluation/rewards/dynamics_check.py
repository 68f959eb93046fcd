"""Check that demonstrations follow the dynamics of the data.

`dynamics_agreement`  fraction of the demonstrated changes that actions explain, relative to the data
`ChangeScales`        scales with their errors
`change_scales`       size of the demonstrated changes relative to those that the data predicts, by entry

A reward of states cannot show that recorded actions are shuffled, or that observations are in other units.  A
model of one step, fitted to the data, shows both before any training.
"""

from typing import NamedTuple

import gymnasium as gym
import numpy as np
from jaxtyping import Float

from rlpriors.data.episodes import EpisodeStore

__all__ = ["ChangeScales", "change_scales", "dynamics_agreement"]

N_FEATURES, N_FITTED, N_CHECKED = 256, 20_000, 4000
RIDGE = 1e-3
LEAST_EFFECT = 0.1  # of actions on one step of the data
LEAST_SCORE = 0.5  # of the model in an entry of the data, for its scale
LEAST_STEPS = 50
N_MIXED = 8
USUAL = 0.995  # quantile of the leverage of the data


class ChangeScales(NamedTuple):
    """Size of the demonstrated changes of each entry, relative to those that the data's dynamics predict."""

    scales: Float[np.ndarray, " entries"]
    """Slope of demonstrated changes over predicted ones; 1 in the same units, NaN if it is unknown."""
    errors: Float[np.ndarray, " entries"]
    """Standard error of each slope."""

    def certain(self) -> Float[np.ndarray, " entries"]:
        """Return the scale in the interval of two standard errors that is nearest to 1; 1 if unknown."""
        return _nearest_to_one(self.scales, self.errors)


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
    model = _StepModel(data, rng)
    if not model.moving.any():
        return 1.0

    def score(store: EpisodeStore, steps: np.ndarray) -> float:
        part, change = _steps(store, steps)
        mixed = part.copy()
        n_obs = change.shape[1]
        mixed[:, n_obs:] = part[rng.permutation(len(part)), n_obs:]
        own, other = (np.square(model.predict(x) - model.in_units(change)).mean() for x in (part, mixed))
        return float(1 - own / other) if other > 0 else 0.0

    expected = score(data, model.held)
    if expected < LEAST_EFFECT:
        return 1.0
    shown = rng.permutation(demonstrations.n_steps)[:N_CHECKED]
    return float(np.clip(score(demonstrations, shown) / expected, 0, 1))


def change_scales(demonstrations: EpisodeStore, data: EpisodeStore, rng: np.random.Generator) -> ChangeScales:
    """Return the size of the demonstrated changes of each entry, relative to the data's dynamics.

    For each entry it is the slope of the demonstrated changes over the changes that the model of
    `dynamics_agreement` predicts from observation and action, or that of the effects of actions, whichever is
    farther from 1.  An entry, or an action, in half of the data's
    units changes half as much, or twice as much, as predicted.  Only demonstrated steps that resemble the
    data are used (by their leverage in the regression), and only entries that the model predicts in held-out
    data.

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
        >>> data, half = (EpisodeStore.from_episodes([walk._replace(obs=scale * walk.obs)])
        ...     for scale in (1.0, 0.5))
        >>> change_scales(half, data, rng).scales.round(1)
        array([0.5])
    """
    model = _StepModel(data, rng)
    part, change = _steps(data, model.held)
    usual = float(np.quantile(model.leverage(part), USUAL))
    shown, changes = _steps(demonstrations, rng.permutation(demonstrations.n_steps)[:N_CHECKED])
    kept = model.leverage(shown) <= usual
    nothing = np.full(len(model.moving), np.nan)
    if kept.sum() < LEAST_STEPS:
        return ChangeScales(nothing, nothing)
    held, own = (
        model.slopes(inputs, model.in_units(moved), rng)
        for inputs, moved in ((part, change), (shown[kept], changes[kept]))
    )
    # Of changes and effects of actions, the one that is farther from 1 with certainty.
    known = held.scores >= LEAST_SCORE
    with np.errstate(divide="ignore", invalid="ignore"):
        scales = np.where(known, own.slopes / held.slopes, np.nan)
        errors = np.where(known, own.errors / np.abs(held.slopes), np.nan)
        doubt = np.abs(np.log(np.maximum(_nearest_to_one(scales, errors), 1e-3)))
    row = doubt.argmax(0)
    columns = np.arange(doubt.shape[1])
    all_scales, all_errors = nothing.copy(), nothing.copy()
    all_scales[model.moving], all_errors[model.moving] = scales[row, columns], errors[row, columns]
    return ChangeScales(all_scales, all_errors)


def _nearest_to_one(
    scales: Float[np.ndarray, "*rows entries"], errors: Float[np.ndarray, "*rows entries"]
) -> Float[np.ndarray, "*rows entries"]:
    nearest: np.ndarray = np.clip(1.0, scales - 2 * errors, scales + 2 * errors)
    return np.where(np.isnan(nearest), 1.0, nearest)


class _Slopes(NamedTuple):
    """Regressions of actual changes, and of effects of actions, on predicted ones: two rows."""

    slopes: Float[np.ndarray, "2 moving"]
    errors: Float[np.ndarray, "2 moving"]
    scores: Float[np.ndarray, "2 moving"]
    """Fraction of the actual ones that is predicted."""


class _StepModel:
    """Ridge regression of changes on observations and actions, in units of the data's changes."""

    def __init__(self, data: EpisodeStore, rng: np.random.Generator) -> None:
        if data.n_steps < 10:
            raise ValueError(f"`data` must have at least 10 steps. Received {data.n_steps}.")
        order = rng.permutation(data.n_steps)
        fitted = order[: data.n_steps // 2][:N_FITTED]
        self.held = order[data.n_steps // 2 :][:N_CHECKED]
        inputs, changes = _steps(data, fitted)
        self.loc, self.scale = inputs.mean(0), inputs.std(0) + 1e-6
        unit = changes.std(0)
        self.moving = unit > 1e-8 * np.abs(inputs).max()  # a constant entry is no dynamics
        self.unit = unit[self.moving]
        self.weights = rng.normal(size=(inputs.shape[1], N_FEATURES)) / np.sqrt(inputs.shape[1])
        self.offsets = rng.uniform(-1, 1, N_FEATURES)
        x = self._features(inputs)
        penalty = RIDGE * len(x) * np.eye(x.shape[1]) / 1000
        self.gram = x.T @ x + penalty
        self.solution = np.linalg.solve(self.gram, x.T @ self.in_units(changes))

    def predict(self, inputs: Float[np.ndarray, "n inputs"]) -> Float[np.ndarray, "n moving"]:
        predicted: np.ndarray = self._features(inputs) @ self.solution
        return predicted

    def in_units(self, changes: Float[np.ndarray, "n entries"]) -> Float[np.ndarray, "n moving"]:
        scaled: np.ndarray = changes[:, self.moving] / self.unit
        return scaled

    def slopes(
        self,
        inputs: Float[np.ndarray, "n inputs"],
        actual: Float[np.ndarray, "n moving"],
        rng: np.random.Generator,
    ) -> _Slopes:
        predicted, n_obs = self.predict(inputs), len(self.moving)
        mean = np.zeros_like(predicted)
        for _ in range(N_MIXED):
            mixed = inputs.copy()
            mixed[:, n_obs:] = inputs[rng.permutation(len(inputs)), n_obs:]
            mean += self.predict(mixed) / N_MIXED
        x, y = np.stack([predicted, predicted - mean]), np.stack([actual, actual - mean])
        moments = np.maximum(np.square(x).sum(1), 1e-12)
        slopes = (x * y).sum(1) / moments
        left = np.square(y - slopes[:, None] * x).mean(1)
        scores = 1 - np.square(y - x).mean(1) / np.maximum(np.square(y).mean(1), 1e-12)
        return _Slopes(slopes, np.sqrt(left / moments), scores)

    def leverage(self, inputs: Float[np.ndarray, "n inputs"]) -> Float[np.ndarray, " n"]:
        x = self._features(inputs)
        values: np.ndarray = (x * np.linalg.solve(self.gram, x.T).T).sum(1)
        return values

    def _features(self, inputs: Float[np.ndarray, "n inputs"]) -> Float[np.ndarray, "n features"]:
        normal = np.clip((inputs - self.loc) / self.scale, -10, 10)
        waves = np.tanh(normal @ self.weights + self.offsets)
        return np.concatenate([normal, waves, np.ones((len(inputs), 1))], 1)


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
