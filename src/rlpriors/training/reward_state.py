"""Running statistics of normalized rewards, for the checkpoints of an online run.

`updating_normalizers`  the normalized rewards in a reward that still update their statistics
`load_statistics`       the statistics of a checkpoint back into these rewards
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards.normalized import NormalizedReward
from rlpriors.types import RewardFn

__all__ = ["load_statistics", "updating_normalizers"]


def updating_normalizers(reward: RewardFn | None) -> dict[str, NormalizedReward]:
    """Return each `NormalizedReward` in `reward` whose `updating` is True, by its module name.

    A normalized reward that does not update is constant and is not checkpointed.
    """
    modules = reward.named_modules() if isinstance(reward, nn.Module) else ()
    return {
        name: module for name, module in modules if isinstance(module, NormalizedReward) and module.updating
    }


def load_statistics(
    rewards: Mapping[str, NormalizedReward], statistics: Mapping[str, Any], file: Path
) -> None:
    """Load the output of `NormalizedReward.statistics` into each of `rewards`.

    Raises:
        CheckpointError: the run in `file` was trained on another reward, or without normalization.
    """
    try:
        if set(statistics) != set(rewards):
            raise KeyError(f"it has statistics of {len(statistics)} rewards, not of {len(rewards)}")
        for name, reward in rewards.items():
            reward.load_statistics(statistics[name])
    except KeyError as error:
        raise CheckpointError(
            f"{file} holds no running statistics of this reward ({error.args[0]}). Resume the run with the "
            "reward that it was started with, and with the same normalization."
        ) from error
