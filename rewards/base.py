"""What every learned reward is.

`RewardModel`  a module that judges transitions in raw units, and can be saved and loaded
`with_tuples`  settings as read from JSON, which has lists only, with tuples in their place
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy.typing import ArrayLike
from torch import Tensor, nn

from rlpriors import checkpoint

__all__ = ["REWARDS", "RewardModel", "check_registered", "registered_names", "reward_class", "with_tuples"]

GROUP = "rlpriors.rewards"

REWARDS: "dict[str, type[RewardModel]]" = {}
"""Reward model classes by the name that stands in saved files; `rewards.registry` fills it."""


def with_tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings that went through JSON their tuples back."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


class RewardModel(nn.Module, ABC):
    """A learned reward: `model(obs, act, obs_next, terminated)` gives one number for each row.

    Inputs are in raw units, exactly as the environment and the stored data hold them; whatever
    normalization the model needs is part of it.  That makes one model serve at all three doors:
    in a wrapper while acting, in a replay buffer, and over a stored data set.

    A subclass implements `forward` and `from_settings` and sets the attributes below.  To be
    found by `load_reward` it stands in `rewards.registry.REWARDS`, or in the entry point group
    `rlpriors.rewards` of the package that brings it.

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

    obs_dim: int
    """Numbers in one observation."""
    act_dim: int
    """Numbers in one action; a Discrete action is one number."""
    obs_keys: tuple[str, ...] | None
    """Leaves of a Dict observation that make up `obs`, in this order; None for plain observations."""
    n_actions: int | None = None
    """For a reward that reads actions of Discrete(n_actions) only: 0, 1, ..., n_actions - 1."""
    settings: Any
    """The dataclass that `from_settings` rebuilds the model from; plain data only."""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "RewardModel":
        """Build an untrained model from the settings of a saved one, as read from JSON."""

    @abstractmethod
    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Judge each transition.  Differentiable in `obs`, `act` and `obs_next`."""

    @property
    def device(self) -> torch.device:
        """Where the model's weights lie; the CPU for a model without any."""
        for tensor in (*self.parameters(), *self.buffers()):
            return tensor.device
        return torch.device("cpu")

    def score(
        self, obs: ArrayLike, act: ArrayLike, obs_next: ArrayLike, terminated: ArrayLike | None = None
    ) -> Float32[np.ndarray, " batch"]:
        """Judge numpy data without a gradient, on the model's device.

        `obs` and `obs_next` are [batch, obs_dim], `act` is [batch, act_dim], `terminated` is
        [batch] and False everywhere when left out.

        Raises:
            ValueError: an array has another rank or size, or it or what the model makes of it holds
                NaN or infinity.
        """
        rows_obs = self._rows("obs", obs, self.obs_dim)
        rows_act = self._rows("act", act, self.act_dim)
        rows_next = self._rows("obs_next", obs_next, self.obs_dim)
        batch = len(rows_obs)
        ends = np.zeros(batch, np.bool_) if terminated is None else np.asarray(terminated, np.bool_)
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
                f"The reward must give finite numbers, but does not for {int(bad.sum())} of {batch} rows. "
                f"Received {scores[bad][0]} in row {int(bad.argmax())}; its training diverged, or the row "
                "lies far outside of what it was learned from."
            )
        return scores

    def save(self, folder: str | Path) -> Path:
        """Publish the model in `folder`, to be read by `load_reward`.

        Raises:
            ValueError: the class is not registered, so that nobody could load the file, or a weight is
                NaN or infinite; nothing is written then.
        """
        for module in self.modules():
            if isinstance(module, RewardModel):
                check_registered(type(module))
        for name, tensor in self.state_dict().items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise ValueError(
                    f"A reward is saved with finite weights only. Received NaN or infinity in {name!r}; its "
                    "training diverged: go back to an earlier one, or train with a smaller learning rate."
                )
        return checkpoint.save(self, self.settings, folder)

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

    def _rows(self, name: str, values: ArrayLike, dim: int) -> Float32[np.ndarray, "batch dim"]:
        rows = np.asarray(values, np.float32)
        if rows.ndim != 2:
            raise ValueError(
                f"`{name}` must be [batch, {dim}]: one row for each transition. Received shape {rows.shape}."
            )
        if rows.shape[1] != dim:
            what = "observation" if name.startswith("obs") else "action"
            raise ValueError(
                f"`{name}` must be [batch, {dim}], since this reward reads {dim} numbers of each {what}. "
                f"Received shape {rows.shape}; give the data in the form that it was learned from."
            )
        bad = ~np.isfinite(rows).all(1)
        if bad.any():
            raise ValueError(
                f"`{name}` must be finite, but {int(bad.sum())} of its {len(rows)} rows hold NaN or "
                f"infinity. Received {rows[bad][0].tolist()} in row {int(bad.argmax())}; drop or repair it."
            )
        return rows


def _add(a: RewardModel, weight_a: float, b: object, weight_b: float) -> RewardModel:
    build: Callable[..., RewardModel] = REWARDS["SumReward"]  # `rewards.registry` puts it there
    if isinstance(b, RewardModel):
        return build([a, b], [weight_a, weight_b])
    return build([a], [weight_a], weight_b * float(b)) if isinstance(b, Real) else NotImplemented


def reward_class(name: str) -> type[RewardModel]:
    """The class that `name` stands for in a saved reward's configuration.

    Raises:
        ValueError: there is no such name here, nor among the installed packages' entry points.
        TypeError: another package's entry point leads to something else than a `RewardModel`.
    """
    if name in REWARDS:
        return REWARDS[name]
    others = _entry_points()
    if name not in others:
        raise ValueError(
            f"`name` must be one of {sorted({*REWARDS, *others})}. Received {name!r}; install the package "
            f"that brings it (entry point group {GROUP!r})."
        )
    loaded = others[name].load()
    if not (isinstance(loaded, type) and issubclass(loaded, RewardModel)):
        raise TypeError(
            f"Entry point {name!r} of {GROUP!r} must be a RewardModel class. Received {loaded!r}."
        )
    return loaded


def check_registered(kind: type[RewardModel]) -> None:
    """Refuse a class that a saved file could name, but nobody find.

    Raises:
        ValueError: no class has its name here, nor among the entry points; or another class has.
    """
    name = kind.__name__
    if name in REWARDS:
        if REWARDS[name] is not kind:
            raise ValueError(
                f"The name of a saved reward's class must lead back to it. Received a {name} of "
                f"{kind.__module__}, but {REWARDS[name].__module__} has a class of that name; rename yours."
            )
    elif name not in _entry_points():
        raise ValueError(
            f"A reward is saved only if `load_reward` can find its class. Received a {name}, which is not "
            f'registered; write `rewards.REWARDS["{name}"] = {name}` here and wherever it is loaded, or '
            f"bring it by an entry point in the group {GROUP!r}."
        )


def registered_names() -> list[str]:
    """Sorted class names that `reward_class` finds here and among the entry points."""
    return sorted({*REWARDS, *_entry_points()})


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
