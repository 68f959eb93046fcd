"""Training of learned worlds.

`WorldModelTraining`  offline algorithm that trains a `WorldModel`
`WorldModelStats`     training statistics of one update
"""

from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from tianshou.algorithm.algorithm_base import Policy, TrainingStats
from tianshou.algorithm.optim import OptimizerFactory

from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.resume_inputs import plain_settings
from rlpriors.agents.validation import check_sizes, check_type
from rlpriors.agents.world_model.model import WorldModel
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import check_layouts
from rlpriors.device import resolve_device
from rlpriors.spaces.actions import check_action_spaces, check_actions

__all__ = ["WorldModelStats", "WorldModelTraining"]


class _ModelHolder(Policy):
    """Policy in the place of one in the training of a world; it checks the data and cannot act."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__(action_space=model.action_space, action_scaling=False, action_bound_method=None)
        self.model, self.device = model, model.device
        self.obs_keys = None if model.obs_layout is None else model.obs_layout.keys

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data have the model's observations, actions and terminations."""
        settings = self.model.settings
        check_layouts("The model", self.model.obs_layout, "the data", data.obs_layout)
        check_sizes(data, obs=settings.obs_dim, act=settings.act_dim)
        check_action_spaces("The model", self.model.action_space, "the data", data.action_space)
        check_actions("data.act", data.act, self.model.action_space, data.lengths)
        if data.terminated.any() and not settings.terminates:
            raise ValueError(
                "`data` must not terminate, since the model has no classifier of terminations. Received "
                f"{int(data.terminated.sum())} terminations; create the model by WorldModel.fit on "
                "these data."
            )

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> NoReturn:
        """Raise, because a world does not act."""
        raise NotImplementedError(
            "This training learns a world and no policy; run a policy in a WorldModelEnv."
        )


@dataclass(kw_only=True)
class WorldModelStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Sum of both losses."""
    change_loss: float
    """Squared error of the normalized change, or its negative log-likelihood."""
    end_loss: float
    """Cross-entropy of terminations; 0 without them."""


class WorldModelTraining(WindowAlgorithm[_ModelHolder]):
    """Offline algorithm that trains a `WorldModel` on the transitions of a buffer and resumes bit-equal.

    Each member draws rows of its own from the batch, with replacement.

    Args:
        model: model to train, of `WorldModel.fit`.
        optim: factory of the optimizer.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        device: device of the training, to which the model is moved.
        seed: random seed of batches.

    Raises:
        TypeError: `model` is of another class.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode
        >>> from rlpriors.data.buffers import to_buffer
        >>> act = np.random.default_rng(0).uniform(-1, 1, (500, 1))
        >>> walk = Episode(np.concatenate([[[0.0]], act.cumsum(0)]), act, *np.zeros((3, 500)))
        >>> data = EpisodeStore.from_episodes([walk], action_space=gym.spaces.Box(-1, 1, (1,)))
        >>> model = WorldModel.fit(data, hidden=(32,))
        >>> algorithm = WorldModelTraining(model=model, optim=AdamOptimizerFactory(lr=1e-2), device="cpu")
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=64, max_epochs=1, epoch_num_steps=300,
        ...     show_progress=False, verbose=False))
        >>> after = model.predict(torch.zeros(1, 1), torch.tensor([[0.5]])).mean.mean(0)
        >>> abs(after.item() - 0.5) < 0.1
        True
    """

    pad = True  # the window of the last step has the final observation in its second row

    def __init__(
        self,
        *,
        model: WorldModel,
        optim: OptimizerFactory,
        max_grad_norm: float | None = 1.0,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        check_type("model", model, WorldModel, "create one by WorldModel.fit(data)")
        super().__init__(policy=_ModelHolder(model.to(resolve_device(device))), seed=seed)
        self.settings, self.model = model.settings, model
        self.optim = self._create_optimizer(model, optim, max_grad_norm=max_grad_norm)

    @property
    def window_size(self) -> tuple[int, int]:
        """Two consecutive observations."""
        return 2, 1

    def resume_inputs(self) -> dict[str, Any]:
        """Return the settings that a resumed training must share, as plain data."""
        return {**super().resume_inputs(), **plain_settings(self.settings, "model.")}

    def _update_with_batch(self, batch: Any) -> WorldModelStats:
        window = self.window(batch)
        parts = (window.obs[:, 0], window.act[:, 0], window.obs[:, 1], window.terminated[:, 0])
        shape = (self.settings.n_members, len(window.obs))
        rows = torch.randint(shape[1], shape, generator=self.generator(), device=window.obs.device)
        change, end = self.model.error(*(part[rows] for part in parts))
        self._optimize(change + end)
        return WorldModelStats(loss=(change + end).item(), change_loss=change.item(), end_loss=end.item())
