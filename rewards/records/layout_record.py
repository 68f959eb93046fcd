"""Record of the observations that a reward was learned from.

`LayoutRecord`  mixin of reward models: leaves of a Dict observation, in order, with their shapes, and the
                encoder of images
`select_keys`   leaves that a reward reads from the observations of a space
"""

from collections.abc import Sequence
from typing import Any, cast

from torch import nn

from rlpriors.data.observation_layout import ObservationLayout, check_layouts
from rlpriors.encoders.record import EncoderRecord

__all__ = ["LayoutRecord", "select_keys"]


class LayoutRecord(nn.Module):
    """Mixin that records the leaves of a Dict observation that `obs` consists of.

    Example:
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> reward = MLPReward(RewardSettings(obs_dim=3, act_dim=1, obs_keys=("position", "goal")))
        >>> reward.obs_layout.keys
        ('position', 'goal')
    """

    obs_dim: int
    """Number of entries in one observation."""
    image_shape: tuple[int, ...] | None = None
    """Shape of one observation for a reward that reads images; None for vectors."""
    image_high: float | None = None
    """Pixel value of full brightness in these images, 1 or 255; None for vectors."""
    obs_keys: tuple[str, ...] | None
    """Leaves of a Dict observation that `obs` consists of, in this order; None for plain observations."""
    obs_shapes: tuple[tuple[int, ...], ...] | None = None
    """Shape of each of these leaves; None if unknown."""
    obs_encoder: EncoderRecord | None = None
    """Encoder whose features `obs` contains; None without images, or if unknown."""

    @property
    def obs_shape(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return (self.obs_dim,) if self.image_shape is None else self.image_shape

    @property
    def obs_layout(self) -> ObservationLayout | None:
        """Leaves of a Dict observation that `obs` consists of, with their shapes; None if not recorded."""
        return None if self.obs_keys is None else ObservationLayout(tuple(self.obs_keys), self.obs_shapes)

    def record_layout(self, layout: ObservationLayout | None, source: str = "its data") -> None:
        """Record the leaves that `obs` consists of, or check them against those already recorded.

        The training algorithms call it with the layout of their data.  Rewards inside this one record
        it too, and `save` writes it.  None, an unknown layout, changes nothing.

        Raises:
            ValueError: other leaves, or the same leaves in another order, were recorded before.
        """
        known = check_layouts("`reward`", self.obs_layout, source, layout)
        if known is None:
            return
        known.check_shape("reward", self.obs_shape)
        for module in self.modules():
            if isinstance(module, LayoutRecord):
                module.obs_keys, module.obs_shapes = known.keys, known.shapes

    def record_encoder(self, record: EncoderRecord | None) -> None:
        """Record the encoder whose features `obs` contains, or check it against the one already recorded.

        Rewards inside this one record it too, `save` writes it, and wrappers refuse environments with
        another encoder.  None, an unknown encoder, changes nothing.

        Raises:
            ValueError: another encoder was recorded before.
        """
        if record is None:
            return
        if self.obs_encoder is not None:
            self.obs_encoder.check(record.fingerprint, "`reward`")
        for module in self.modules():
            if isinstance(module, LayoutRecord):
                module.obs_encoder = record


def select_keys(
    reward: object, obs: Any, obs_keys: Sequence[str] | None = None, batch_dims: int = 0
) -> tuple[str, ...] | None:
    """Return the leaves that `reward` reads from a Dict observation or Dict space, in order.

    For other observations and spaces these are `obs_keys`.  Otherwise they are `obs_keys` if given, else
    those that the reward recorded.  A function, or a reward without record, reads the only leaf; a function
    also reads several leaves, sorted by path.

    Raises:
        ValueError: the reward recorded other leaves than `obs_keys`, or other shapes than those of `obs`,
            or a reward without record would have to guess the order of several leaves.
    """
    layout = ObservationLayout.of(obs, obs_keys, batch_dims)
    if layout is None:
        return None if obs_keys is None else tuple(obs_keys)
    recorded = reward.obs_layout if isinstance(reward, LayoutRecord) else None
    if obs_keys is None and recorded is not None:
        obs_keys = recorded.keys
        layout = cast(ObservationLayout, ObservationLayout.of(obs, obs_keys, batch_dims))
    check_layouts(f"The {type(reward).__name__}", recorded, "the environment", layout)
    if isinstance(reward, LayoutRecord) and obs_keys is None and len(layout.keys) > 1:
        raise ValueError(
            f"`obs_keys` must give the order of the observation leaves {layout}, because the "
            f"{type(reward).__name__} has recorded none. Received None; set the `obs_keys` that its "
            "training data were loaded with, or record them once by "
            "`reward.record_layout(ObservationLayout(keys))` and save it."
        )
    return None if obs_keys is None else tuple(obs_keys)
