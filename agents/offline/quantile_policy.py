"""Policy of discrete CQL, which has quantiles of each action's value.

`make_quantile_policy`  untrained policy
`N_QUANTILES`           number of quantiles of an action's value
"""

from typing import Any, cast

from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.qrdqn import QRDQNPolicy
from tianshou.utils.net.common import Net
from torch import nn

from rlpriors.agents.online.normalized_net import NormalizedNet

__all__ = ["N_QUANTILES", "make_quantile_policy"]

N_QUANTILES = 32


def make_quantile_policy(policy: DiscreteQLearningPolicy[Any]) -> QRDQNPolicy:
    """Return an untrained policy with `N_QUANTILES` quantiles of the value of each action.

    Spaces, width of the layers and normalizer are those of `policy`, an untrained one of DQN on the CPU.
    """
    model: Any = policy.model
    layers = [layer for layer in model.model.modules() if isinstance(layer, nn.Linear)]
    sizes: dict[str, Any] = {
        "state_shape": layers[0].in_features,
        "action_shape": layers[-1].out_features,
        "hidden_sizes": [layer.out_features for layer in layers[:-1]],
        "num_atoms": N_QUANTILES,
    }
    normalizer = getattr(model, "normalizer", None)
    network = Net(**sizes) if normalizer is None else NormalizedNet(normalizer, **sizes)
    return QRDQNPolicy(
        model=cast(Any, network),
        action_space=cast(Any, policy.action_space),
        observation_space=policy.observation_space,
        eps_training=0.0,
        eps_inference=0.0,
    )
