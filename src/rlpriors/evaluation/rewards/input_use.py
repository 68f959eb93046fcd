"""Inputs that a reward reads, and the order of its values along episodes.

`input_use`          share of a reward's variance that each input entry accounts for
`entry_names`        names of the entries of an observation
`order_in_episodes`  rank correlation of rewards with time, within episodes
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.types import RewardFn, Transition

__all__ = ["entry_names", "input_use", "order_in_episodes"]


def entry_names(store: EpisodeStore) -> list[str]:
    """Return a name for each entry of an observation: its leaf and index, or its index alone.

    Example:
        >>> from rlpriors.data import Episode
        >>> obs = {"position": np.zeros((3, 2)), "angle": np.zeros((3, 1))}
        >>> entry_names(EpisodeStore.from_episodes([Episode(obs, np.zeros((2, 1)), *np.zeros((3, 2)))]))
        ['angle', 'position[0]', 'position[1]']
    """
    layout, size = store.obs_layout, int(np.prod(store.obs.shape[1:]))
    if layout is None or layout.shapes is None:
        return [f"obs[{i}]" for i in range(size)]
    names = []
    for key, shape in zip(layout.keys, layout.shapes, strict=True):
        n = int(np.prod(shape))
        names += [key] if n == 1 else [f"{key}[{i}]" for i in range(n)]
    return names


def input_use(
    reward: RewardFn, transitions: Transition, names: list[str], rng: np.random.Generator
) -> Mapping[str, float]:
    """Return how much the reward depends on each observation entry and on the action.

    The number is the mean squared change of the reward when an entry is permuted over the transitions,
    divided by twice the reward's variance (the total effect index for independent entries, Sobol 2001,
    Mathematics and Computers in Simulation 55).  An entry is permuted in `obs` and `obs_next` together.  0
    means that it is not read.  The sum may exceed 1 if entries interact or depend on each other.

    Args:
        reward: reward of transitions in raw units.
        transitions: transitions of data, on the reward's device.
        names: names of the observation's entries.
        rng: generator of the permutations.

    Raises:
        ValueError: there is not one name for each entry.

    Example:
        >>> obs, act = torch.randn(500, 2), torch.zeros(500, 1)
        >>> step = Transition(obs, act, obs, torch.zeros(500, dtype=torch.bool))
        >>> use = input_use(lambda obs, *rest: obs[:, 1], step, ["x", "y"], np.random.default_rng(0))
        >>> use["x"], use["y"] > 0.5, use["action"]
        (0.0, True, 0.0)
    """
    obs, act, obs_next, terminated = transitions
    if len(names) != obs.shape[1]:
        raise ValueError(f"`names` must name {obs.shape[1]} entries. Received {names}.")
    with torch.no_grad():
        values = reward(obs, act, obs_next, terminated).double()
        variance = float(values.var(correction=0))
        change = partial(_change, values, 2 * variance)
        shares = {}
        for column, name in enumerate(names):
            order = torch.as_tensor(rng.permutation(len(obs)), device=obs.device)
            mixed = [_permuted(part, column, order) for part in (obs, obs_next)]
            shares[name] = change(reward(mixed[0], act, mixed[1], terminated))
        order = torch.as_tensor(rng.permutation(len(obs)), device=obs.device)
        shares["action"] = change(reward(obs, act[order], obs_next, terminated))
    return shares


def order_in_episodes(reward: RewardFn, store: EpisodeStore) -> float:
    """Return the mean over episodes of the rank correlation between reward and time.

    It is 1 where the reward rises along each episode, as on ways to a goal, and near 0 for movements that
    repeat.  Episodes of fewer than 3 steps or with a constant reward are left out; 0 if none remains.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(6.0)[:, None], np.ones((5, 1)), *np.zeros((3, 5)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> order_in_episodes(lambda obs, act, obs_next, terminated: -obs[:, 0], store)
        -1.0
    """
    rewards = store.relabel(reward).rew
    correlations = []
    for first, length in zip(store.step_starts, store.lengths, strict=True):
        values = rewards[first : first + length]
        if length >= 3 and np.ptp(values) > 0:
            correlations.append(float(np.corrcoef(rankdata(values), np.arange(length))[0, 1]))
    return float(np.round(np.mean(correlations), 12)) if correlations else 0.0


def _permuted(part: Tensor, column: int, order: Tensor) -> Tensor:
    mixed = part.clone()
    mixed[:, column] = part[order, column]
    return mixed


def _change(values: Tensor, scale: float, changed: Tensor) -> float:
    return float((changed.double() - values).square().mean()) / scale if scale > 0 else 0.0
