"""Files of flow policies.

`save_flow_policy`  flow policy or fast planner to a folder
`load_flow_policy`  policy from such a folder
"""

from pathlib import Path
from typing import Any, cast

import torch

from rlpriors import checkpoint
from rlpriors.agents.diffusion.fast.fast_planner import FastPlannerPolicy
from rlpriors.agents.diffusion.fast.flow_policy import FlowPolicy
from rlpriors.agents.policy_record import PolicyRecord
from rlpriors.agents.validation import check_type
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device

__all__ = ["load_flow_policy", "save_flow_policy"]

POLICY = "flow_policy"  # entry of the saved configuration
CLASSES: tuple[type[FlowPolicy], ...] = (FlowPolicy, FastPlannerPolicy)


def save_flow_policy(policy: FlowPolicy, folder: str | Path) -> Path:
    """Save a flow policy or a fast planner as `model.safetensors` and `config.json`, for `load_flow_policy`.

    Networks, normalizers, settings, action space, observation leaves and the record of the encoder are saved.

    Raises:
        ValueError: a weight is NaN or infinite; nothing is written.
    """
    check_type("policy", policy, CLASSES, "save other policies by rlpriors.checkpoint")
    return checkpoint.save(policy, policy.settings, folder, entries=PolicyRecord.entries(POLICY, policy))


def load_flow_policy(folder: str | Path, *, device: str | torch.device = "auto", seed: int = 0) -> FlowPolicy:
    """Load a policy that `save_flow_policy` saved; a fast planner is a `FastPlannerPolicy` again.

    Args:
        folder: folder of the policy.
        device: device of the policy.
        seed: random seed of the policy's noise.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds something else.

    Example:
        >>> from tempfile import mkdtemp
        >>> import gymnasium as gym
        >>> policy = FlowPolicy(
        ...     action_space=gym.spaces.Box(-1, 1, (2,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(2), device="cpu")
        >>> load_flow_policy(save_flow_policy(policy, mkdtemp()), device="cpu").settings == policy.settings
        True
    """
    record = PolicyRecord.load(folder, POLICY, "flow policy")
    place = resolve_device(device)

    def build(kind: type[FlowPolicy], settings: dict[str, Any]) -> FlowPolicy:
        space = record.action_space
        arguments: dict[str, Any] = {k: tuple(x) if isinstance(x, list) else x for k, x in settings.items()}
        return kind(
            action_space=space,
            obs=Normalizer.identity(record.obs_dim),
            act=Normalizer.identity(int(space.shape[0]) if space.shape else 1),
            settings=kind.settings_type(**arguments),
            device="cpu",
        )

    builders = {kind.__name__: lambda settings, kind=kind: build(kind, settings) for kind in CLASSES}
    policy = cast(FlowPolicy, checkpoint.load(folder, builders, place)).eval()
    policy.device, policy.obs_layout, policy.obs_encoder = place, record.layout, record.encoder
    policy.reseed(seed)
    return policy
