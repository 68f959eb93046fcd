"""What rewards made of other rewards share: how they remember their parts.

`RewardPart`    class and settings of one part, enough to build it untrained
`build_parts`   the parts, from settings as read from JSON
`check_alike`   refuses parts that judge different transitions
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rlpriors.rewards.base import RewardModel, reward_class

__all__ = ["RewardPart", "build_parts", "check_alike"]


@dataclass(frozen=True)
class RewardPart:
    """Class and settings of one part.

    Example:
        >>> from rlpriors.rewards.mlp import MLPReward, RewardSettings
        >>> RewardPart.of(MLPReward(RewardSettings(obs_dim=2, act_dim=1))).name
        'MLPReward'
    """

    name: str
    """Name of the part's class, as in `rewards.registry.REWARDS`."""

    settings: dict[str, Any]
    """Settings of the part, as plain data."""

    @classmethod
    def of(cls, model: RewardModel) -> "RewardPart":
        """The description of a model."""
        return cls(type(model).__name__, asdict(model.settings))


def build_parts(parts: Iterable[Mapping[str, Any]]) -> list[RewardModel]:
    """Untrained parts from the descriptions in a saved reward's settings.

    Raises:
        ValueError: a class is not known here; see `rewards.registry.reward_class`.
    """
    described = [RewardPart(**part) for part in parts]
    return [reward_class(part.name).from_settings(part.settings) for part in described]


def check_alike(name: str, models: Sequence[RewardModel]) -> None:
    """Refuse an empty sequence, and parts that read different transitions.

    Raises:
        TypeError: it holds something else than rewards.
        ValueError: there is no part, or two differ in `obs_dim`, `act_dim`, `obs_keys`,
            `n_actions` (where both have it) or device.
    """
    if isinstance(models, RewardModel):
        raise TypeError(
            f"`{name}` must be a sequence of rewards. Received a {type(models).__name__}; put it in a list."
        )
    for index, model in enumerate(models):
        if not isinstance(model, RewardModel):
            raise TypeError(
                f"`{name}` must hold reward models. Received {model!r} at position {index}; read saved "
                "ones by `load_reward`."
            )
    if not models:
        raise ValueError(f"`{name}` must hold at least one reward. Received none.")
    n_actions = {model.n_actions for model in models} - {None}
    seen: dict[str, list[Any]] = {
        "obs_dim": [model.obs_dim for model in models],
        "act_dim": [model.act_dim for model in models],
        "obs_keys": [model.obs_keys for model in models],
        "n_actions": sorted(n_actions, key=str),
        "device": [str(model.device) for model in models],
    }
    for what, values in seen.items():
        if any(value != values[0] for value in values):
            advice = (
                "move them with `.to`"
                if what == "device"
                else "take rewards that were learned for the same observations and actions"
            )
            raise ValueError(f"`{name}` must agree on `{what}`. Received {values}; {advice}.")
