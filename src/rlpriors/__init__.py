"""Pretrained priors for reinforcement learning in any Gymnasium environment.

Encoders go in front of observations, rewards are learned from demonstrations, and diffusion models of
trajectories plan.  The names below load on first use; `import rlpriors` itself imports neither torch nor
Gymnasium.  Further names live in the packages.

Observations
    `EncodeObservation`          wrapper that replaces images by features of a pretrained encoder
    `VectorEncodeObservation`    the same wrapper for Gymnasium vector environments
    `TianshouEncodeObservation`  the same wrapper for Tianshou vector environments
    `PixelObservation`           wrapper that replaces observations by rendered images
    `load_encoder`               encoder by name, folder or model id
    `ImageEncoder`               image network, preprocessing and readout

Rewards
    `LearnedReward`              wrapper that replaces the reward by a learned one
    `VectorLearnedReward`        the same wrapper for Gymnasium vector environments
    `TianshouLearnedReward`      the same wrapper for Tianshou vector environments
    `load_reward`                saved reward by folder
    `RewardModel`                base class of learned rewards
    `MLPReward`                  reward network over observations and actions
    `RewardSettings`             settings of `MLPReward`
    `epic_distance`              distance between two rewards that ignores scale and shaping

Trajectories
    `EpisodeStore`               recorded episodes: windows, transitions, relabeling, files
    `Normalizer`                 affine map from raw units to network units
    `TrajectoryLayout`           layout of a trajectory window: horizon, stride, normalizers
    `TrajectoryDiffusion`        algorithm that learns the trajectory prior
    `DiffuserPolicy`             policy that plans with the prior and follows a reward
    `DiffusionIRL`               algorithm that learns a reward from demonstrations and the prior
    `DiffusionIRLSettings`       settings of `DiffusionIRL`
    `check_support`              coverage of demonstrations by the prior

Training
    `make_algorithm`             SAC, TD3, PPO or DQN for an environment's spaces
    `train_online`               online training with checkpoints and TensorBoard
    `train_offline`              training on stored data with checkpoints and TensorBoard
    `evaluate_policy`            whole episodes of a policy
    `wrapped_spaces`             spaces of any environment or vector environment, wrappers included

Sharing
    `from_pretrained`            reward, prior or encoder from a folder or from the Hugging Face hub
    `push_to_hub`                upload of a reward, prior or encoder with its model card

Packages: `wrappers`, `agents`, `rewards`, `envs`, `training`, `data`, `diffusion`, `networks`, `encoders`,
`representation`, `evaluation`, `preferences`, `spaces`.

Example:
    >>> import rlpriors
    >>> rlpriors.load_encoder("nature-cnn", weights="none", input_size=(84, 84)).output_shape
    (512,)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlpriors.agents import (
        DiffuserPolicy,
        DiffusionIRL,
        DiffusionIRLSettings,
        TrajectoryDiffusion,
        TrajectoryLayout,
        check_support,
        make_algorithm,
    )
    from rlpriors.data import EpisodeStore, Normalizer
    from rlpriors.encoders import ImageEncoder, load_encoder
    from rlpriors.evaluation import epic_distance
    from rlpriors.pretrained import from_pretrained, push_to_hub
    from rlpriors.rewards import MLPReward, RewardModel, RewardSettings, load_reward
    from rlpriors.spaces import wrapped_spaces
    from rlpriors.training.offline import train_offline
    from rlpriors.training.online import train_online
    from rlpriors.training.rollout import evaluate_policy
    from rlpriors.wrappers import (
        EncodeObservation,
        LearnedReward,
        PixelObservation,
        VectorEncodeObservation,
        VectorLearnedReward,
    )
    from rlpriors.wrappers.tianshou import TianshouEncodeObservation, TianshouLearnedReward

__version__ = version("rlpriors")

_HOMES = {
    "agents": (
        *("DiffuserPolicy", "DiffusionIRL", "DiffusionIRLSettings", "TrajectoryDiffusion"),
        *("TrajectoryLayout", "check_support", "make_algorithm"),
    ),
    "data": ("EpisodeStore", "Normalizer"),
    "encoders": ("ImageEncoder", "load_encoder"),
    "evaluation": ("epic_distance",),
    "pretrained": ("from_pretrained", "push_to_hub"),
    "rewards": ("MLPReward", "RewardModel", "RewardSettings", "load_reward"),
    "spaces": ("wrapped_spaces",),
    "training.offline": ("train_offline",),
    "training.online": ("train_online",),
    "training.rollout": ("evaluate_policy",),
    "wrappers": (
        *("EncodeObservation", "LearnedReward", "PixelObservation"),
        *("VectorEncodeObservation", "VectorLearnedReward"),
    ),
    "wrappers.tianshou": ("TianshouEncodeObservation", "TianshouLearnedReward"),
}
_MODULE_OF = {name: f"rlpriors.{home}" for home, names in _HOMES.items() for name in names}
_PACKAGES = (
    *("agents", "data", "diffusion", "encoders", "envs", "evaluation"),
    *("networks", "preferences", "representation", "rewards", "spaces", "training", "wrappers"),
)

__all__ = [
    "DiffuserPolicy",
    "DiffusionIRL",
    "DiffusionIRLSettings",
    "EncodeObservation",
    "EpisodeStore",
    "ImageEncoder",
    "LearnedReward",
    "MLPReward",
    "Normalizer",
    "PixelObservation",
    "RewardModel",
    "RewardSettings",
    "TianshouEncodeObservation",
    "TianshouLearnedReward",
    "TrajectoryDiffusion",
    "TrajectoryLayout",
    "VectorEncodeObservation",
    "VectorLearnedReward",
    "__version__",
    "check_support",
    "epic_distance",
    "evaluate_policy",
    "from_pretrained",
    "load_encoder",
    "load_reward",
    "make_algorithm",
    "push_to_hub",
    "train_offline",
    "train_online",
    "wrapped_spaces",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
        return value
    if name in _PACKAGES:
        return import_module(f"rlpriors.{name}")
    raise AttributeError(f"module 'rlpriors' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
