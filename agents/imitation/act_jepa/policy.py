"""Policy of ACT-JEPA: action chunks by learned queries to the tokens of an observation.

`ActJEPAPolicy`  policy that executes chunks, or the weighted mean of overlapping chunks

`training` trains it on demonstrations, and on observations without actions.
"""

from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.data import Batch
from tianshou.data.types import ActStateBatchProtocol, ObsBatchProtocol
from tianshou.utils.torch_utils import torch_train_mode
from torch import Tensor

from rlpriors.agents.diffusion.fast.chunk_policy import ChunkPolicy
from rlpriors.agents.imitation.act_jepa.networks import ActJEPANetwork
from rlpriors.agents.imitation.act_jepa.settings import ActJEPASettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import check_layouts

__all__ = ["ActJEPAPolicy"]


class ActJEPAPolicy(ChunkPolicy):
    """Policy of action chunks with the networks of ACT-JEPA (Vujinovic & Kovacevic 2025, arXiv 2501.14622).

    Without a latent loss it is ACT (Zhao et al. 2023, arXiv 2304.13705) without the variational style
    variable.  Observations are vectors: states, or features of a frozen encoder.  Chunks are the policy's
    state, one row per environment, which a collector clears when an episode ends.  Dropout is off in actions.

    Args:
        action_space: a Box with one axis, to which actions are clipped.
        obs: normalizer of observations.
        act: normalizer of actions.
        settings: settings of chunks, losses and networks; None for the defaults.
        seed: random seed of the initial weights.
        arguments: further arguments of `ChunkPolicy`: `obs_keys`, `device`, `observation_space`.

    Raises:
        ValueError: the action space is no Box, or has another number of entries than `act`.

    Example:
        >>> policy = ActJEPAPolicy(
        ...     action_space=gym.spaces.Box(-1, 1, (2,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(2), settings=ActJEPASettings(width=8), device="cpu")
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 2)
    """

    settings: ActJEPASettings

    def __init__(
        self,
        *,
        action_space: gym.Space[Any],
        obs: Normalizer,
        act: Normalizer,
        settings: ActJEPASettings | None = None,
        seed: int = 0,
        **arguments: Any,
    ) -> None:
        settings = ActJEPASettings() if settings is None else settings
        super().__init__(
            action_space=action_space, obs=obs, act=act, settings=settings, seed=seed, **arguments
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = ActJEPANetwork(obs.dim, act.dim, settings)
        self.to(self.device)

    @classmethod
    def fit(
        cls,
        data: EpisodeStore,
        action_space: gym.Space[Any],
        *,
        action_free: EpisodeStore | None = None,
        **arguments: Any,
    ) -> "ActJEPAPolicy":
        """Create an untrained policy with the normalizers of `data`; `arguments` go to the class.

        Args:
            data: demonstrations.
            action_space: action space of the environment.
            action_free: episodes whose actions are not read; observations are normalized over both.
            arguments: arguments of the class.

        Raises:
            ValueError: observations are images, `action_free` has other observations than `data`, or the
                action space is no Box.
        """
        if not isinstance(action_space, gym.spaces.Box):
            raise ValueError(
                f"`action_space` must be a Box: chunks are continuous actions. Received {action_space}; "
                "clone Discrete actions by `BehaviorCloning`."
            )
        stores = [data] if action_free is None else [data, action_free]
        for name, store in zip(("data", "action_free"), stores, strict=False):
            if store.obs.ndim > 2:
                raise ValueError(
                    f"`{name}` must have vectors for observations. Received shape {store.obs.shape[1:]}; "
                    "encode images once, by `rlpriors encode` or `encode_dataset`."
                )
            if store.obs.shape[1:] != data.obs.shape[1:]:
                raise ValueError(
                    f"`{name}` must have observations of shape {data.obs.shape[1:]}, as `data`. Received "
                    f"{store.obs.shape[1:]}; load both with the same `obs_keys`."
                )
            check_layouts("`data`", data.obs_layout, f"`{name}`", store.obs_layout)
        obs = np.concatenate([store.obs.reshape(len(store.obs), -1) for store in stores])
        policy = cls(
            action_space=action_space,
            obs=Normalizer.gaussian(obs),
            act=Normalizer.limits(data.act.reshape(len(data.act), -1)),
            **arguments,
        )
        policy.record_layout(data)
        return policy

    @torch.no_grad()
    def chunk(self, obs: Any) -> Float[Tensor, "batch horizon act"]:
        """Return a chunk of raw actions for each row of raw observations: an array, tensor or batch."""
        with torch_train_mode(self.network, enabled=False):
            normalized = self.network.decoder(self.network.encoder(self.obs(self.read(obs))))
        return self.clip(self.act.inverse(normalized))

    @torch.no_grad()
    def features(self, obs: Any) -> Float[Tensor, "batch width"]:
        """Return the mean token of each row of raw observations, for probes."""
        with torch_train_mode(self.network, enabled=False):
            tokens: Tensor = self.network.encoder(self.obs(self.read(obs)))
        return tokens.mean(1)

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Batch | np.ndarray | None = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """Return the next action of each environment.

        `state` is the state that the last call returned, or None at the beginning of episodes.  With temporal
        ensembling (arXiv 2304.13705, section IV.A) it has the weighted sums of actions for the next steps
        (`sums` [batch, horizon, act]) and their numbers (`counts` [batch, horizon]).
        """
        decay = self.settings.ensemble_decay
        if decay is None:
            return super().forward(batch, state, **kwargs)
        chunk = self.chunk(batch.obs).cpu().numpy()
        if state is None:
            sums, counts = np.zeros_like(chunk), np.zeros(chunk.shape[:2], np.int64)
        else:
            held = Batch(state)
            sums, counts = np.array(held.sums), np.array(held.counts)
        weights = np.exp(-decay * np.arange(self.settings.horizon), dtype=np.float32)
        sums += weights[counts][..., None] * chunk
        counts += 1
        act = sums[:, 0] / weights.cumsum()[counts[:, :1] - 1]
        sums, counts = np.roll(sums, -1, 1), np.roll(counts, -1, 1)
        sums[:, -1], counts[:, -1] = 0, 0
        return cast(ActStateBatchProtocol, Batch(act=act, state=Batch(sums=sums, counts=counts)))
