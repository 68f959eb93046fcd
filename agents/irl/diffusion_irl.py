"""Learning the reward: what must be added to the prior to behave as the demonstrations do.

How is the objective's affair (`objectives`); what holds for all is here: the prior is frozen, the
reward stays smooth and bounded, its moving average is what guides and what is published, and one
objective may warm up for the next.
"""

import logging
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import numpy as np
import torch
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives import OBJECTIVES, Objective, Reading, Update, find_objective
from rlpriors.agents.irl.settings import DiffusionIRLSettings, DiffusionIRLStats
from rlpriors.agents.offline_algorithm import WindowAlgorithm, WindowBuffer
from rlpriors.agents.validation import check_kind
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.losses import gradient_penalty, quickness, slowness_penalty
from rlpriors.rewards.trajectory_value import TrajectoryValue
from rlpriors.types import Window

_log = logging.getLogger(__name__)

__all__ = ["DiffusionIRL", "DiffusionIRLSettings", "DiffusionIRLStats"]


class DiffusionIRL(WindowAlgorithm[DiffuserPolicy]):
    """Learns a reward from demonstrations and a frozen prior.

    Train the policy's denoiser first (`TrajectoryDiffusion`), then give this algorithm the
    demonstrations as `OfflineTrainerParams(buffer=...)`.  When it is done, `policy.reward` is the
    averaged reward, and the policy plans by it.

    Args:
        policy: the planning policy; its denoiser is frozen from here on.
        reward: the model that is learned, in raw units; or a `TrajectoryValue`, of normalized windows.
        optim: makes the optimizer.
        objective: what it is learned by: a key of `objectives.OBJECTIVES`, or settings of one.
        base: the data that the prior was learned from.  Some objectives need it, and all are better
            for it: it tells how fast each entry changes, for which demonstrations are a poor sample.
        warm_start: objectives that go before, each with its number of updates.
        settings: what holds for the reward whatever the objective.
        max_start: use only demonstration windows that start in the first steps of an episode.
            Long stays at the end of a demonstration otherwise fill most batches.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: source of batches and noise.

    Raises:
        TypeError: the policy, the reward or the settings are of another class.
        ValueError: the reward reads Discrete actions, an objective needs `base` and has none or cannot
            read as the settings ask, or a warm start is no pair.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
        >>> from rlpriors.networks import build_denoiser
        >>> walk = Episode(np.arange(20.0)[:, None], np.ones((19, 1)), *np.zeros((3, 19)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> frames = TrajectoryLayout.fit(data, horizon=8)
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=frames.dim), frames=frames, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-1, 1, (1,)))
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1), frames.normalizer)
        >>> algorithm = DiffusionIRL(policy=policy, reward=reward, optim=AdamOptimizerFactory(5e-3))
        >>> info = algorithm.run_training(OfflineTrainerParams(  # the demonstrations
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> policy.reward is algorithm.reward
        True
    """

    quickness: Tensor

    def __init__(
        self,
        *,
        policy: DiffuserPolicy,
        reward: RewardModel | TrajectoryValue,
        optim: OptimizerFactory,
        objective: object = "contrastive",
        base: ReplayBuffer | EpisodeStore | None = None,
        warm_start: Sequence[Any] = (),
        settings: DiffusionIRLSettings | None = None,
        max_start: int | None = None,
        max_grad_norm: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        check_kind("policy", policy, DiffuserPolicy, "make one of a denoiser and `TrajectoryLayout.fit(...)`")
        _check_learnable(reward)
        settings = DiffusionIRLSettings() if settings is None else settings
        check_kind("settings", settings, DiffusionIRLSettings, "write DiffusionIRLSettings(name=value)")
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        self.settings = settings
        policy.denoiser.requires_grad_(False)
        self.online = reward.to(policy.device)
        self.reward = deepcopy(self.online).requires_grad_(False)
        policy.reward = self.reward
        self.base = None if base is None else self._base(base)
        if not all(isinstance(stage, tuple | list) and len(stage) == 2 for stage in warm_start):
            raise ValueError(
                '`warm_start` must be pairs of an objective and a number of updates, as [("ratio", 200)]. '
                f"Received {warm_start!r}."
            )
        self._reading = Reading(settings.input_noise, settings.marginal_actions)
        self.objectives = nn.ModuleList()
        self._ends: list[int] = []
        for stage, n_updates in (*warm_start, (objective, 0)):
            self._append(stage, n_updates)
        learned = nn.ModuleList([self.online, *self.objectives])
        self.optim = self._create_optimizer(learned, optim, max_grad_norm=max_grad_norm)
        self._average = get_ema_multi_avg_fn(self.settings.ema_decay)
        self.register_buffer("quickness", torch.zeros(policy.frames.dim, device=policy.device))

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """As every window algorithm; and the reward must take such observations and actions."""
        self._check_reward()
        frames = self.policy.frames
        reads = set(getattr(self.online.settings, "inputs", ("obs",))) - {"obs"}
        if frames.stride > 1 and reads:
            _log.warning(
                "The reward reads %s, and is learned from frames of %d steps (their mean action, the "
                'observation %d steps later); judging single steps it sees other numbers. Read "obs" alone, '
                "or take frames of one step.",
                " and ".join(sorted(reads)),
                frames.stride,
                frames.stride,
            )
        windows = cast(WindowBuffer, super().process_buffer(buffer))
        for stage in self._stages:
            stage.prepare(self.policy, windows, self.base)
        weighs = self.settings.gradient_penalty > 0 and self.settings.quickness_power > 0
        if weighs and not self.quickness.any():
            store = (windows if self.base is None else self.base).store
            starts = store.window_starts(frames.horizon, frames.stride)
            starts = np.random.default_rng(self.seed).choice(starts, min(2048, len(starts)), replace=False)
            usual = store.windows(starts, frames.horizon, frames.stride)
            usual = Window(*(part.to(self.policy.device) for part in usual))
            self.quickness.copy_(quickness(frames.pack(usual)))
        if windows.store.terminated.any():
            _log.warning(
                "Demonstrations end by termination. The reward's zero is arbitrary: where it is positive, an "
                "agent may prefer to go on rather than to finish. Learn and use it with episodes of a fixed "
                "length, or shift it."
            )
        return cast(TBuffer, windows)

    def _update_with_batch(self, batch: Any) -> DiffusionIRLStats:
        frames, settings, generator = self.policy.frames, self.settings, self.generator()
        window = self.window(batch)
        expert = frames.pack(window)
        stage, before = self._stage()
        loss, samples, stats = stage(
            Update(
                policy=self.policy,
                online=self.online,
                averaged=self.reward,
                window=window,
                expert=expert,
                base=None if self.base is None else self._draw_base,
                generator=generator,
                step=before,
                reading=self._reading,
            )
        )
        with torch.no_grad():
            good = frames.rewards(self.online, expert).mean().item()
            bad = frames.rewards(self.online, samples).mean().item()
        penalty = None
        # A penalty costs as much as the objective itself: none is computed for nothing.
        if settings.gradient_penalty > 0:
            weight = self.quickness**settings.quickness_power if settings.quickness_power > 0 else None
            value = frames.value(self.online)
            penalty = gradient_penalty(value, expert, samples, generator, weight=weight)
            loss = loss + settings.gradient_penalty * penalty
        if settings.magnitude_penalty > 0:
            anywhere = 2 * torch.rand(expert.shape, generator=generator, device=expert.device) - 1
            magnitude = frames.rewards(self.online, anywhere).square().mean()
            loss = loss + settings.magnitude_penalty * magnitude
        if settings.slowness_penalty > 0:
            travels = samples if self.base is None else self._draw_base(len(expert))
            slowness = slowness_penalty(frames.rewards(self.online, travels))
            loss = loss + settings.slowness_penalty * slowness
        if not loss.isfinite():
            raise FloatingPointError(
                f"The reward's loss is {loss.item()} in update {int(self.updates)}. Take a smaller learning "
                "rate, or raise `gradient_penalty`."
            )
        self.optim.step(loss)
        with torch.no_grad():
            averaged, online = tuple(self.reward.parameters()), tuple(self.online.parameters())
            self._average(averaged, online, self.updates)
        self.updates += 1
        return DiffusionIRLStats(
            loss=loss.item(),
            demonstration_reward=good,
            sample_reward=bad,
            reward_gap=good - bad,
            gradient_penalty=0.0 if penalty is None else penalty.item(),
            objective=stats,
        )

    @property
    def _stages(self) -> list[Objective]:
        return [cast(Objective, stage) for stage in self.objectives]

    def _stage(self) -> tuple[Objective, int]:
        """The objective whose turn it is, and how many updates it has made."""
        done, start = int(self.updates), 0
        for stage, end in zip(self._stages[:-1], self._ends[:-1], strict=True):
            if done < end:
                return stage, done - start
            start = end
        return self._stages[-1], done - start

    def _append(self, objective: object, n_updates: int) -> None:
        name, kind, settings = find_objective(objective)
        if kind.needs_base and self.base is None:
            raise ValueError(
                f"The objective {name!r} compares with the data that the prior was learned from. "
                "Give that data as `base`."
            )
        if not (kind.judges or self._reading.is_plain):
            able = [other for other, (judging, _) in OBJECTIVES.items() if judging.judges]
            raise ValueError(
                f"The objective {name!r} differentiates the reward rather than have it judge demonstrations, "
                "so `input_noise` must be 0 and `marginal_actions` False. "
                f"Received {self._reading}; leave them, or learn by one of {able}."
            )
        if n_updates < 0:
            raise ValueError(
                f"`warm_start` must give each objective at least 0 updates. Received {n_updates}."
            )
        self.objectives.append(kind(settings, self.policy).to(self.policy.device))
        self._ends.append((self._ends[-1] if self._ends else 0) + n_updates)

    def _check_reward(self) -> None:
        """Raise a ValueError unless the reward takes what the policy's frames hold."""
        frames, reward = self.policy.frames, self.online
        if isinstance(reward, TrajectoryValue):
            takes = reward.settings.horizon, reward.settings.dim
            if takes != (frames.horizon, frames.dim):
                raise ValueError(
                    f"`reward` takes windows of {takes[0]} frames of {takes[1]} numbers, but the policy's "
                    f"`frames` make {frames.horizon} of {frames.dim}. Build the value for these sizes."
                )
            if self.settings.slowness_penalty > 0:
                raise ValueError(
                    "`slowness_penalty` must be 0 for a TrajectoryValue, which knows no steps to change "
                    f"slowly along. Received {self.settings.slowness_penalty}."
                )
        elif (reward.obs_dim, reward.act_dim) != (frames.obs_dim, frames.act.dim):
            raise ValueError(
                f"`reward` takes observations of {reward.obs_dim} entries and actions of "
                f"{reward.act_dim}, but the policy's `frames` hold {frames.obs_dim} and "
                f"{frames.act.dim}. Build the reward for these sizes."
            )

    def _base(self, base: ReplayBuffer | EpisodeStore) -> WindowBuffer:
        store = base if isinstance(base, EpisodeStore) else self._store(base)
        self.policy.check_data(store)
        frames = self.policy.frames
        return WindowBuffer(store, frames.horizon, frames.stride, None, self.seed)

    def _draw_base(self, n: int) -> Tensor:
        """Windows of the prior's data; which, depends on the seed and the number of the update alone."""
        assert self.base is not None
        self.base.draws = int(self.updates)
        return self.policy.frames.pack(self.window(self.base.sample(n)[0]))


def _check_learnable(reward: object) -> None:
    """Raise unless a reward can be learned from windows of numbers."""
    advice = "build one, as MLPReward(RewardSettings(...)); `load_reward` reads a folder"
    check_kind("reward", reward, (RewardModel, TrajectoryValue), advice)
    n_actions = getattr(reward, "n_actions", None)
    if n_actions is not None:
        raise ValueError(
            "`reward` must read actions as numbers: windows of the prior hold them so, and a gradient passes "
            f"through them. Received one for Discrete actions, n_actions={n_actions}; leave `n_actions` out, "
            'or learn a reward of ("obs",) alone.'
        )
