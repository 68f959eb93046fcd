"""Model card of a trajectory prior.

`prior_card`  contents of the card that `save_prior` writes
"""

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.sharing.card import Card
from rlpriors.sharing.interface import count_weights, describe_actions, describe_observation, entry_rows

__all__ = ["prior_card"]

SUMMARY = """A diffusion model of trajectories: it samples behavior that is possible in its environment.  With
a reward, which scores how desired a step is, it plans (Diffuser, arXiv 2205.09991)."""
SNIPPET = """
import numpy as np

from rlpriors.agents import load_prior

policy = load_prior("{{name}}")
windows = policy.plan(np.zeros((1, {obs_dim}), np.float32))  # from this observation, without a reward
obs, act = policy.layout.unpack(windows)
print(obs.shape, act.shape)  # [batch, time steps, entries]
"""
USAGE = """
from rlpriors.envs.make import make_env

env = make_env({env}{arguments})
load_prior("{name}", action_space=env.action_space)  # checks that the actions are the prior's
"""


def prior_card(policy: DiffuserPolicy) -> Card:
    """Return the contents of a prior's card: network, windows, observations and actions."""
    layout, process = policy.layout, policy.process
    encoder = None if policy.obs_encoder is None else policy.obs_encoder.name
    steps = layout.horizon * layout.stride
    return Card(
        "prior",
        " ".join(SUMMARY.split()),
        SNIPPET.format(obs_dim=layout.obs_dim),
        {
            "class": f"`{type(policy.denoiser).__name__}`, {count_weights(policy.denoiser)} weights",
            "window": f"{layout.horizon} time steps, {layout.stride} environment steps each: {steps} steps",
            "observation": describe_observation(layout.obs_dim, policy.obs_layout, encoder),
            "action": describe_actions(policy.action_space, layout.act_dim),
            "units": "raw units of the environment; normalizers are inside",
            "terminations": "windows continue in an absorbing state"
            if layout.absorbing
            else "windows end with them",
            "execution": f"the first {policy.execution_horizon} time steps of a plan",
            "diffusion": f"{process.schedule.num_train_timesteps} steps, predicts {process.prediction_type}",
        },
        entries=entry_rows(layout.obs, layout.obs_dim, policy.obs_layout),
        usage=USAGE,
        tags=("diffusion", "planning", "offline-rl"),
    )
