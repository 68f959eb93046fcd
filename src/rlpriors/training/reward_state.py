"""Running statistics of normalized rewards, for the checkpoints of an online run.

`updating_normalizers`  the normalized rewards in a reward that still update their statistics
`load_statistics`       the statistics of a checkpoint back into these rewards
`OnlineInputs`          the reward and the settings that a resumed run must share
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rlpriors.agents.resume_inputs import check_inputs, plain_settings, reward_fingerprint
from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards.normalized import NormalizedReward
from rlpriors.training.online_settings import OnlineSettings
from rlpriors.types import RewardFn

__all__ = ["OnlineInputs", "load_statistics", "updating_normalizers"]

EXTENDABLE = ("env_steps", "checkpoint_every", "buffer_size")  # a resumed run may change them


class OnlineInputs:
    """Reward and settings of an online run, which a resumed run must share.

    The buffer holds rewards of the steps before, so that another reward would be mixed with them.

    Example:
        >>> inputs = OnlineInputs(None, OnlineSettings())
        >>> inputs.state()["reward"]
        "the environment's"
        >>> inputs.check(inputs.state())
    """

    def __init__(self, reward: RewardFn | None, settings: OnlineSettings) -> None:
        self.reward, self.initial_reward = reward, _fingerprint(reward)
        plain = plain_settings(settings)
        self.settings = {name: value for name, value in plain.items() if name not in EXTENDABLE}

    def state(self) -> dict[str, Any]:
        """Return the inputs as plain data; a reward that is trained meanwhile is left out."""
        is_fixed = _fingerprint(self.reward) == self.initial_reward
        return self.settings | ({"reward": self.initial_reward} if is_fixed else {})

    def check(self, saved: Any) -> None:
        """Check that a run was started with these inputs.

        Raises:
            CheckpointError: the reward or a setting differs.
        """
        check_inputs(saved, {**self.settings, "reward": self.initial_reward})


def _fingerprint(reward: RewardFn | None) -> str:
    return "the environment's" if reward is None else reward_fingerprint(reward)


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
