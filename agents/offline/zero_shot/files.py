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
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.device import resolve_device
from rlpriors.encoders.record import EncoderRecord
from rlpriors.sharing.card import write_card
from rlpriors.sharing.download import model_folder
from rlpriors.sharing.provenance import Provenance
from rlpriors.spaces.actions import space_from_json, space_to_json

__all__ = ["load_skills", "save_skills"]

SKILLS, ENCODER = "skills", "obs_encoder"  # entries of the saved configuration


def save_skills(
    policy: SuccessorFeaturePolicy, folder: str | Path, *, provenance: Provenance | None = None
) -> Path:
    """Save a policy over skills as `model.safetensors` and `config.json`, with a model card.

    `load_skills` is the inverse.  Features, successor features, normalizer and current skill are saved, but
    no current goal.  `provenance` adds environment, data, metrics and command to the configuration and to the
    card.
    """
    layout = policy.obs_layout
    entry = {
        "obs_dim": policy.obs.dim,
        "task_entries": list(policy.goals.entries),
        "goal_key": policy.goals.key,
        "obs_layout": None if layout is None else layout.to_json(),
        "action_space": space_to_json(policy.action_space),
    }
    entries = {SKILLS: entry, **({} if provenance is None else provenance.entries())}
    if policy.obs_encoder is not None:
        entries[ENCODER] = policy.obs_encoder.as_dict()
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
    entry: dict[str, Any] = checkpoint.load_entry(folder, SKILLS) or {}  # empty: a model of another class
    try:
        encoder = EncoderRecord.from_dict(checkpoint.load_entry(folder, ENCODER))
        layout = ObservationLayout.from_json(entry.get("obs_layout"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds a damaged policy over skills: {error!r}.") from error
    place = resolve_device(device)

    def build(settings: dict[str, Any]) -> SuccessorFeaturePolicy:
        return SuccessorFeaturePolicy(
            action_space=space_from_json(entry["action_space"]),
            obs=Normalizer.identity(int(entry["obs_dim"])),
            settings=ZeroShotSettings(**{**settings, "hidden": tuple(settings["hidden"])}),
            task_entries=entry["task_entries"],
            goal_key=entry["goal_key"],
            device="cpu",
        )

    module = checkpoint.load(folder, {SuccessorFeaturePolicy.__name__: build}, place)
    policy = cast(SuccessorFeaturePolicy, module).eval()
    policy.device, policy.obs_layout, policy.obs_encoder = place, layout, encoder
    return policy
