"""Observations as policies read them: Dict leaves in the order of the policy's data.

`ObservationReader`  mixin of policies that records the leaves of their data
`select_leaves`      leaves of Dict observations in a recorded order
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tianshou.data import Batch

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout, check_layouts
from rlpriors.data.observations import select_observation
from rlpriors.encoders.record import EncoderRecord

__all__ = ["ObservationReader", "select_leaves"]


class ObservationReader:
    """Mixin of policies that records which leaves of Dict observations they read, in which order.

    Example:
        >>> reader = ObservationReader()
        >>> reader.set_layout(("position", "goal"), recorded=None)
        >>> reader.obs_keys
        ('position', 'goal')
    """

    obs_layout: ObservationLayout | None = None
    """Leaves of the observations that the policy was fitted to; None if unknown or plain."""
    obs_encoder: EncoderRecord | None = None
    """Encoder whose features the policy reads; None without images, or if unknown."""

    @property
    def obs_keys(self) -> tuple[str, ...] | None:
        """Leaves of Dict observations that the policy reads, in order; None if unknown or plain."""
        return None if self.obs_layout is None else self.obs_layout.keys

    def set_layout(self, obs_keys: Sequence[str] | None, recorded: ObservationLayout | None) -> None:
        """Set the leaves: the argument `obs_keys`, which must agree with those recorded with the data.

        Raises:
            ValueError: `obs_keys` are other leaves, or the same leaves in another order.
        """
        chosen = None if obs_keys is None else ObservationLayout(tuple(obs_keys))
        self.obs_layout = check_layouts(
            "A policy with these `obs_keys`", chosen, "the data that it was fitted to", recorded
        )

    def record_layout(self, data: EpisodeStore) -> None:
        """Check the leaves of training data; a policy without recorded leaves records these.

        Raises:
            ValueError: the data have other leaves, or the same leaves in another order.
        """
        self.obs_layout = check_layouts("The policy", self.obs_layout, "the data", data.obs_layout)


def select_leaves(obs: Any, layout: ObservationLayout | None) -> Any:
    """Return the leaves of a batch of Dict observations in the order of `layout`.

    Other observations are returned unchanged: they are vectors of leaves that were selected earlier.

    Raises:
        ValueError: the observations have other leaves or shapes than `layout`, or several leaves and
            `layout` is None.
    """
    if isinstance(obs, Batch):
        obs = obs.to_dict()
    if not isinstance(obs, Mapping):
        return obs
    keys = None if layout is None else layout.keys
    received = ObservationLayout.of(obs, keys, batch_dims=1)
    check_layouts("The policy", layout, "the environment", received)
    if layout is None and received is not None and len(received.keys) > 1:
        raise ValueError(
            f"`obs_keys` must give the order of the observation leaves {received}, because the policy's data "
            "recorded none. Received None; set the `obs_keys` that its data were loaded with."
        )
    return np.asarray(select_observation(obs, keys, batch_dims=1))
