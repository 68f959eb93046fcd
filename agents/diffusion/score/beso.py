"""Training of score policies on windows with goals in hindsight.

`BESO`       offline algorithm that trains a `ScorePolicy`
`BESOStats`  training statistics of one update
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import nn

from rlpriors.agents.diffusion.score.inputs import known_actions, score_network
from rlpriors.agents.diffusion.score.policy import ScorePolicy
from rlpriors.agents.diffusion.score.samples import HistoryBatch, HistoryBuffer
from rlpriors.agents.diffusion.score.settings import ScoreSettings
from rlpriors.agents.moving_average import MovingAverageAlgorithm
from rlpriors.agents.validation import check_type
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.diffusion import ContextDenoiser
from rlpriors.types import Denoiser

__all__ = ["BESO", "BESOStats"]


@dataclass(kw_only=True)
class BESOStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Mean squared error of the preconditioned network."""


class BESO(MovingAverageAlgorithm[ScorePolicy]):
    """Offline algorithm that trains a `ScorePolicy` by score matching (arXiv 2304.02532).

    The optimizer trains a copy of the network; the policy acts with its exponential moving average.  The goal
    of a window is a later observation of its episode, and a fraction of windows has none.  The loss covers
    the current and future actions of the episode, and with predicted past actions these too (arXiv
    2505.09561).  Rewards are not read.  Training resumes bit-equal.

    Args:
        policy: policy to train.
        optim: factory of the optimizer.
        ema_decay: decay of the moving average, in [0, 1).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: random seed of batches, goals and noise.

    Raises:
        TypeError: `policy` is not a `ScorePolicy`.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), *np.zeros((3, 8)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> policy = ScorePolicy.fit(data, gym.spaces.Box(-1, 1, (1,)), device="cpu")
        >>> algorithm = BESO(policy=policy, optim=AdamOptimizerFactory())
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> info.update_step
        5
    """

    def __init__(
        self,
        *,
        policy: ScorePolicy,
        optim: OptimizerFactory,
        ema_decay: float = 0.995,
        max_grad_norm: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, ScorePolicy, "build one with `ScorePolicy.fit`")
        super().__init__(policy=policy, seed=seed)
        self.online = deepcopy(policy.model).requires_grad_(True)
        self._start_training(optim, ema_decay=ema_decay, max_grad_norm=max_grad_norm)

    @property
    def averaged(self) -> nn.Module:
        """Network of the policy."""
        return self.policy.model

    @property
    def settings(self) -> ScoreSettings:
        """Settings of the policy, which a resumed training shares."""
        return self.policy.settings

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Index windows and goals of the buffer's episodes, once before training.

        Raises:
            TypeError: `buffer` is a store or something else; `to_buffer` converts a store.
            ValueError: observations or actions do not fit the policy.
            CheckpointError: the training was resumed, and was started with other data.
        """
        store = self._store(cast(ReplayBuffer, buffer))
        self.policy.check_data(store)
        self._set_data(store_fingerprint(store))
        settings = self.settings
        windows = HistoryBuffer(store, settings.history, settings.horizon, settings.goal_gamma, self.seed)
        windows.draws = int(self.updates)
        return cast(TBuffer, windows)

    def _update_with_batch(self, batch: Any) -> BESOStats:
        policy, settings, generator = self.policy, self.settings, self.generator()
        rows = HistoryBatch(*(batch[name].to(policy.device) for name in HistoryBatch._fields))
        inputs = policy.window(rows.obs, rows.act, rows.valid)
        denoiser = cast(Denoiser, self.online)
        if policy.goals is not None:
            goal = policy.goal_context(policy.obs(rows.goal))
            model = cast(ContextDenoiser, self.online)
            denoiser = model.given(goal, dropout=settings.goal_dropout, generator=generator)
        loss = policy.edm.loss(
            score_network(inputs, settings, denoiser),
            inputs.act,
            sigma=policy.edm.draw_sigma(len(inputs.act), generator),
            noise=torch.randn(inputs.act.shape, generator=generator, device=policy.device),
            condition=known_actions(inputs, settings),
            weight=inputs.valid[..., None].float(),
        )
        self._optimize(loss)
        return BESOStats(loss=loss.item())
