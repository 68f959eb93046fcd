"""Model card of a saved reward.

`reward_card`  contents of the card, from the reward itself
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from rlpriors.data.normalize import Normalizer
from rlpriors.sharing.card import Card
from rlpriors.sharing.interface import count_weights, describe_actions, describe_observation, entry_rows

__all__ = ["reward_card"]

COMBINED = {"EnsembleReward", "NormalizedReward", "SumReward"}
"""Rewards that read what their components read."""
SNIPPET = """
import numpy as np

from rlpriors.rewards import load_reward

reward = load_reward("{{name}}")
obs, act = np.zeros({shape}), {act}
print(reward.score(obs, act, obs))  # the rewards of two transitions: obs, act, next obs
"""
USAGE = """
from rlpriors.envs.make import make_env
from rlpriors.wrappers import LearnedReward

env = LearnedReward(make_env({env}{arguments}), reward)
"""
ENCODED_USAGE = """
from rlpriors.envs.encoded_env import recorded_env
from rlpriors.wrappers import LearnedReward

env = LearnedReward(recorded_env({env}, "{name}"{arguments}), reward)
"""


def reward_card(reward: Any, models: Sequence[Any], space: gym.spaces.Discrete | None) -> Card:
    """Return the contents of the card that `RewardModel.save` writes.

    Args:
        reward: the `RewardModel`, whose module imports this one.
        models: the reward and all reward models inside it.
        space: space of Discrete actions that it reads; None for other actions.
    """
    layout = reward.obs_layout
    kinds = list(dict.fromkeys(type(model).__name__ for model in models))
    leaves = [model.settings for model in models if type(model).__name__ not in COMBINED]
    is_known = set(kinds) <= {*COMBINED, "MLPReward"}
    reads = {name: None for settings in leaves if is_known for name in settings.inputs}
    indices = {settings.obs_index for settings in leaves if is_known} - {None}
    action = describe_actions(space, reward.act_dim)
    sizes = (reward.obs_dim, reward.obs_dim + reward.act_dim)
    normalizers = (m for m in reward.modules() if isinstance(m, Normalizer) and m.dim in sizes)
    parts = f" of {', '.join(kinds[1:])}" if kinds[1:] else ""
    facts = {
        "class": f"`{kinds[0]}`{parts}, {count_weights(reward)} weights",
        "observation": describe_observation(
            reward.obs_dim, layout, None if reward.obs_encoder is None else reward.obs_encoder.name
        )
        if reward.image_shape is None
        else f"image of shape {reward.image_shape}, values in 0..{reward.image_high:g}",
        "action": f"not read: {action}" if reads and "act" not in reads else action,
        "units": "raw units of the environment; normalizers are inside",
        "reads": ", ".join(f"`{name}`" for name in reads),
        "reads of observations": ", ".join(f"entries {list(index)}" for index in sorted(indices)),
        "output": "one number per transition, differentiable in observation and action",
    }
    act = f"np.full((2, {reward.act_dim}), {reward.action_start})"  # the first Discrete action, or zeros
    return Card(
        "reward",
        "A reward learned from data: `(obs, act, obs_next, terminated)` to one number per transition.",
        SNIPPET.format(shape=(2, *reward.obs_shape), act=act),
        {name: fact for name, fact in facts.items() if fact},
        entries=entry_rows(next(normalizers, None), reward.obs_dim, layout),
        usage=USAGE if reward.obs_encoder is None else ENCODED_USAGE,
        tags=("reward-model", "inverse-reinforcement-learning"),
    )
