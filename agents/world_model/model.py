"""Learned world: an ensemble that predicts next observations and ends of episodes.

`WorldModel`  networks from raw observations and actions to the next observations
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.agents.world_model.settings import Prediction, WorldHead, WorldModelSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import DiscreteActions, Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.networks.ensemble import EnsembleMLP
from rlpriors.spaces.actions import check_action_spaces, check_actions

__all__ = ["WorldModel"]

LOG_STD_RANGE = (-5.0, 1.0)
"""Smallest and largest logarithm of a predicted standard deviation, in units of the data's changes."""


class WorldModel(nn.Module):
    """Ensemble of networks that predict the change of the observation (PETS, arXiv 1805.12114).

    Inputs are the normalized observation and action; the output is the change within a step, in its own
    normalized unit.  The members have different initial weights and see the data in different orders: they
    agree near the data and differ elsewhere.  Where the data terminate, a second ensemble classifies whether
    a step ended the episode.  `rlpriors.envs.world_model_env.WorldModelEnv` makes it an environment.

    Args:
        settings: sizes of the networks.
        observation_space: space of the observations; predictions are clipped to it.
        action_space: Box or Discrete, in units of the environment.
        obs: normalizer of observations.
        change: normalizer of changes within a step.
        act: normalizer of continuous actions.
        low: lower bound of predictions.
        high: upper bound of predictions.

    Raises:
        ValueError: a size differs from `settings`.

    Example:
        >>> spaces = gym.spaces.Box(-9, 9, (3,)), gym.spaces.Box(-2, 2, (1,))
        >>> model = WorldModel(WorldModelSettings(obs_dim=3, act_dim=1), *spaces)
        >>> model.predict(torch.zeros(4, 3), torch.ones(4, 1)).mean.shape
        torch.Size([5, 4, 3])
    """

    low: Tensor
    high: Tensor
    obs_layout: ObservationLayout | None = None
    """Leaves of the Dict observations that the data were taken from; None if unknown."""

    def __init__(
        self,
        settings: WorldModelSettings,
        observation_space: gym.spaces.Box,
        action_space: gym.Space[Any],
        *,
        obs: Normalizer | None = None,
        change: Normalizer | None = None,
        act: Normalizer | None = None,
        low: Tensor | None = None,
        high: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.settings, n = settings, settings.obs_dim
        self.observation_space, self.action_space = observation_space, action_space
        self.obs = obs or Normalizer.identity(n)
        self.change = change or Normalizer.identity(n)
        self.act: Normalizer | DiscreteActions
        if settings.n_actions is None:
            self.act = act or Normalizer.identity(settings.act_dim)
        else:
            self.act = DiscreteActions(settings.n_actions, settings.action_start)
        n_act = settings.n_actions or settings.act_dim
        sizes = (self.obs.dim, self.change.dim, self.act.dim, int(np.prod(observation_space.shape)))
        if sizes != (n, n, n_act, n):
            raise ValueError(
                f"`obs`, `change`, `act` and `observation_space` must have {n}, {n}, {n_act} and {n} "
                f"entries, "
                f"as in `settings`. Received {sizes}."
            )
        for name, bound, limit in (("low", low, -torch.inf), ("high", high, torch.inf)):
            self.register_buffer(name, torch.full((n,), limit) if bound is None else bound.float().clone())
        members, hidden = settings.n_members, settings.hidden
        self.dynamics = EnsembleMLP(members, n + n_act, hidden, n * (1 + (settings.head == "gaussian")))
        self.ends = EnsembleMLP(members, 2 * n + n_act, hidden, 1) if settings.terminates else None

    @classmethod
    def fit(
        cls,
        data: EpisodeStore,
        *,
        observation_space: gym.spaces.Box | None = None,
        action_space: gym.Space[Any] | None = None,
        hidden: Sequence[int] = (128, 128),
        n_members: int = 5,
        head: WorldHead = "mse",
        range_margin: float = 0.5,
        seed: int = 0,
    ) -> "WorldModel":
        """Create an untrained model with the normalizers and the range of `data`.

        Args:
            data: episodes with vector observations; they decide whether the model predicts terminations.
            observation_space: space of the environment's observations; by default without bounds.
            action_space: action space of the environment; by default that of the data.
            hidden: widths of the hidden layers.
            n_members: number of members.
            head: "mse" or "gaussian".
            range_margin: distance by which predictions may leave the range of the data.
            seed: random seed of the initial weights.

        Raises:
            ValueError: observations are no vectors, the action space is unknown or neither Box nor Discrete,
                or the data do not fit it.
        """
        if data.obs.ndim != 2 or data.obs.dtype.kind != "f":
            raise ValueError(
                f"`data` must have vectors of real numbers as observations. Received {data.obs.dtype} of "
                f"shape {data.obs.shape[1:]}; encode images by `rlpriors.encoders.dataset`, or flatten them."
            )
        check_action_spaces("`action_space`", action_space, "`data`", data.action_space)
        space = data.action_space if action_space is None else action_space
        if not isinstance(space, gym.spaces.Box | gym.spaces.Discrete):
            raise ValueError(
                "`action_space` must be the Box or Discrete of the environment, since the data may hold some "
                f"of its actions only. Received {space}."
            )
        check_actions("data.act", data.act, space, data.lengths)
        n = data.obs.shape[1]
        given = gym.spaces.Box(-np.inf, np.inf, (n,)) if observation_space is None else observation_space
        before = data.obs_index(np.arange(data.n_steps))
        low, high = (torch.from_numpy(getattr(data.obs, name)(0)).double() for name in ("min", "max"))
        margin = range_margin * (high - low)
        bounds = (torch.from_numpy(part.reshape(-1)) for part in (given.low, given.high))
        lowest, highest = next(bounds), next(bounds)
        discrete = isinstance(space, gym.spaces.Discrete)
        settings = WorldModelSettings(
            obs_dim=n,
            act_dim=1 if discrete else int(np.prod(space.shape or (1,))),
            hidden=hidden,
            n_members=n_members,
            head=head,
            terminates=bool(data.terminated.any()),
            n_actions=int(space.n) if isinstance(space, gym.spaces.Discrete) else None,
            action_start=int(space.start) if isinstance(space, gym.spaces.Discrete) else 0,
            range_margin=range_margin,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = cls(
                settings,
                given,
                space,
                obs=Normalizer.gaussian(data.obs),
                change=Normalizer.gaussian(data.obs[before + 1].astype(np.float64) - data.obs[before]),
                act=None if isinstance(space, gym.spaces.Discrete) else _action_normalizer(space, data.act),
                low=torch.maximum(low - margin, lowest),
                high=torch.minimum(high + margin, highest),
            )
        model.obs_layout = data.obs_layout
        return model

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.low.device

    def predict(self, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]) -> Prediction:
        """Predict the next observations of raw ones, by each member, within the range of the data."""
        inputs = torch.cat([self.obs(obs), self.act(act)], -1)
        mean, std = self._changes(inputs.expand(self.settings.n_members, -1, -1))
        spread = mean.std(0, unbiased=False).square().mean(-1).sqrt()
        after = torch.clamp(obs + self.change.inverse(mean), self.low, self.high)
        return Prediction(after, std * self.change.scale, spread)

    def end_probability(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, " batch"]:
        """Compute the probability that a step terminates the episode: the mean over the members."""
        if self.ends is None:
            return torch.zeros(len(obs), device=obs.device)
        inputs = self._end_inputs(obs, act, obs_next).expand(self.settings.n_members, -1, -1)
        probability: Tensor = self.ends(inputs)[..., 0].sigmoid().mean(0)
        return probability

    def error(
        self,
        obs: Float[Tensor, "members batch obs"],
        act: Float[Tensor, "members batch act"],
        obs_next: Float[Tensor, "members batch obs"],
        terminated: Bool[Tensor, "members batch"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Compute the training losses on raw transitions of each member's own.

        The first is the squared error of the normalized change, or its negative log-likelihood; the second
        the cross-entropy of terminations, 0 without them.  Both are means over members and rows.
        """
        mean, std = self._changes(torch.cat([self.obs(obs), self.act(act)], -1))
        off = self.change(obs_next - obs) - mean
        if self.settings.head == "gaussian":
            loss = (0.5 * (off / std).square() + std.log()).mean()
        else:
            loss = off.square().mean()
        if self.ends is None:
            return loss, loss.new_zeros(())
        logits = self.ends(self._end_inputs(obs, act, obs_next))[..., 0]
        return loss, nn.functional.binary_cross_entropy_with_logits(logits, terminated.to(logits))

    def _changes(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and deviation of the normalized change."""
        out: Tensor = self.dynamics(inputs)
        if self.settings.head == "mse":
            return out, torch.zeros_like(out)
        mean, raw = out.chunk(2, -1)
        low, high = LOG_STD_RANGE
        return mean, (low + (high - low) * raw.sigmoid()).exp()

    def _end_inputs(self, obs: Tensor, act: Tensor, obs_next: Tensor) -> Tensor:
        return torch.cat([self.obs(obs), self.act(act), self.obs(obs_next)], -1)


def _action_normalizer(space: gym.spaces.Box, act: np.ndarray) -> Normalizer:
    """Return the map of the bounds of the space to -1 and 1, or of the data to mean 0 and deviation 1."""
    bounds = np.stack([space.low.reshape(-1), space.high.reshape(-1)])
    if np.isfinite(bounds).all():
        return Normalizer.limits(bounds)
    return Normalizer.gaussian(act.reshape(len(act), -1))
