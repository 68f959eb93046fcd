"""Rewards from labeled pairs of segments.

`PreferenceLearning`  offline algorithm that trains a reward on comparisons
"""

from copy import deepcopy
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Int
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor, nn

from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.preferences.graded import DegreeHead, GradedEpisodes, degree_loss
from rlpriors.agents.preferences.inputs import (
    check_reward,
    inputs_fingerprint,
    split_pairs,
    used_pairs,
)
from rlpriors.agents.preferences.pair_buffer import PairBuffer, reward_clips, score_clips
from rlpriors.agents.preferences.reward_holder import RewardHolder
from rlpriors.agents.preferences.settings import PreferenceSettings, PreferenceStats
from rlpriors.agents.resume_inputs import check_inputs, plain_settings
from rlpriors.agents.seeding import update_seed
from rlpriors.agents.validation import check_type
from rlpriors.data.episodes import EpisodeStore
from rlpriors.device import resolve_device
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.ensemble import EnsembleReward
from rlpriors.rewards.preferences.losses import bradley_terry_loss

__all__ = ["PreferenceLearning"]


class PreferenceLearning(WindowAlgorithm[RewardHolder]):
    """Offline algorithm that trains a reward on labeled pairs of segments and resumes bit-equal.

    The model is that of Bradley and Terry: the probability that a segment is better is the sigmoid of the
    difference of the segments' sums of rewards (Christiano et al. 2017, arXiv 1706.03741, section 2.2.3).
    Each member of an `EnsembleReward` learns from the pairs in an order of its own.  Part of the pairs is
    held out: the weights with the lowest loss on them are kept, and the training ends when they no longer
    improve.

    Train it on its own `buffer`; afterwards `reward` is the learned reward, of arbitrary scale.  Its mean and
    standard deviation are set by `rewards.standardized`.

    Args:
        reward: reward model to train, in raw units; `preference_reward` makes one.
        data: episodes that the segments are part of.
        preferences: labeled pairs.
        optim: factory of the optimizer.
        settings: settings of the training.
        graded: episodes of graded quality, which are learned in addition (preference degree).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        device: device of the training.
        seed: random seed of batches and of the held-out pairs.

    Raises:
        TypeError: an argument is of another class.
        ValueError: the pairs are of other data, there are fewer than two decided ones, or the reward does not
            fit the data or has nothing to train.

    Example:
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode
        >>> from rlpriors.agents.preferences.fit import preference_reward
        >>> from rlpriors.preferences import OracleLabeler, collect_preferences, uniform_pairs
        >>> walk = Episode(np.arange(33.0)[:, None], np.zeros((32, 1)), np.arange(32.0), *np.zeros((2, 32)))
        >>> data = EpisodeStore.from_episodes([walk, walk])
        >>> pairs = uniform_pairs(data, 40, length=4, seed=0)
        >>> preferences = collect_preferences(OracleLabeler(), data, pairs, 4, "walk far")
        >>> algorithm = PreferenceLearning(
        ...     reward=preference_reward(data), data=data, preferences=preferences,
        ...     optim=AdamOptimizerFactory(lr=3e-3), device="cpu")
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=algorithm.buffer, batch_size=32, max_epochs=1, epoch_num_steps=100,
        ...     show_progress=False, verbose=False))
        >>> near, far = algorithm.reward.score([[1.0], [30.0]], [[0.0]] * 2, [[0.0]] * 2)
        >>> bool(far > near)
        True
    """

    best_loss: Tensor
    measured: Tensor
    waited: Tensor
    last: Tensor

    def __init__(
        self,
        *,
        reward: RewardModel,
        data: EpisodeStore,
        preferences: PreferenceSet,
        optim: OptimizerFactory,
        settings: PreferenceSettings | None = None,
        graded: GradedEpisodes | None = None,
        max_grad_norm: float | None = 1.0,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        settings = PreferenceSettings() if settings is None else settings
        check_type("settings", settings, PreferenceSettings, "write PreferenceSettings(name=value)")
        check_reward(reward, data, graded)
        used = used_pairs(preferences, data, settings.undecided)
        place = resolve_device(device)
        space = (
            data.action_space or reward.discrete_space or gym.spaces.Box(-np.inf, np.inf, (reward.act_dim,))
        )
        super().__init__(policy=RewardHolder(space, place), seed=seed)
        self.settings, self.data, self.graded = settings, data, graded
        reward.record_layout(data.obs_layout, "the data")
        self.online = reward.to(place)
        self.best = deepcopy(reward).requires_grad_(False)
        self.training_pairs, self.held_out_pairs = split_pairs(used, settings.held_out, seed)
        self.heads = nn.ModuleList()
        if graded is not None and settings.degree_weight:
            self.heads.extend(DegreeHead.of(m, graded.n_grades, seed) for m in self.members)
            self.heads.to(place)
        trained = nn.ModuleList([self.online, self.heads])
        self.optim = self._create_optimizer(trained, optim, max_grad_norm=max_grad_norm)
        self.buffer = PairBuffer(
            len(self.training_pairs.labels),
            n_members=len(self.members),
            bootstrap=settings.resample == "bootstrap",
            seed=seed,
        )
        for name, value in {
            "best_loss": torch.tensor(torch.inf),
            "measured": torch.full((3,), torch.nan),  # held-out loss, accuracy, accuracy of the best
            "waited": torch.zeros((), dtype=torch.int64),
            "last": torch.zeros(3),  # loss, accuracy and degree loss of the last batch
        }.items():
            self.register_buffer(name, value.to(place))
        self._data = inputs_fingerprint(data, preferences, graded)

    @property
    def members(self) -> tuple[RewardModel, ...]:
        """Rewards that are trained: the members of an ensemble, or the reward itself."""
        return _members(self.online)

    @property
    def reward(self) -> RewardModel:
        """Reward with the lowest loss on the held-out pairs; the last one before their first measurement."""
        return self.best if bool(self.best_loss.isfinite()) else self.online

    @property
    def stopped(self) -> bool:
        """True if the held-out pairs ended the training: further updates change nothing."""
        return int(self.waited) >= self.settings.patience

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Check that the training runs on the algorithm's own `buffer`, and continue its order.

        Raises:
            ValueError: it is another buffer.
            CheckpointError: the training was resumed, and was started with other data or labels.
        """
        self.check_resumed_data(buffer)
        self.buffer.draws = int(self.updates)
        return cast(TBuffer, self.buffer)

    def check_resumed_data(self, buffer: ReplayBuffer) -> None:
        """Check that a resumed training continues on the data and labels that it was started with.

        Raises:
            ValueError: `buffer` is not that of the algorithm.
            CheckpointError: the data or labels are others.
        """
        if buffer is not self.buffer:
            raise ValueError(
                "`buffer` must be the algorithm's own. Received another "
                f"{type(buffer).__name__}; the data are an argument of PreferenceLearning, and its training "
                "runs on `algorithm.buffer`."
            )

    def resume_inputs(self) -> dict[str, Any]:
        """Return the settings, sizes, data and labels that a resumed training must share, as plain data."""
        reward = {"reward": type(self.online).__name__, **plain_settings(self.online.settings, "reward.")}
        return {**super().resume_inputs(), **reward}

    def resume(self, state: Any) -> None:
        """Restore a `resume_state`.

        Raises:
            CheckpointError: the state is of another algorithm, of other settings, data or labels.
        """
        own = self._data
        super().resume(state)
        check_inputs({"data": self._data or own}, {"data": own})
        self._data, self._resumed = own, False

    def _update_with_batch(self, batch: Any) -> PreferenceStats:
        settings = self.settings
        # Not before the first update: untrained weights may have the lowest loss on few wrong labels.
        n = int(self.updates)
        if self.held_out_pairs is not None and n and n % settings.check_every == 0:
            self._measure()
        if self.stopped:
            self.updates += 1
        else:
            loss, self.last[:] = self._loss(batch.pairs)
            self._optimize(loss)
        loss_, accuracy, degree = self.last.tolist()
        held_loss, held_accuracy, best = self.measured.tolist()
        return PreferenceStats(
            loss=loss_,
            accuracy=accuracy,
            held_out_loss=held_loss,
            held_out_accuracy=held_accuracy,
            best_accuracy=best,
            degree_loss=degree,
        )

    def _loss(self, pairs: Int[np.ndarray, "batch members"]) -> tuple[Tensor, Tensor]:
        """Return the loss of all members, and the numbers of `last`."""
        losses, rows = [], []
        for number, member in enumerate(self.members):
            chosen = pairs[:, number]
            loss, rewards, accuracy = self._pair_loss(member, self.training_pairs, chosen)
            degree = loss.new_zeros(())
            if len(self.heads):
                rng = np.random.default_rng((update_seed(self.seed, int(self.updates)), number))
                clips, grades = cast(GradedEpisodes, self.graded).sample(len(chosen), rng)
                degree = degree_loss(
                    cast(DegreeHead, self.heads[number]),
                    member,
                    cast(GradedEpisodes, self.graded),
                    clips,
                    grades,
                )
            rows.append(torch.stack([loss.detach(), accuracy, degree.detach()]))
            penalty = self.settings.magnitude_penalty * rewards.square().mean()
            losses.append(loss + penalty + self.settings.degree_weight * degree)
        return torch.stack(losses).sum(), torch.stack(rows).mean(0)

    def _pair_loss(
        self, reward: RewardModel, pairs: PreferenceSet, chosen: Int[np.ndarray, " n"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss of pairs, the rewards of all steps and the accuracy."""
        device = self.policy.device
        clips = pairs.clips[chosen]
        rewards = reward_clips(reward, self.data, clips.reshape(-1, 2), pairs.length)
        scores = rewards.sum(1).reshape(-1, 2)
        labels = torch.from_numpy(pairs.labels[chosen].astype(np.int64)).to(device)
        confidence = torch.from_numpy(pairs.confidence[chosen].astype(np.float32)).to(device)
        loss = bradley_terry_loss(scores, labels, confidence)
        return loss, rewards, _accuracy(scores.detach(), labels)

    @torch.no_grad()
    def _measure(self) -> None:
        """Score the held-out pairs, and keep the weights if their loss fell."""
        held = cast(PreferenceSet, self.held_out_pairs)
        scores = score_clips(self.online, self.data, held.clips, held.length)
        labels = torch.from_numpy(held.labels.astype(np.int64))
        loss = bradley_terry_loss(scores, labels, torch.from_numpy(held.confidence.astype(np.float32)))
        accuracy = _accuracy(scores, labels)
        self.measured[0], self.measured[1] = loss, accuracy
        self.waited += 1
        if loss < self.best_loss.cpu():
            self.best_loss.copy_(loss)
            self.waited.zero_()
            self.measured[2] = accuracy
            self.best.load_state_dict(self.online.state_dict())


def _members(reward: nn.Module) -> tuple[RewardModel, ...]:
    return reward.members if isinstance(reward, EnsembleReward) else (cast(RewardModel, reward),)


def _accuracy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the fraction of decided pairs in the order of their labels; a tie of scores counts half."""
    decided = labels >= 0
    difference = (scores[decided, 1] - scores[decided, 0]) * (2 * labels[decided] - 1)
    return (0.5 + 0.5 * difference.sign()).mean() if len(difference) else scores.new_tensor(torch.nan)
