"""Reward learning with an agent in the loop, whose rollouts are negatives.

`HybridIRL`          hybrid training with any off-policy algorithm (SAC, TD3, ...)
`HybridIRLOnPolicy`  hybrid training with any on-policy algorithm (PPO, A2C, ...)
`HybridSettings`     settings of the reward's updates
`HybridStats`        training statistics of the policy and the reward
`HybridMixin`        mixin that trains the reward inside a relabeling algorithm

A reward learned from recorded negatives says nothing about states that only a trained agent reaches, and the
agent exploits them.  Here the agent's own rollouts are negatives as well, as in adversarial imitation (GAIL,
arXiv 1606.03476), but windows are compared instead of single steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import (
    OffPolicyAlgorithm,
    OnPolicyAlgorithm,
    TrainingStats,
    TrainingStatsWrapper,
)
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step
from torch import Tensor

from rlpriors.agents.irl.diffusion_irl import DiffusionIRL
from rlpriors.agents.online.relabel import Relabel, RelabelMixin, RelabelOnPolicy
from rlpriors.agents.resume_inputs import plain_settings
from rlpriors.agents.validation import check_type
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.base import RewardModel
from rlpriors.settings import check_fields

__all__ = ["HybridIRL", "HybridIRLOnPolicy", "HybridMixin", "HybridSettings", "HybridStats"]


@dataclass(frozen=True)
class HybridSettings:
    """Settings of the reward's updates in hybrid training.

    Raises:
        ValueError: a field is out of its bounds.
    """

    update_interval: int = 20
    """Number of policy updates between rounds of reward updates, at least 1.  Each round reads the whole
    replay buffer, so short intervals are for buffers of up to some ten thousand steps."""

    n_reward_updates: int = 10
    """Number of reward updates in a round, at least 1."""

    batch_size: int = 64
    """Number of demonstrated windows in a reward update, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("update_interval", "n_reward_updates", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")


class HybridStats(TrainingStatsWrapper):
    """Training statistics of the policy, and of the reward's last update."""

    def __init__(self, wrapped: TrainingStats, values: Mapping[str, float]) -> None:
        self.reward_loss = values["loss"]
        self.reward_gap = values["reward_gap"]
        """Mean reward of demonstrations minus negatives."""
        super().__init__(wrapped)  # last: it freezes the attributes


class HybridMixin(RelabelMixin):
    """Mixin that trains the reward of a relabeling algorithm, for off-policy and on-policy algorithms."""

    settings: HybridSettings
    updates: Tensor

    def set_irl(
        self,
        irl: DiffusionIRL,
        demonstrations: EpisodeStore | ReplayBuffer,
        settings: HybridSettings | None,
    ) -> None:
        """Set the reward learning and its demonstrations; called once, by the constructor."""
        settings = HybridSettings() if settings is None else settings
        check_type("settings", settings, HybridSettings, "write HybridSettings(name=value)")
        self.settings = settings
        if isinstance(demonstrations, EpisodeStore):
            demonstrations = to_buffer(demonstrations)
        windows: Any = irl.process_buffer(demonstrations)
        self._irl = (irl, windows)  # a tuple: the reward learning is no submodule and has a state of its own
        self.reward_device = irl.policy.device
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._last_stats = {"loss": 0.0, "reward_gap": 0.0}

    @property
    def irl(self) -> DiffusionIRL:
        """Reward learning, whose averaged reward the agent learns from."""
        return self._irl[0]

    def update_reward(self, buffer: ReplayBuffer) -> None:
        """Run a round of reward updates with the agent's episodes in `buffer`, if one is due.

        A round waits until an episode in the buffer is as long as a window; shorter ones are left out.
        """
        if int(self.updates) % self.settings.update_interval:
            return
        irl, windows = self._irl
        keys = self.obs_keys if isinstance(buffer.obs, Batch) else None
        rollouts = from_buffer(buffer, keys, policy=self.policy)
        layout = irl.policy.layout
        has_windows = rollouts.lengths >= layout.horizon * layout.stride  # episodes in progress may be short
        if layout.absorbing:
            has_windows |= rollouts.terminated[rollouts.step_starts + rollouts.lengths - 1]
        if not has_windows.any():
            return
        irl.set_rollouts(rollouts.subset(np.flatnonzero(has_windows)))
        for _ in range(self.settings.n_reward_updates):
            windows.draws = int(irl.updates)
            with policy_within_training_step(irl.policy):
                stats: Any = irl.update(windows, self.settings.batch_size)
            self._last_stats = {"loss": stats.loss, "reward_gap": stats.reward_gap}

    def stats(self, wrapped: TrainingStats) -> TrainingStats:
        """Count the policy update and return its statistics with those of the reward."""
        self.updates += 1
        return HybridStats(wrapped, self._last_stats)

    def resume_inputs(self) -> dict[str, Any]:
        return plain_settings(self.settings)

    def resume_state(self) -> dict[str, Any]:
        """Return the training state of the agent and of the reward learning."""
        return {**super().resume_state(), "irl": self.irl.resume_state()}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore a `resume_state`.

        Raises:
            CheckpointError: the state is of another algorithm, of other data or of networks of other sizes.
        """
        super().resume({name: part for name, part in state.items() if name != "irl"})
        self.irl.resume(state.get("irl", {}))


class HybridIRL(HybridMixin, Relabel):
    """Off-policy training on a reward that is learned at the same time against the agent's rollouts.

    Every `update_interval` policy updates, `irl` makes a round of reward updates.  In these, the source
    "rollouts" of its reference holds the episodes of the replay buffer.  The rewards that a policy update
    reads are computed anew (`Relabel`).

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        irl: reward learning; its `reference` contains "rollouts", alone or with other sources.
        demonstrations: episodes in raw units, or a buffer that `to_buffer` made of them.
        settings: settings of the reward's updates.

    Raises:
        TypeError: the algorithm, `irl` or the settings are of another class.
        ValueError: the reference of `irl` lacks "rollouts", or it trains a `TrajectoryValue`.

    Example:
        >>> HybridSettings(update_interval=50)
        HybridSettings(update_interval=50, n_reward_updates=10, batch_size=64)
    """

    twin = "HybridIRLOnPolicy"

    def __init__(
        self,
        algorithm: OffPolicyAlgorithm[Any],
        *,
        irl: DiffusionIRL,
        demonstrations: EpisodeStore | ReplayBuffer,
        settings: HybridSettings | None = None,
    ) -> None:
        super().__init__(algorithm, _reward(irl))
        self.set_irl(irl, demonstrations, settings)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        self.update_reward(buffer)
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return self.stats(original_stats)


class HybridIRLOnPolicy(HybridMixin, RelabelOnPolicy):
    """On-policy training on a reward that is learned at the same time; otherwise as `HybridIRL`.

    An update of these algorithms reads a whole collection, so by default each one is preceded by a round of
    ten reward updates.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        irl: reward learning; its `reference` contains "rollouts", alone or with other sources.
        demonstrations: episodes in raw units, or a buffer that `to_buffer` made of them.
        settings: settings of the reward's updates; by default ten of them before each policy update.

    Raises:
        TypeError: the algorithm, `irl` or the settings are of another class.
        ValueError: the reference of `irl` lacks "rollouts", or it trains a `TrajectoryValue`.

    Example:
        >>> HybridIRLOnPolicy.twin
        'HybridIRL'
    """

    twin = "HybridIRL"

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        *,
        irl: DiffusionIRL,
        demonstrations: EpisodeStore | ReplayBuffer,
        settings: HybridSettings | None = None,
    ) -> None:
        super().__init__(algorithm, _reward(irl))
        self.set_irl(irl, demonstrations, HybridSettings(update_interval=1) if settings is None else settings)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        self.update_reward(buffer)
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return self.stats(original_stats)


def _reward(irl: DiffusionIRL) -> RewardModel:
    """Return the averaged reward of `irl`, after a check."""
    check_type("irl", irl, DiffusionIRL, "create one with a policy, a reward and a reference")
    sources = () if irl.reference is None else irl.reference.names
    if "rollouts" not in sources:
        raise ValueError(
            f'`irl` must have "rollouts" among its negatives. Received {list(sources)}; create it with '
            'reference="rollouts", or reference=[("rollouts", 1.0), ("guided", 1.0)].'
        )
    if not isinstance(irl.reward, RewardModel):
        raise ValueError(
            "`irl` must train a reward of single steps. Received a "
            f"{type(irl.reward).__name__}; use an MLPReward."
        )
    return irl.reward
