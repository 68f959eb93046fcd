"""Record of a saved policy next to its network.

`PolicyRecord`  observation size and leaves, action space and encoder of a policy
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import gymnasium as gym

from rlpriors import checkpoint
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.encoders.record import EncoderRecord
from rlpriors.spaces.actions import space_from_json, space_to_json

__all__ = ["PolicyRecord", "RecordedPolicy"]

ENCODER = "obs_encoder"  # entry of the saved configuration


@runtime_checkable
class RecordedPolicy(Protocol):
    """Policy over normalized observations."""

    obs: Normalizer
    """Normalizer of the observations."""
    action_space: gym.Space[Any]
    """Action space."""
    obs_layout: ObservationLayout | None
    """Leaves of a Dict observation; None for plain observations."""
    obs_encoder: EncoderRecord | None
    """Encoder of the images in the observations; None without images."""


class PolicyRecord(NamedTuple):
    """Contents of a saved policy's configuration besides its settings."""

    entry: Mapping[str, Any]
    """Entry of the policy as plain data; empty if the folder holds another model."""
    layout: ObservationLayout | None
    """Leaves of a Dict observation; None for plain observations."""
    encoder: EncoderRecord | None
    """Encoder of the images in the observations; None without images."""

    @property
    def obs_dim(self) -> int:
        """Number of entries in one observation."""
        return int(self.entry["obs_dim"])

    @property
    def action_space(self) -> gym.Space[Any]:
        """Action space of the policy."""
        return space_from_json(self.entry["action_space"])

    @staticmethod
    def entries(name: str, policy: RecordedPolicy, **more: Any) -> dict[str, Any]:
        """Return the entries of a configuration for `checkpoint.save`, `more` of them under `name`."""
        layout, encoder = policy.obs_layout, policy.obs_encoder
        entry = {
            "obs_dim": policy.obs.dim,
            **more,
            "obs_layout": None if layout is None else layout.to_json(),
            "action_space": space_to_json(policy.action_space),
        }
        return {name: entry, **({} if encoder is None else {ENCODER: encoder.as_dict()})}

    @classmethod
    def load(cls, folder: str | Path, name: str, kind: str) -> "PolicyRecord":
        """Read the record under `name` from a folder that should hold a policy of this kind.

        Raises:
            CheckpointError: the folder or a file is missing, or the record is damaged.
        """
        entry: dict[str, Any] = checkpoint.load_entry(folder, name) or {}
        try:
            encoder = EncoderRecord.from_dict(checkpoint.load_entry(folder, ENCODER))
            layout = ObservationLayout.from_json(entry.get("obs_layout"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{folder} holds a damaged {kind}: {error!r}.") from error
        return cls(entry, layout, encoder)
