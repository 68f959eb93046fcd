"""Base class and class table of reward models.

`RewardModel`       base class of reward models: scores transitions in raw units, saves and adds up
`REWARDS`           reward classes by the name in saved files, filled by `rewards.registry`
`reward_class`      lookup of a class by name, entry points included
`registered_names`  names that `reward_class` accepts
`check_registered`  check that a class can be loaded again
`lists_to_tuples`   conversion of settings that were read from JSON
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from numbers import Real
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy.typing import ArrayLike
from torch import Tensor

from rlpriors import checkpoint
from rlpriors.arguments import as_number_array
from rlpriors.data.validation import as_flags
from rlpriors.device import limit_forked_threads
from rlpriors.rewards.records.layout_record import LayoutRecord
from rlpriors.rewards.records.reward_card import reward_card
from rlpriors.rewards.validation import check_rows
from rlpriors.sharing.card import Card, write_card
from rlpriors.sharing.provenance import Provenance

__all__ = [
    "REWARDS",
    "RewardModel",
    "check_registered",
    "lists_to_tuples",
    "registered_names",
    "reward_class",
]

GROUP = "rlpriors.rewards"
LAYOUT, ENCODER = "obs_layout", "obs_encoder"  # entries of a saved reward's configuration

REWARDS: "dict[str, type[RewardModel]]" = {}
"""Reward model classes by their name in saved files; `rewards.registry` fills the table."""


def lists_to_tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings read from JSON with each list converted to a tuple."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


class RewardModel(LayoutRecord, ABC):
    """Base class of learned rewards: `model(obs, act, obs_next, terminated)` returns one number per row.

    Inputs are in raw units, as in the environment and in stored data.  The model contains any
    normalization that it needs.  One model therefore serves in three places: in a wrapper during
    rollouts, in a replay buffer, and over a stored data set.

    A subclass implements `forward` and `from_settings` and sets the attributes below.  `load_reward`
    finds a class in `rewards.REWARDS` or in the entry point group `rlpriors.rewards` of an installed
    package.

    Rewards add up: `a + 2 * b`, `-a`, `a - b`, `a / 3` and `a + 0.5` are rewards too, see
    `rewards.sum.SumReward`.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class HeightSettings:
        ...     obs_dim: int
        ...     act_dim: int
        >>> class Height(RewardModel):
        ...     def __init__(self, settings):
        ...         super().__init__()
        ...         self.settings = settings
        ...         self.obs_dim, self.act_dim, self.obs_keys = settings.obs_dim, settings.act_dim, None
        ...
        ...     @classmethod
        ...     def from_settings(cls, settings):
        ...         return cls(HeightSettings(**settings))
        ...
        ...     def forward(self, obs, act, obs_next, terminated):
        ...         return obs_next[:, 0]
        >>> Height(HeightSettings(2, 1)).score([[0.0, 0.0]], [[1.0]], [[0.5, 3.0]])
        array([0.5], dtype=float32)
    """

    act_dim: int
    """Number of entries in one action; a Discrete action has one."""
    n_actions: int | None = None
    """Size of the Discrete space for a reward that reads such actions only, else None."""
    action_start: int = 0
    """Lowest action of this Discrete space."""
    reads_one_hot: bool = False
    """True if `forward` also takes Discrete actions as rows of `n_actions` numbers, one-hot or in between,
    and has a gradient in them; guidance of planned actions requires it."""
    settings: Any
    """Dataclass of plain data from which `from_settings` rebuilds the model."""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "RewardModel":
        """Build an untrained model from the settings of a saved model, as read from JSON."""

    @abstractmethod
    def forward(
        self,
        obs: Float[Tensor, "batch *obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch *obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the reward of each transition, differentiable in `obs`, `act` and `obs_next`."""

    @property
    def discrete_space(self) -> gym.spaces.Discrete | None:
        """Space of the Discrete actions that the reward reads, else None."""
        n, start = self.n_actions, self.action_start
        return None if n is None else gym.spaces.Discrete(n, start=start)

    @property
    def device(self) -> torch.device:
        """Device of the model's weights; the CPU for a model without weights."""
        for tensor in (*self.parameters(), *self.buffers()):
            return tensor.device
        return torch.device("cpu")

    def score(
        self, obs: ArrayLike, act: ArrayLike, obs_next: ArrayLike, terminated: ArrayLike | None = None
    ) -> Float32[np.ndarray, " batch"]:
        """Score numpy data without a gradient, on the model's device.

        `obs` and `obs_next` are [batch, obs_dim], or images [batch, *image_shape].  `act` is
        [batch, act_dim] or, for Discrete actions, also [batch].  `terminated` is [batch] and False
        everywhere by default.

        Raises:
            ValueError: an array has another rank or size, or an array or a reward is NaN or infinite.
        """
        limit_forked_threads()
        rows_obs = check_rows("obs", obs, self.obs_shape)
        act = as_number_array("act", act)
        columns = act[:, None] if self.n_actions and act.ndim == 1 else act
        rows_act = check_rows("act", columns, (self.act_dim,))
        rows_next = check_rows("obs_next", obs_next, self.obs_shape)
        batch = len(rows_obs)
        ends = np.zeros(batch, np.bool_) if terminated is None else as_flags("terminated", terminated)
        shapes = {"act": rows_act.shape[:1], "obs_next": rows_next.shape[:1], "terminated": ends.shape}
        for name, shape in shapes.items():
            if shape != (batch,):
                raise ValueError(
                    f"`{name}` must have one row for each of the {batch} rows of `obs`. Received {shape}."
                )
        arrays = (rows_obs, rows_act, rows_next, ends)
        with torch.no_grad():
            rewards: Tensor = self(*(torch.as_tensor(array, device=self.device) for array in arrays))
        scores = rewards.float().cpu().numpy()
        bad = ~np.isfinite(scores)
        if bad.any():
            raise ValueError(
                f"`obs`, `act` and `obs_next` must have finite rewards, but {int(bad.sum())} of {batch} rows "
                f"have not. Received {scores[bad][0]} in row {int(bad.argmax())}; the reward's training "
                "diverged, or the row lies far outside of its training data."
            )
        return scores

    def card(self) -> Card:
        """Return the contents of the model card that `save` writes; a subclass may add facts."""
        models = [module for module in self.modules() if isinstance(module, RewardModel)]
        return reward_card(self, models, self.discrete_space)

    def save(self, folder: str | Path, *, provenance: Provenance | None = None) -> Path:
        """Write the model to `folder` for `load_reward`, with a model card.

        `provenance` adds environment, data, metrics and command to the configuration and to the card.

        Raises:
            ValueError: the class is not registered, so that the file could not be loaded, or a weight is
                NaN or infinite; nothing is written then.
        """
        for module in self.modules():
            if isinstance(module, RewardModel):
                check_registered(type(module))
        for name, tensor in self.state_dict().items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise ValueError(
                    f"The weights of a saved reward must be finite. Received NaN or infinity in {name!r}; "
                    "the training diverged: use an earlier checkpoint, or train with a smaller learning rate."
                )
        entries = {} if provenance is None else provenance.entries()
        if self.obs_layout is not None:
            entries[LAYOUT] = self.obs_layout.to_json()
        if self.obs_encoder is not None:
            entries[ENCODER] = self.obs_encoder.as_dict()
        folder = checkpoint.save(self, self.settings, folder, entries=entries)
        write_card(folder, self.card())
        return folder

    def __add__(self, other: object) -> "RewardModel":
        return _add(self, 1.0, other, 1.0)

    __radd__ = __add__

    def __sub__(self, other: object) -> "RewardModel":
        return _add(self, 1.0, other, -1.0)

    def __rsub__(self, other: object) -> "RewardModel":
        return _add(self, -1.0, other, 1.0)

    def __neg__(self) -> "RewardModel":
        return _add(self, -1.0, 0.0, 1.0)

    def __mul__(self, factor: object) -> "RewardModel":
        return _add(self, float(factor), 0.0, 1.0) if isinstance(factor, Real) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: object) -> "RewardModel":
        if not isinstance(divisor, Real):
            return NotImplemented
        if divisor == 0:
            raise ZeroDivisionError("A reward cannot be divided by 0.")
        return _add(self, 1 / float(divisor), 0.0, 1.0)

    def _set_layout(self, models: Sequence["RewardModel"]) -> None:
        """Set the observation and action layout to that of `models`, which agree on it."""
        first = models[0]
        self.obs_dim, self.act_dim = first.obs_dim, first.act_dim
        self.image_shape, self.image_high = first.image_shape, first.image_high
        known = next((model for model in models if model.obs_shapes is not None), first)
        self.obs_keys, self.obs_shapes = known.obs_keys, known.obs_shapes
        discrete = next((model for model in models if model.n_actions is not None), first)
        self.n_actions, self.action_start = discrete.n_actions, discrete.action_start
        self.reads_one_hot = any(model.reads_one_hot for model in models)
        for model in models:
            self.record_encoder(model.obs_encoder)

    def _actions_for(self, model: "RewardModel", act: Float[Tensor, "batch act"]) -> Tensor:
        """Return the actions of this combined reward as `model`, one of its components, reads them."""
        if model.reads_one_hot or act.shape[-1] == model.act_dim:
            return act
        return (act.argmax(-1, keepdim=True) + self.action_start).to(act.dtype)


def _add(a: RewardModel, weight_a: float, b: object, weight_b: float) -> RewardModel:
    sum_reward: Callable[..., RewardModel] = REWARDS["SumReward"]  # added by `rewards.registry`
    if isinstance(b, RewardModel):
        return sum_reward([a, b], [weight_a, weight_b])
    return sum_reward([a], [weight_a], weight_b * float(b)) if isinstance(b, Real) else NotImplemented


def reward_class(name: str) -> type[RewardModel]:
    """Return the class that `name` denotes in a saved reward's configuration.

    Raises:
        ValueError: neither `REWARDS` nor an installed package's entry point has this name.
        TypeError: the entry point of another package is no `RewardModel` class.
    """
    if name in REWARDS:
        return REWARDS[name]
    entries = _entry_points()
    if name not in entries:
        raise ValueError(
            f"`name` must be one of {registered_names()}. Received {name!r}; install the package "
            f"that provides it (entry point group {GROUP!r})."
        )
    loaded = entries[name].load()
    if not (isinstance(loaded, type) and issubclass(loaded, RewardModel)):
        raise TypeError(
            f"Entry point {name!r} of {GROUP!r} must be a RewardModel class. Received {loaded!r}."
        )
    return loaded


def check_registered(kind: type[RewardModel]) -> None:
    """Check that `load_reward` finds the class by its name.

    Raises:
        ValueError: the name is neither in `REWARDS` nor among the entry points, or denotes another class.
    """
    name = kind.__name__
    if name in REWARDS:
        if REWARDS[name] is not kind:
            raise ValueError(
                f"The class name of a saved reward must be unique. Received a {name} of {kind.__module__}, "
                f"but {REWARDS[name].__module__} registered another class of that name; rename yours."
            )
    elif name not in _entry_points():
        raise ValueError(
            f"The class of a saved reward must be registered. Received a {name}; set "
            f'`rewards.REWARDS["{name}"] = {name}` before saving and before loading, or provide an entry '
            f"point in the group {GROUP!r}."
        )


def registered_names() -> list[str]:
    """Return the sorted class names of `REWARDS` and of the entry points."""
    return sorted({*REWARDS, *_entry_points()})


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
