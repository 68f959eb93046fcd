"""Descriptions of the rewards that a combined reward consists of.

`RewardComponent`    class name and settings of one component
`build_components`   untrained rewards from the descriptions in a saved file
`check_compatible`   check that several rewards read the same transitions
"""

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass
from typing import Any

from rlpriors.rewards.base import RewardModel, reward_class
from rlpriors.settings import check_fields

__all__ = ["RewardComponent", "build_components", "check_compatible"]


@dataclass(frozen=True)
class RewardComponent:
    """Class name and settings of one component, enough to build it untrained.

    Example:
        >>> from rlpriors.rewards.mlp import MLPReward, RewardSettings
        >>> RewardComponent.of(MLPReward(RewardSettings(obs_dim=2, act_dim=1))).name
        'MLPReward'
    """

    name: str
    """Name of the component's class, as in `rewards.REWARDS`."""

    settings: dict[str, Any]
    """Settings of the component, as plain data."""

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of(cls, model: RewardModel) -> "RewardComponent":
        """Return the description of a model."""
        return cls(type(model).__name__, asdict(model.settings))


def build_components(descriptions: Iterable[Mapping[str, Any]]) -> list[RewardModel]:
    """Build untrained rewards from the descriptions in a saved reward's settings.

    Raises:
        ValueError: a class is not registered; see `rewards.reward_class`.
    """
    components = [RewardComponent(**description) for description in descriptions]
    return [reward_class(component.name).from_settings(component.settings) for component in components]


def check_compatible(name: str, models: Sequence[RewardModel]) -> None:
    """Check that `models` holds at least one reward and that all read the same transitions.

    Raises:
        TypeError: `models` is no sequence of rewards.
        ValueError: `models` is empty, or two rewards differ in `obs_dim`, `image_shape`, `image_high`,
            `act_dim`, `obs_keys`, `n_actions` or `action_start` (where both have Discrete actions) or device.
    """
    if isinstance(models, RewardModel) or not (isinstance(models, Iterable) and isinstance(models, Sized)):
        raise TypeError(
            f"`{name}` must be a sequence of rewards. Received a {type(models).__name__}; put it in a list."
        )
    for index, model in enumerate(models):
        if not isinstance(model, RewardModel):
            raise TypeError(
                f"`{name}` must hold reward models. Received {model!r} at position {index}; load saved "
                "rewards with `load_reward`."
            )
    if not models:
        raise ValueError(f"`{name}` must hold at least one reward. Received none.")
    discrete = {(model.n_actions, model.action_start) for model in models if model.n_actions is not None}
    attributes: dict[str, list[Any]] = {
        "obs_dim": [model.obs_dim for model in models],
        "image_shape": [model.image_shape for model in models],
        "image_high": [model.image_high for model in models],
        "act_dim": [model.act_dim for model in models],
        "obs_keys": [model.obs_keys for model in models],
        "n_actions": sorted({n for n, _ in discrete}, key=str),
        "action_start": sorted({start for _, start in discrete}),
        "device": [str(model.device) for model in models],
    }
    for attribute, values in attributes.items():
        if any(value != values[0] for value in values):
            advice = (
                "move them with `.to`"
                if attribute == "device"
                else "use rewards that were learned for the same observations and actions"
            )
            raise ValueError(f"`{name}` must agree on `{attribute}`. Received {values}; {advice}.")
