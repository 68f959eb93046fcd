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
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.device import resolve_device
from rlpriors.encoders.record import EncoderRecord
from rlpriors.spaces.actions import space_from_json, space_to_json

__all__ = ["load_act_jepa", "save_act_jepa"]

ACT_JEPA, ENCODER = "act_jepa", "obs_encoder"  # entries of the saved configuration


def save_act_jepa(policy: ActJEPAPolicy, folder: str | Path) -> Path:
    """Save a policy as `model.safetensors` and `config.json`, for `load_act_jepa`.

    Networks, normalizers and settings are saved, without the target encoder and without current chunks.
    """
    layout = policy.obs_layout
    entry = {
        "obs_dim": policy.obs.dim,
        "obs_layout": None if layout is None else layout.to_json(),
        "action_space": space_to_json(policy.action_space),
    }
    encoder = {} if policy.obs_encoder is None else {ENCODER: policy.obs_encoder.as_dict()}
    return checkpoint.save(policy, policy.settings, folder, entries={ACT_JEPA: entry, **encoder})


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
    entry: dict[str, Any] = checkpoint.load_entry(folder, ACT_JEPA) or {}  # empty: a model of another class
    try:
        encoder = EncoderRecord.from_dict(checkpoint.load_entry(folder, ENCODER))
        layout = ObservationLayout.from_json(entry.get("obs_layout"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds a damaged ACT-JEPA policy: {error!r}.") from error
    place = resolve_device(device)

    def build(settings: dict[str, Any]) -> ActJEPAPolicy:
        space: Any = space_from_json(entry["action_space"])
        return ActJEPAPolicy(
            action_space=space,
            obs=Normalizer.identity(int(entry["obs_dim"])),
            act=Normalizer.identity(space.shape[0]),
            settings=ActJEPASettings(**settings),
            device="cpu",
        )

    policy = cast(ActJEPAPolicy, checkpoint.load(folder, {ActJEPAPolicy.__name__: build}, place)).eval()
    policy.device, policy.obs_layout, policy.obs_encoder = place, layout, encoder
    policy.reseed(0)
    return policy
