"""Model card of a policy over skills.

`skills_card`  contents of the card that `save_skills` writes
"""

from rlpriors.agents.offline.zero_shot.policy import SuccessorFeaturePolicy
from rlpriors.sharing.card import Card
from rlpriors.sharing.interface import count_weights, describe_actions, describe_observation, entry_rows

__all__ = ["skills_card"]

SUMMARY = """A policy over skills, learned from data without rewards.  It reaches goals, and follows
rewards or demonstrations without further training (successor features, arXiv 1812.07626)."""
SNIPPET = """
import numpy as np

from rlpriors.agents import load_skills

policy = load_skills("{{name}}")
obs = np.zeros((1, {obs_dim}), np.float32)
skill = policy.infer_z(goal=np.zeros({n_entries}))  # or reward=..., data=...
print(policy.act_by(obs, skill[None].cpu().numpy()))
"""
USAGE = """
from rlpriors.envs.make import make_env

env = make_env({env}{arguments})
policy.reach(np.zeros(len(policy.goals.entries)))  # `policy` then acts as any policy of Tianshou
"""


def skills_card(policy: SuccessorFeaturePolicy) -> Card:
    """Return the contents of a card: features, skills, observations, goals and actions."""
    encoder = None if policy.obs_encoder is None else policy.obs_encoder.name
    entries, settings = policy.goals.entries, policy.settings
    every = len(entries) == policy.obs.dim
    return Card(
        "skills",
        " ".join(SUMMARY.split()),
        SNIPPET.format(obs_dim=policy.obs.dim, n_entries=len(entries)),
        {
            "class": f"`{type(policy).__name__}`, {count_weights(policy)} weights",
            "features": f"`{settings.features}`",
            "skill": f"vector of {policy.skill_dim} entries",
            "observation": describe_observation(policy.obs.dim, policy.obs_layout, encoder),
            "goal": "an observation" if every else f"entries {list(entries)} of an observation",
            "action": describe_actions(policy.action_space, policy.codes.dim),
            "units": "raw units of the environment; the normalizer is inside",
            "discount": f"{settings.gamma:g}",
        },
        entries=entry_rows(policy.obs, policy.obs.dim, policy.obs_layout),
        usage=USAGE,
        tags=("zero-shot", "offline-rl", "goal-conditioned"),
    )
