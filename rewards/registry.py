"""Saved rewards by folder.

`REWARDS`           the reward models of this library, by the name that stands in their files
`reward_class`      the class of a name, also one that another package brings
`check_registered`  refuses a class that could not be loaded
`load_reward`       a saved reward model, ready to judge

Another package joins with an entry point in the group `rlpriors.rewards`, whose name is that of a
`RewardModel` subclass and whose value leads to it; a script of its own writes the class into
`REWARDS`, before it saves and before it loads.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import torch

from rlpriors import checkpoint
from rlpriors.checkpoint import CheckpointError
from rlpriors.device import resolve_device
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.compose import SumReward
from rlpriors.rewards.discriminators import AIRLReward, GAILReward
from rlpriors.rewards.drail import DRAILReward
from rlpriors.rewards.ensemble import EnsembleReward
from rlpriors.rewards.networks import MLPReward
from rlpriors.rewards.running import NormalisedReward
from rlpriors.rewards.shaping import ShapedReward

__all__ = ["REWARDS", "check_registered", "load_reward", "reward_class"]

GROUP = "rlpriors.rewards"

REWARDS: dict[str, type[RewardModel]] = {
    "AIRLReward": AIRLReward,
    "DRAILReward": DRAILReward,
    "EnsembleReward": EnsembleReward,
    "GAILReward": GAILReward,
    "MLPReward": MLPReward,
    "NormalisedReward": NormalisedReward,
    "ShapedReward": ShapedReward,
    "SumReward": SumReward,
}


def reward_class(name: str) -> type[RewardModel]:
    """The class that `name` stands for in a saved reward's configuration.

    Raises:
        ValueError: there is no such name here, nor among the installed packages' entry points.
        TypeError: another package's entry point leads to something else than a `RewardModel`.
    """
    if name in REWARDS:
        return REWARDS[name]
    others = _entry_points()
    if name not in others:
        raise ValueError(
            f"`name` must be one of {sorted({*REWARDS, *others})}. Received {name!r}; install the package "
            f"that brings it (entry point group {GROUP!r})."
        )
    loaded = others[name].load()
    if not (isinstance(loaded, type) and issubclass(loaded, RewardModel)):
        raise TypeError(
            f"Entry point {name!r} of {GROUP!r} must be a RewardModel class. Received {loaded!r}."
        )
    return loaded


def check_registered(kind: type[RewardModel]) -> None:
    """Refuse a class that a saved file could name, but nobody find.

    Raises:
        ValueError: no class has its name here, nor among the entry points; or another class has.
    """
    name = kind.__name__
    if name in REWARDS:
        if REWARDS[name] is not kind:
            raise ValueError(
                f"The name of a saved reward's class must lead back to it. Received a {name} of "
                f"{kind.__module__}, but {REWARDS[name].__module__} has a class of that name; rename yours."
            )
    elif name not in _entry_points():
        raise ValueError(
            f"A reward is saved only if `load_reward` can find its class. Received a {name}, which is not "
            f'registered; write `rewards.REWARDS["{name}"] = {name}` here and wherever it is loaded, or '
            f"bring it by an entry point in the group {GROUP!r}."
        )


def load_reward(folder: str | Path, device: str | torch.device = "auto") -> RewardModel:
    """Load the reward that `RewardModel.save` wrote, in evaluation mode.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds something else.
        ValueError: this machine has no such device.

    Example:
        >>> from tempfile import mkdtemp
        >>> from rlpriors.rewards.networks import MLPReward, RewardSettings
        >>> folder = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(mkdtemp())
        >>> load_reward(folder, device="cpu").obs_dim
        3
    """
    names = sorted({*REWARDS, *_entry_points()})
    # Asking for the class only when its name is met keeps other packages unimported until then.
    module = checkpoint.load(folder, {name: _builder(name) for name in names}, resolve_device(device))
    if not isinstance(module, RewardModel):
        raise CheckpointError(f"{folder} holds a {type(module).__name__}, not a RewardModel.")
    return module.eval()


def _builder(name: str) -> Callable[[Mapping[str, Any]], RewardModel]:
    return lambda settings: reward_class(name).from_settings(settings)


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
