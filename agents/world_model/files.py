"""Files of learned worlds.

`save_world_model`  world to a folder
`load_world_model`  world from such a folder
"""

from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import torch

from rlpriors import checkpoint
from rlpriors.agents.world_model.model import WorldModel
from rlpriors.agents.world_model.settings import WorldModelSettings
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.device import resolve_device
from rlpriors.spaces.actions import space_from_json, space_to_json

__all__ = ["load_world_model", "save_world_model"]

WORLD = "world"  # entry of the saved configuration


def save_world_model(model: WorldModel, folder: str | Path) -> Path:
    """Save a world as `model.safetensors` and `config.json`, for `load_world_model`; return the folder."""
    layout = model.obs_layout
    entry = {
        "observation_space": space_to_json(model.observation_space),
        "action_space": space_to_json(model.action_space),
        "obs_layout": None if layout is None else layout.to_json(),
    }
    return checkpoint.save(model, model.settings, folder, entries={WORLD: entry})


def load_world_model(folder: str | Path, *, device: str | torch.device = "auto") -> WorldModel:
    """Load a world that `save_world_model` saved.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds something else.

    Example:
        >>> from tempfile import mkdtemp
        >>> spaces = gym.spaces.Box(-9, 9, (3,)), gym.spaces.Discrete(2)
        >>> model = WorldModel(WorldModelSettings(obs_dim=3, act_dim=1, n_actions=2), *spaces)
        >>> load_world_model(save_world_model(model, mkdtemp()), device="cpu").action_space
        Discrete(2)
    """
    entry: dict[str, Any] = checkpoint.load_entry(folder, WORLD) or {}  # empty: a model of another class
    try:
        layout = ObservationLayout.from_json(entry.get("obs_layout"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds a damaged world: {error!r}.") from error

    def build(settings: dict[str, Any]) -> WorldModel:
        spaces = space_from_json(entry["observation_space"]), space_from_json(entry["action_space"])
        return WorldModel(WorldModelSettings(**settings), cast(gym.spaces.Box, spaces[0]), spaces[1])

    module = checkpoint.load(folder, {WorldModel.__name__: build}, resolve_device(device))
    model = cast(WorldModel, module).eval()
    model.obs_layout = layout
    return model
