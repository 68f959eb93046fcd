"""Demonstrations in the form of an algorithm's replay buffer.

`demonstrated_buffer`  checked demonstrations, with actions in units of the policy
"""

from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import ReplayBuffer

from rlpriors.agents.online.action_units import to_policy_units
from rlpriors.agents.validation import check_actions_of
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.episodes import EpisodeStore

__all__ = ["demonstrated_buffer"]


def demonstrated_buffer(
    demonstrations: EpisodeStore | ReplayBuffer, policy: Policy
) -> tuple[EpisodeStore, ReplayBuffer]:
    """Return demonstrations as a store in raw units, and as a buffer in units of the policy's actions.

    Raises:
        ValueError: observations or actions are not of the policy's spaces.
    """
    store = demonstrations if isinstance(demonstrations, EpisodeStore) else from_buffer(demonstrations)
    spaces = {"obs": policy.observation_space, "act": policy.action_space}
    for name, space in spaces.items():
        shape = getattr(store, name).shape[1:]
        if space is not None and space.shape != shape:
            kind = "observations" if name == "obs" else "actions"
            raise ValueError(
                f"`demonstrations` must have {kind} of shape {space.shape}, the policy's. Received {shape}; "
                "give them in the form that the agent's environment uses."
            )
    check_actions_of("demonstrations", store, policy.action_space)
    buffer = to_buffer(store)
    buffer.act[:] = to_policy_units(policy, store.act)
    return store, buffer
