"""Value of the states in which plans end: the discounted rewards after a window.

`TerminalValue`          network from raw observations to discounted sums of future rewards
`TerminalValueSettings`  sizes and discount of that network

`terminal_value_fit` trains it.

A window shows a few dozen steps.  Where the reward lies beyond them, all plans are equally good.  The value
of the last state adds the rewards that follow (Diffuser, arXiv 2205.09991, section 3.2, and model predictive
control with a terminal value: Lowrey et al. 2019, arXiv 1811.01848, eq. 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors import checkpoint
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.networks.base import check_at_least
from rlpriors.networks.mlp import build_mlp
from rlpriors.settings import check_fields

__all__ = ["TerminalValue", "TerminalValueSettings"]

LAYOUT = "obs_layout"  # entry of the saved configuration


@dataclass(frozen=True)
class TerminalValueSettings:
    """Sizes and discount of a `TerminalValue`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    obs_dim: int
    """Number of entries of an observation, at least 1."""
    discount: float = 0.99
    """Factor of the reward of the next environment step, in (0, 1)."""
    hidden: tuple[int, ...] = (128, 128)
    """Width of each hidden layer; () makes the value linear."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, obs_dim=self.obs_dim)
        check_at_least(1, **{f"hidden[{i}]": size for i, size in enumerate(self.hidden)})
        if not 0 < self.discount < 1:
            raise ValueError(f"`discount` must be in (0, 1). Received {self.discount}.")


class TerminalValue(nn.Module):
    """Value V(s): the discounted sum of rewards per environment step from observation s on.

    Inputs are in raw units and outputs in units of the reward; both normalizers are inside and are saved with
    the weights.

    Args:
        settings: sizes and discount.
        obs: normalizer of observations; by default the identity.
        returns: normalizer of values, with one entry; by default the identity.
        obs_layout: leaves of a Dict observation that observations consist of; None if unknown or plain.

    Raises:
        ValueError: a normalizer has another size.

    Example:
        >>> value = TerminalValue(TerminalValueSettings(obs_dim=3))
        >>> value(torch.zeros(5, 3)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        settings: TerminalValueSettings,
        obs: Normalizer | None = None,
        returns: Normalizer | None = None,
        obs_layout: ObservationLayout | None = None,
    ) -> None:
        super().__init__()
        self.settings, self.obs_layout = settings, obs_layout
        self.obs = obs or Normalizer.identity(settings.obs_dim)
        self.returns = returns or Normalizer.identity(1)
        if (self.obs.dim, self.returns.dim) != (settings.obs_dim, 1):
            raise ValueError(
                f"`obs` and `returns` must have {settings.obs_dim} entries and 1 entry. Received "
                f"{self.obs.dim} and {self.returns.dim}."
            )
        self.net = build_mlp(settings.obs_dim, settings.hidden, 1)

    @property
    def obs_dim(self) -> int:
        """Number of entries of an observation."""
        return self.settings.obs_dim

    @property
    def discount(self) -> float:
        """Factor of the reward of the next environment step."""
        return self.settings.discount

    def forward(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch"]:
        """Return the value of each raw observation."""
        return self.returns.inverse(self.normalized(obs)).squeeze(-1)

    def normalized(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch 1"]:
        """Return the values in normalized units, the units of the training loss."""
        values: Tensor = self.net(self.obs(obs))
        return values

    def save(self, folder: str | Path) -> Path:
        """Write the value to `folder` for `TerminalValue.load`."""
        entries = {} if self.obs_layout is None else {LAYOUT: self.obs_layout.to_json()}
        return checkpoint.save(self, self.settings, folder, entries=entries)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "TerminalValue":
        """Build an untrained value from settings as read from JSON."""
        return cls(TerminalValueSettings(**{**settings, "hidden": tuple(settings["hidden"])}))

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "auto") -> "TerminalValue":
        """Load a saved value, in evaluation mode and without gradients of its weights.

        Raises:
            CheckpointError: the folder or a file is missing or damaged, or holds another kind of model.
        """
        value = checkpoint.load(folder, {"TerminalValue": cls.from_settings}, device)
        assert isinstance(value, cls)  # the only class that the line above accepts
        try:
            value.obs_layout = ObservationLayout.from_json(checkpoint.load_entry(folder, LAYOUT))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{folder} holds an invalid layout of observations: {error}") from error
        return value.eval().requires_grad_(False)
