"""Files of zero-shot policies.

`save_skills`  policy over skills to a folder
`load_skills`  policy over skills from such a folder
"""

from pathlib import Path
from typing import Any, cast

import torch

from rlpriors import checkpoint
from rlpriors.agents.offline.zero_shot.policy import SuccessorFeaturePolicy
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings
from rlpriors.agents.offline.zero_shot.skills_card import skills_card
from rlpriors.agents.policy_record import PolicyRecord
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.sharing.card import write_card
from rlpriors.sharing.download import model_folder
from rlpriors.sharing.provenance import Provenance

__all__ = ["load_skills", "save_skills"]

SKILLS = "skills"  # entry of the saved configuration


def save_skills(
    policy: SuccessorFeaturePolicy, folder: str | Path, *, provenance: Provenance | None = None
) -> Path:
    """Save a policy over skills as `model.safetensors` and `config.json`, with a model card.

    `load_skills` is the inverse.  Features, successor features, normalizer and current skill are saved, but
    no current goal.  `provenance` adds environment, data, metrics and command to the configuration and to the
    card.
    """
    goals = policy.goals
    entries = PolicyRecord.entries(SKILLS, policy, task_entries=list(goals.entries), goal_key=goals.key)
    entries |= {} if provenance is None else provenance.entries()
    folder = checkpoint.save(policy, policy.settings, folder, entries=entries)
    write_card(folder, skills_card(policy))
    return folder


def load_skills(folder: str | Path, *, device: str | torch.device = "auto") -> SuccessorFeaturePolicy:
    """Load a policy over skills that `save_skills` saved, from a folder or from "hf:<owner>/<name>".

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds something else.

    Example:
        >>> from tempfile import mkdtemp
        >>> import gymnasium as gym
        >>> small = ZeroShotSettings(dim=4, hidden=(8,))
        >>> policy = SuccessorFeaturePolicy(
        ...     action_space=gym.spaces.Discrete(3), obs=Normalizer.identity(2), settings=small, device="cpu")
        >>> load_skills(save_skills(policy, mkdtemp()), device="cpu").settings == small
        True
    """
    folder = model_folder(folder)
    record = PolicyRecord.load(folder, SKILLS, "policy over skills")
    place = resolve_device(device)

    def build(settings: dict[str, Any]) -> SuccessorFeaturePolicy:
        return SuccessorFeaturePolicy(
            action_space=record.action_space,
            obs=Normalizer.identity(record.obs_dim),
            settings=ZeroShotSettings(**{**settings, "hidden": tuple(settings["hidden"])}),
            task_entries=record.entry["task_entries"],
            goal_key=record.entry["goal_key"],
            device="cpu",
        )

    module = checkpoint.load(folder, {SuccessorFeaturePolicy.__name__: build}, place)
    policy = cast(SuccessorFeaturePolicy, module).eval()
    policy.device, policy.obs_layout, policy.obs_encoder = place, record.layout, record.encoder
    return policy
