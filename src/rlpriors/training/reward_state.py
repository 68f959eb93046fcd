"""Rewards whose statistics move while an agent learns, in the checkpoints of its run.

`moving`   the normalized rewards that are, or are in, what judges, by their place in it
`restore`  let them go on with the statistics of a checkpoint
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards.normalized import NormalizedReward
from rlpriors.types import RewardFn

__all__ = ["moving", "restore"]


def moving(reward: RewardFn | None) -> dict[str, NormalizedReward]:
    """Those that are `updating`; one at rest does not change, and is no part of a checkpoint."""
    modules = reward.named_modules() if isinstance(reward, nn.Module) else ()
    return {name: part for name, part in modules if isinstance(part, NormalizedReward) and part.updating}


def restore(rewards: Mapping[str, NormalizedReward], statistics: Mapping[str, Any], file: Path) -> None:
    """Put back what `NormalizedReward.statistics` gave.

    Raises:
        CheckpointError: the run in `file` was learned on other rewards, or without normalizing.
    """
    try:
        if set(statistics) != set(rewards):
            raise KeyError(f"it has {len(statistics)} of these rewards, not {len(rewards)}")
        for name, reward in rewards.items():
            reward.load_statistics(statistics[name])
    except KeyError as error:
        raise CheckpointError(
            f"{file} holds no running statistics of this reward ({error.args[0]}). Resume it with the reward "
            "that it was learned on, normalized and updating as it was then."
        ) from error
