"""Ways to spoil demonstrations, data, settings or a learned reward.

`Spoil`    one way, with its words
`SPOILS`   ways by name
`fitted`   reward network that is fitted to a function of a reward
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import MLPReward, RewardSettings, SumReward
from rlpriors.rewards.base import RewardModel

__all__ = ["SPOILS", "Spoil", "fitted"]

HIDDEN = (64, 64)
Arrays = dict[str, np.ndarray]
DEGREES = 180 / np.pi
N_FITTED, N_UPDATES, BATCH = 10_000, 1500, 512


class Spoil(NamedTuple):
    """One way to spoil a reward; exactly one of its functions is given."""

    title: str
    """Words of the table."""
    demonstrations: Callable[[Arrays], Arrays] | None = None
    """Change of the arrays of a .npz file of demonstrations."""
    arguments: tuple[str, ...] = ()
    """Arguments of the command."""
    quiet_data: bool = False
    """Data of small or equal actions instead of random ones."""
    reward: Callable[[RewardModel, EpisodeStore, EpisodeStore], RewardModel] | None = None
    """Change of the learned reward, from demonstrations and data."""


def _scaled(name_part: str, factor: float, column: int | None = None) -> Callable[[Arrays], Arrays]:
    """Return a function that multiplies the arrays whose name begins with `name_part`, or one column."""

    def change(arrays: Arrays) -> Arrays:
        changed = dict(arrays)
        names = sorted(name for name in arrays if name.split("/")[0] == name_part)
        for name in names[: 1 if column is not None else None]:
            values = arrays[name].astype(np.float32)
            values[..., slice(None) if column is None else column] *= np.float32(factor)
            changed[name] = values
        return changed

    return change


def _shuffled(arrays: Arrays) -> Arrays:
    order = np.random.default_rng(0).permutation(len(arrays["act"]))
    return {**arrays, "act": arrays["act"][order]}


def _flat(reward: RewardModel, demonstrations: EpisodeStore, data: EpisodeStore) -> RewardModel:
    """Return the reward cut halfway between the starts and the ends of demonstrations: a plateau."""
    rewards = demonstrations.relabel(reward).rew
    first = demonstrations.step_starts
    top = float(rewards[first].mean() + rewards[first + demonstrations.lengths - 1].mean()) / 2
    return fitted(lambda values: values.clamp(max=top), reward, (demonstrations, data), HIDDEN)


def _linear(reward: RewardModel, demonstrations: EpisodeStore, data: EpisodeStore) -> RewardModel:
    """Return the linear reward that is nearest to the reward: it pays for going past the goal."""
    return fitted(lambda values: values, reward, (demonstrations, data), ())


def fitted(
    change: Callable[[Tensor], Tensor],
    reward: RewardModel,
    stores: Sequence[EpisodeStore],
    hidden: tuple[int, ...],
) -> MLPReward:
    """Return a reward network of observations that is fitted to changed values of a reward.

    Args:
        change: function of the reward's values.
        reward: reward that `rlpriors learn-reward` has saved, a scaled `MLPReward`.
        stores: episodes with the observations, which have equal weights.
        hidden: width of each hidden layer; none for a linear reward.
    """
    rng = np.random.default_rng(0)
    chosen = [store.transitions(rng.integers(store.n_steps, size=N_FITTED)) for store in stores]
    obs, act = (torch.cat([getattr(part, name) for part in chosen]) for name in ("obs", "act"))
    none = torch.zeros(len(obs), dtype=torch.bool)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = RewardSettings(obs.shape[1], act.shape[1], hidden=hidden, obs_keys=reward.obs_keys)
        network = MLPReward(settings, normalizer_of(reward))
    with torch.no_grad():
        values = change(reward(obs, act, obs, none))
    generator = torch.Generator().manual_seed(0)
    optim = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(N_UPDATES):
        rows = torch.randint(len(obs), (BATCH,), generator=generator)
        loss = (network(obs[rows], act[rows], obs[rows], none[rows]) - values[rows]).square().mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
    return network


def normalizer_of(reward: RewardModel) -> Normalizer | None:
    """Return the normalizer of the network in a scaled reward."""
    inner = reward.terms[0] if isinstance(reward, SumReward) else reward
    normalizer: Normalizer | None = getattr(inner, "normalizer", None)
    return normalizer


SPOILS = {
    "degrees": Spoil("first entry in degrees", _scaled("obs", DEGREES, 0)),
    "half": Spoil("observations in half units", _scaled("obs", 0.5)),
    "half-entry": Spoil("first entry in half units", _scaled("obs", 0.5, 0)),
    "half-actions": Spoil("actions in half units", _scaled("act", 0.5)),
    "shuffled": Spoil("shuffled actions", _shuffled),
    "30-updates": Spoil("30 updates", arguments=("--checkpoint-every", "10", "--reward-updates", "30")),
    "support": Spoil("data without the demonstrated behavior", quiet_data=True),
    "flat": Spoil("flat around the goal", reward=_flat),
    "linear": Spoil("pays for going past the goal", reward=_linear),
}
"""Ways to spoil a reward, by name."""
