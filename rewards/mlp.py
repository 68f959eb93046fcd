"""Reward networks over single transitions: r(s), r(s, a) or r(s, a, s').

`MLPReward`       a small multi-layer perceptron that contains its normalizers
`RewardSettings`  settings of `MLPReward`
`RewardInput`     names of the inputs: "obs", "act", "obs_next"
`obs_normalizer`  normalizer of observations inside a reward
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from rlpriors.arguments import check_arguments
from rlpriors.data.normalize import Normalizer, action_index
from rlpriors.networks.base import check_at_least, check_widths
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import RewardModel, lists_to_tuples
from rlpriors.settings import check_fields

__all__ = ["MLPReward", "RewardInput", "RewardSettings", "obs_normalizer"]

RewardInput = Literal["obs", "act", "obs_next"]


@dataclass(frozen=True)
class RewardSettings:
    """Inputs and size of an `MLPReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    obs_dim: int
    """Number of entries in one observation, at least 1."""

    act_dim: int
    """Number of entries in one action, at least 1; a Discrete action has one."""

    inputs: tuple[RewardInput, ...] = ("obs",)
    """Inputs of the network: ("obs",) for r(s), ("obs", "act") for r(s, a), all three for r(s, a, s').
    A reward with fewer inputs transfers better to other dynamics (AIRL, arXiv 1710.11248)."""

    obs_index: tuple[int, ...] | None = None
    """Indices of the observation entries that the network reads; None for all."""

    n_actions: int | None = None
    """Size of a Discrete(n_actions) space, whose actions are encoded one-hot; None for vector actions."""

    action_start: int = field(default=0, kw_only=True)
    """Lowest action of the Discrete space, its `start`."""

    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers; () makes the reward linear."""

    obs_keys: tuple[str, ...] | None = None
    """Leaves of a Dict observation that `obs` consists of; None for plain observations."""

    spectral_norm: bool = False
    """Spectral normalization: division of each layer's weight by its largest singular value (Miyato et
    al. 2018, arXiv 1802.05957).  The slope of the reward in normalized units is then at most 1.1, the
    slope of SiLU, to the power of the number of hidden layers.  The singular value is computed at each
    call: slower (1 ms for 64 x 64), but also correct for averaged weights.  Such a reward cannot be
    pickled."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, obs_dim=self.obs_dim, act_dim=self.act_dim)
        names = get_args(RewardInput)
        if not self.inputs or len(set(self.inputs)) < len(self.inputs) or not set(self.inputs) <= set(names):
            raise ValueError(f"`inputs` must be some of {names}, each once. Received {self.inputs}.")
        if self.obs_index is not None:
            in_bounds = all(0 <= i < self.obs_dim for i in self.obs_index)
            if not self.obs_index or not in_bounds or len(set(self.obs_index)) < len(self.obs_index):
                raise ValueError(
                    f"`obs_index` must hold indices between 0 and {self.obs_dim - 1}, each once. "
                    f"Received {self.obs_index}."
                )
        if self.n_actions is not None and (self.n_actions < 1 or self.act_dim != 1):
            raise ValueError(
                "`n_actions` must be at least 1 and requires `act_dim` 1, the action's index. Received "
                f"n_actions={self.n_actions}, act_dim={self.act_dim}."
            )
        if self.action_start and self.n_actions is None:
            raise ValueError(
                f"`action_start` must be 0 without `n_actions`. Received {self.action_start}; set "
                "`n_actions` for Discrete actions."
            )
        check_widths(hidden=self.hidden)
        if self.obs_keys is not None and not self.obs_keys:
            raise ValueError("`obs_keys` must name at least one leaf, or be None. Received ().")


class MLPReward(RewardModel):
    """Multi-layer perceptron over the normalized inputs that `settings.inputs` names.

    `normalizer` covers one step [obs, act] of `obs_dim + act_dim` entries (the normalizer of a
    trajectory model of these windows), or the observation alone; by default inputs stay in raw units.
    It is saved with the weights.

    With `settings.n_actions`, `act` is the index [batch, 1] of a Discrete action or its one-hot row
    [batch, n_actions], in which the reward has a gradient.

    `forward` is `from_features` of `features`, so that a loss can take a gradient penalty in
    normalized units, in which all entries have the same scale.

    Raises:
        ValueError: the normalizer has another size.

    Example:
        >>> model = MLPReward(RewardSettings(obs_dim=3, act_dim=1, inputs=("obs", "act"), obs_index=(0, 1)))
        >>> model.features(torch.ones(5, 3), torch.zeros(5, 1), torch.ones(5, 3)).shape
        torch.Size([5, 3])
        >>> end = torch.zeros(5, dtype=torch.bool)
        >>> model(torch.ones(5, 3), torch.zeros(5, 1), torch.ones(5, 3), end).shape
        torch.Size([5])
    """

    settings: RewardSettings
    index: Tensor | None

    @check_arguments
    def __init__(self, settings: RewardSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.obs_dim, self.act_dim, self.obs_keys = settings.obs_dim, settings.act_dim, settings.obs_keys
        self.n_actions, self.action_start = settings.n_actions, settings.action_start
        self.reads_one_hot = settings.n_actions is not None
        self.obs_normalizer, self.act_normalizer = _split(normalizer, self.obs_dim, self.act_dim)
        index = None if settings.obs_index is None else torch.tensor(settings.obs_index)
        # The settings already hold the index; saving it too would let both disagree.
        self.register_buffer("index", index, persistent=False)
        n_obs = self.obs_dim if settings.obs_index is None else len(settings.obs_index)
        sizes = {"obs": n_obs, "act": settings.n_actions or self.act_dim, "obs_next": n_obs}
        self.feature_dim = sum(sizes[name] for name in settings.inputs)
        self.net = build_mlp(self.feature_dim, settings.hidden, 1)
        if settings.spectral_norm:
            for layer in self.net:
                if isinstance(layer, nn.Linear):
                    register_parametrization(layer, "weight", _SpectralNorm())
        self.to(self.obs_normalizer.loc.device)  # a policy may have moved a shared normalizer before

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "MLPReward":
        return cls(RewardSettings(**lists_to_tuples(settings)))

    def features(
        self,
        obs: Float[Tensor, "*batch obs"],
        act: Float[Tensor, "*batch act"],
        obs_next: Float[Tensor, "*batch obs"],
    ) -> Float[Tensor, "*batch features"]:
        """Return the normalized inputs of the network, in the order of `settings.inputs`."""
        values = {"obs": obs, "act": act, "obs_next": obs_next}
        inputs = [
            self._act_features(values[name]) if name == "act" else self._obs_features(values[name])
            for name in self.settings.inputs
        ]
        return torch.cat(inputs, -1)

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return the rewards of what `features` returned."""
        rewards: Tensor = self.net(features)
        return rewards.squeeze(-1)

    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the reward of each transition; `terminated` is not read."""
        return self.from_features(self.features(obs, act, obs_next))

    def _obs_features(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch features"]:
        normalized: Tensor = self.obs_normalizer(obs)
        return normalized if self.index is None else normalized[..., self.index]

    def _act_features(self, act: Float[Tensor, "*batch act"]) -> Float[Tensor, "*batch features"]:
        if self.settings.n_actions is None:
            normalized: Tensor = self.act_normalizer(act)
            return normalized
        n_actions = self.settings.n_actions
        if act.shape[-1] == n_actions and n_actions > 1:  # a single column is the index
            return act
        index = action_index(act, n_actions, self.settings.action_start)
        return nn.functional.one_hot(index, n_actions).to(act.dtype)


class _SpectralNorm(nn.Module):
    # torch's version updates the singular value by power iteration in training mode only.  A moving average
    # of weights, which is never trained, would keep the value of its first weights, and a reward would
    # depend on the number of earlier calls.
    def forward(self, weight: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
        # Not `matrix_norm`, whose last digit depends on whether a gradient is computed.
        _, values, _ = torch.linalg.svd(weight, full_matrices=False)
        normed: Tensor = weight / values[0].clamp(min=1e-12)
        return normed


def _split(normalizer: Normalizer | None, obs_dim: int, act_dim: int) -> tuple[Normalizer, Normalizer]:
    if normalizer is None:
        return Normalizer.identity(obs_dim), Normalizer.identity(act_dim)
    if normalizer.dim not in (obs_dim, obs_dim + act_dim):
        raise ValueError(
            f"`normalizer` must cover an observation of {obs_dim} entries, or an observation and an action "
            f"({obs_dim + act_dim}). Received one of {normalizer.dim}; see `Normalizer.concat`."
        )
    loc, scale = normalizer.loc, normalizer.scale
    obs_normalizer = Normalizer(loc[:obs_dim], scale[:obs_dim])
    if normalizer.dim == obs_dim:
        return obs_normalizer, Normalizer.identity(act_dim)
    return obs_normalizer, Normalizer(loc[obs_dim:], scale[obs_dim:])


def obs_normalizer(reward: RewardModel) -> Normalizer | None:
    """Return the normalizer of observations inside a reward, such as the first term of a sum.

    It is None if the reward has none.

    Example:
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> reward = MLPReward(RewardSettings(obs_dim=3, act_dim=1))
        >>> obs_normalizer(2 * reward).dim
        3
    """
    networks = (part for part in reward.modules() if isinstance(part, MLPReward))
    first = next(networks, None)
    return None if first is None else first.obs_normalizer
