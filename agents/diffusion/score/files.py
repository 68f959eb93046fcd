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
from rlpriors.agents.policy_record import PolicyRecord
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device

__all__ = ["load_score_policy", "save_score_policy"]

SCORE = "score"  # entry of the saved configuration


def save_score_policy(policy: ScorePolicy, folder: str | Path) -> Path:
    """Save a score policy as `model.safetensors` and `config.json`, for `load_score_policy`.

    Network, normalizers and settings are saved, but no current goal and no past.
    """
    goals = policy.goals
    entries = PolicyRecord.entries(
        SCORE,
        policy,
        task_entries=None if goals is None else list(goals.entries),
        goal_key=None if goals is None else goals.key,
    )
    return checkpoint.save(policy, policy.settings, folder, entries=entries)


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
    record = PolicyRecord.load(folder, SCORE, "score policy")
    place = resolve_device(device)

    def build(settings: dict[str, Any]) -> ScorePolicy:
        space: Any = record.action_space
        return ScorePolicy(
            action_space=space,
            obs=Normalizer.identity(record.obs_dim),
            act=Normalizer.identity(space.shape[0]),
            settings=ScoreSettings(**{**settings, "sigma_range": tuple(settings["sigma_range"])}),
            task_entries=record.entry["task_entries"],
            goal_key=record.entry["goal_key"],
            device="cpu",
        )

    policy = cast(ScorePolicy, checkpoint.load(folder, {ScorePolicy.__name__: build}, place)).eval()
    policy.device, policy.obs_layout, policy.obs_encoder = place, record.layout, record.encoder
    policy.reseed(0)
    return policy
