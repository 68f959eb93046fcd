"""Files of score policies.

`save_score_policy`  score policy to a folder
`load_score_policy`  score policy from such a folder
"""

from pathlib import Path
from typing import Any, cast

import torch

from rlpriors import checkpoint
from rlpriors.agents.diffusion.score.policy import ScorePolicy
from rlpriors.agents.diffusion.score.settings import ScoreSettings
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.device import resolve_device
from rlpriors.encoders.record import EncoderRecord
from rlpriors.spaces.actions import space_from_json, space_to_json

__all__ = ["load_score_policy", "save_score_policy"]

SCORE, ENCODER = "score", "obs_encoder"  # entries of the saved configuration


def save_score_policy(policy: ScorePolicy, folder: str | Path) -> Path:
    """Save a score policy as `model.safetensors` and `config.json`, for `load_score_policy`.

    Network, normalizers and settings are saved, but no current goal and no past.
    """
    layout, goals = policy.obs_layout, policy.goals
    entry = {
        "obs_dim": policy.obs.dim,
        "task_entries": None if goals is None else list(goals.entries),
        "goal_key": None if goals is None else goals.key,
        "obs_layout": None if layout is None else layout.to_json(),
        "action_space": space_to_json(policy.action_space),
    }
    encoder = {} if policy.obs_encoder is None else {ENCODER: policy.obs_encoder.as_dict()}
    return checkpoint.save(policy, policy.settings, folder, entries={SCORE: entry, **encoder})


def load_score_policy(folder: str | Path, *, device: str | torch.device = "auto") -> ScorePolicy:
    """Load a score policy that `save_score_policy` saved.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds something else.

    Example:
        >>> from tempfile import mkdtemp
        >>> import gymnasium as gym
        >>> policy = ScorePolicy(
        ...     action_space=gym.spaces.Box(-1, 1, (1,)), obs=Normalizer.identity(2),
        ...     act=Normalizer.identity(1), settings=ScoreSettings(width=8), device="cpu")
        >>> load_score_policy(save_score_policy(policy, mkdtemp()), device="cpu").settings.width
        8
    """
    entry: dict[str, Any] = checkpoint.load_entry(folder, SCORE) or {}  # empty: a model of another class
    try:
        encoder = EncoderRecord.from_dict(checkpoint.load_entry(folder, ENCODER))
        layout = ObservationLayout.from_json(entry.get("obs_layout"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds a damaged score policy: {error!r}.") from error
    place = resolve_device(device)

    def build(settings: dict[str, Any]) -> ScorePolicy:
        space: Any = space_from_json(entry["action_space"])
        return ScorePolicy(
            action_space=space,
            obs=Normalizer.identity(int(entry["obs_dim"])),
            act=Normalizer.identity(space.shape[0]),
            settings=ScoreSettings(**{**settings, "sigma_range": tuple(settings["sigma_range"])}),
            task_entries=entry["task_entries"],
            goal_key=entry["goal_key"],
            device="cpu",
        )

    policy = cast(ScorePolicy, checkpoint.load(folder, {ScorePolicy.__name__: build}, place)).eval()
    policy.device, policy.obs_layout, policy.obs_encoder = place, layout, encoder
    policy.reseed(0)
    return policy
