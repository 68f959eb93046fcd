"""Registry and loader of saved rewards.

`REWARDS`           the reward models of this library by the name in saved files
`reward_class`      lookup of a class by name, entry points of other packages included
`check_registered`  check that a class can be loaded again
`load_reward`       loader of a saved reward model

Another package joins with an entry point in the group `rlpriors.rewards`: the name is that of a
`RewardModel` subclass, the value its import path.  A script adds its own class to `REWARDS` before it
saves and before it loads.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from rlpriors import checkpoint
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.device import resolve_device
from rlpriors.encoders.record import EncoderRecord
from rlpriors.rewards.base import (
    ENCODER,
    LAYOUT,
    REWARDS,
    RewardModel,
    check_registered,
    registered_names,
    reward_class,
)
from rlpriors.rewards.baselines.mean_difference import MeanDifferenceReward
from rlpriors.rewards.baselines.nearest_expert import NearestExpertReward
from rlpriors.rewards.baselines.support import SupportReward
from rlpriors.rewards.clipped import ClippedReward
from rlpriors.rewards.discriminators import AIRLReward, GAILReward
from rlpriors.rewards.drail import DRAILReward
from rlpriors.rewards.ensemble import EnsembleReward
from rlpriors.rewards.exploration.disagreement import DisagreementReward
from rlpriors.rewards.exploration.elliptical import EllipticalBonus
from rlpriors.rewards.mlp import MLPReward
from rlpriors.rewards.normalized import NormalizedReward
from rlpriors.rewards.pixels import PixelReward
from rlpriors.rewards.shaping import ShapedReward
from rlpriors.rewards.sum import SumReward
from rlpriors.sharing.download import model_folder

__all__ = ["REWARDS", "check_registered", "load_reward", "reward_class"]

REWARDS.update(
    {
        "AIRLReward": AIRLReward,
        "ClippedReward": ClippedReward,
        "DRAILReward": DRAILReward,
        "DisagreementReward": DisagreementReward,
        "EllipticalBonus": EllipticalBonus,
        "EnsembleReward": EnsembleReward,
        "GAILReward": GAILReward,
        "MLPReward": MLPReward,
        "MeanDifferenceReward": MeanDifferenceReward,
        "NearestExpertReward": NearestExpertReward,
        "NormalizedReward": NormalizedReward,
        "PixelReward": PixelReward,
        "ShapedReward": ShapedReward,
        "SumReward": SumReward,
        "SupportReward": SupportReward,
    }
)


def load_reward(folder: str | Path, device: str | torch.device = "auto") -> RewardModel:
    """Load the reward that `RewardModel.save` wrote, in evaluation mode.

    `folder` may be "hf:<owner>/<name>", a repository of the Hugging Face hub; see `model_folder`.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds another kind of model.
        ValueError: the device does not exist on this machine.

    Example:
        >>> from tempfile import mkdtemp
        >>> from rlpriors.rewards.mlp import MLPReward, RewardSettings
        >>> folder = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(mkdtemp())
        >>> load_reward(folder, device="cpu").obs_dim
        3
    """
    folder, names = model_folder(folder), registered_names()
    # A class is looked up only when its name occurs, so that other packages are imported only if needed.
    module = checkpoint.load(folder, {name: _builder(name) for name in names}, resolve_device(device))
    if not isinstance(module, RewardModel):
        raise CheckpointError(f"{folder} must hold a RewardModel. Received a {type(module).__name__}.")
    try:  # a reward saved by an earlier version has recorded none
        module.record_layout(ObservationLayout.from_json(checkpoint.load_entry(folder, LAYOUT)), str(folder))
        module.record_encoder(EncoderRecord.from_dict(checkpoint.load_entry(folder, ENCODER)))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds an invalid layout of observations: {error}") from error
    return module.eval()


def _builder(name: str) -> Callable[[Mapping[str, Any]], RewardModel]:
    return lambda settings: reward_class(name).from_settings(settings)
