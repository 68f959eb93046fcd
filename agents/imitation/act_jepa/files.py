"""Files of ACT-JEPA policies.

`save_act_jepa`  policy to a folder
`load_act_jepa`  policy from such a folder
"""

from pathlib import Path
from typing import Any, cast

import torch

from rlpriors import checkpoint
from rlpriors.agents.imitation.act_jepa.policy import ActJEPAPolicy
from rlpriors.agents.imitation.act_jepa.settings import ActJEPASettings
from rlpriors.agents.policy_record import PolicyRecord
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device

__all__ = ["load_act_jepa", "save_act_jepa"]

ACT_JEPA = "act_jepa"  # entry of the saved configuration


def save_act_jepa(policy: ActJEPAPolicy, folder: str | Path) -> Path:
    """Save a policy as `model.safetensors` and `config.json`, for `load_act_jepa`.

    Networks, normalizers and settings are saved, without the target encoder and without current chunks.
    """
    return checkpoint.save(policy, policy.settings, folder, entries=PolicyRecord.entries(ACT_JEPA, policy))


def load_act_jepa(folder: str | Path, *, device: str | torch.device = "auto") -> ActJEPAPolicy:
    """Load a policy that `save_act_jepa` saved.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds something else.

    Example:
        >>> from tempfile import mkdtemp
        >>> import gymnasium as gym
        >>> policy = ActJEPAPolicy(
        ...     action_space=gym.spaces.Box(-1, 1, (1,)), obs=Normalizer.identity(2),
        ...     act=Normalizer.identity(1), settings=ActJEPASettings(width=8), device="cpu")
        >>> load_act_jepa(save_act_jepa(policy, mkdtemp()), device="cpu").settings.width
        8
    """
    record = PolicyRecord.load(folder, ACT_JEPA, "ACT-JEPA policy")
    place = resolve_device(device)

    def build(settings: dict[str, Any]) -> ActJEPAPolicy:
        space: Any = record.action_space
        return ActJEPAPolicy(
            action_space=space,
            obs=Normalizer.identity(record.obs_dim),
            act=Normalizer.identity(space.shape[0]),
            settings=ActJEPASettings(**settings),
            device="cpu",
        )

    policy = cast(ActJEPAPolicy, checkpoint.load(folder, {ActJEPAPolicy.__name__: build}, place)).eval()
    policy.device, policy.obs_layout, policy.obs_encoder = place, record.layout, record.encoder
    policy.reseed(0)
    return policy
