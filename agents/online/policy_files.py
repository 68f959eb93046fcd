"""Files of policies that an online or offline algorithm trained.

`save_policy`  weights and settings of a policy to a folder
`load_policy`  policy from such a folder
"""

from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.modelfree.ddpg import ContinuousDeterministicPolicy
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.qrdqn import QRDQNPolicy
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy, ProbabilisticActorPolicy
from tianshou.algorithm.modelfree.sac import SACPolicy

from rlpriors import checkpoint
from rlpriors.agents.offline.quantile_policy import make_quantile_policy
from rlpriors.agents.online.factory import make_algorithm
from rlpriors.agents.online.settings import AlgorithmSettings
from rlpriors.device import resolve_device

__all__ = ["load_policy", "save_policy"]

_POLICY_CLASSES = (
    SACPolicy,
    ContinuousDeterministicPolicy,
    ProbabilisticActorPolicy,
    DiscreteActorPolicy,
    DiscreteQLearningPolicy,
)


def save_policy(policy: Policy, settings: AlgorithmSettings, folder: str | Path) -> Path:
    """Save an algorithm's policy as `model.safetensors` and `config.json`, for `load_policy`.

    The files contain the policy only.  Checkpoints contain critics and optimizers, for resuming.
    """
    return checkpoint.save(policy, settings, folder)


def load_policy(
    folder: str | Path,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    *,
    device: str | torch.device = "auto",
) -> Policy:
    """Load a policy that `save_policy` saved, ready for a collector in these spaces.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or does not fit the spaces.

    Example:
        >>> from tempfile import mkdtemp
        >>> env, settings = gym.make("CartPole-v1"), AlgorithmSettings("dqn", hidden=(8,))
        >>> spaces = env.observation_space, env.action_space
        >>> folder = save_policy(make_algorithm(*spaces, settings, device="cpu").policy, settings, mkdtemp())
        >>> type(load_policy(folder, *spaces, device="cpu")).__name__
        'DiscreteQLearningPolicy'
    """

    def build(settings: dict[str, Any]) -> Policy:
        hidden = tuple(settings.pop("hidden"))
        algorithm = make_algorithm(
            observation_space, action_space, AlgorithmSettings(**settings, hidden=hidden), device="cpu"
        )
        return cast(Policy, algorithm.policy)

    def build_quantiles(settings: dict[str, Any]) -> Policy:
        return make_quantile_policy(cast(Any, build(settings)))

    classes = {policy_class.__name__: build for policy_class in _POLICY_CLASSES}
    classes[QRDQNPolicy.__name__] = build_quantiles
    return cast(Policy, checkpoint.load(folder, classes, resolve_device(device)).eval())
