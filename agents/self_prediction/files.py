"""Policy of self-prediction, and its files.

`make_pixel_policy`  untrained C51 policy for frames
`save_pixel_policy`  policy to a folder
`load_pixel_policy`  policy from such a folder
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.modelfree.c51 import C51Policy

from rlpriors import checkpoint
from rlpriors.agents.self_prediction.network import PixelValueNetwork
from rlpriors.agents.self_prediction.settings import PixelValueSettings
from rlpriors.arguments import check_arguments
from rlpriors.checkpoint import CheckpointError
from rlpriors.device import resolve_device

__all__ = ["load_pixel_policy", "make_pixel_policy", "save_pixel_policy"]

SUPPORT = "support"  # entry of the saved configuration: lowest and highest return


@check_arguments
def make_pixel_policy(
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    *,
    channels_last: bool = False,
    layers: Sequence[Sequence[int]] = ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
    hidden: int = 256,
    n_atoms: int = 51,
    v_min: float = -10.0,
    v_max: float = 10.0,
    exploration: float = 0.05,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> C51Policy:
    """Create an untrained C51 policy with a `PixelValueNetwork`.

    Args:
        observation_space: Box of frames, of three axes.
        action_space: Discrete actions from 0 on.
        channels_last: True for frames [height, width, channels], False for [channels, height, width].
        layers: channels, kernel size and stride of each convolution.
        hidden: width of the hidden layer of both value heads.
        n_atoms: number of atoms of the distribution of returns.
        v_min: lowest return of the distribution.
        v_max: highest return of the distribution.
        exploration: fraction of random actions in training.
        device: device of the network.
        seed: random seed of the initial weights.

    Raises:
        ValueError: the spaces are others, or a size is out of its bounds.

    Example:
        >>> space = gym.spaces.Box(0, 255, (4, 84, 84), "uint8")
        >>> policy = make_pixel_policy(space, gym.spaces.Discrete(6), device="cpu")
        >>> policy.model.settings.map_shape
        (64, 7, 7)
    """
    if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) != 3:
        raise ValueError(
            f"`observation_space` must be a Box of frames with three axes. Received {observation_space}; "
            "add an axis of channels, or stack gray frames."
        )
    if not isinstance(action_space, gym.spaces.Discrete) or action_space.start != 0:
        raise ValueError(f"`action_space` must be Discrete, from 0 on. Received {action_space}.")
    if not v_min < v_max:
        raise ValueError(f"`v_min` must be below `v_max`. Received {v_min} and {v_max}.")
    if not 0 <= exploration <= 1:
        raise ValueError(f"`exploration` must be in [0, 1]. Received {exploration}.")
    height, width, channels = observation_space.shape
    settings = PixelValueSettings(
        (height, width, channels), int(action_space.n), channels_last, layers, hidden, n_atoms
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PixelValueNetwork(settings)
    policy = C51Policy(
        model=network,
        action_space=action_space,
        observation_space=observation_space,
        num_atoms=n_atoms,
        v_min=v_min,
        v_max=v_max,
        eps_training=exploration,
    )
    return policy.to(resolve_device(device))


def save_pixel_policy(policy: C51Policy, folder: str | Path) -> Path:
    """Save a policy as `model.safetensors` and `config.json`, for `load_pixel_policy`; return the folder."""
    network = cast(PixelValueNetwork, policy.model)
    return checkpoint.save(network, network.settings, folder, entries={SUPPORT: [policy.v_min, policy.v_max]})


def load_pixel_policy(
    folder: str | Path, *, exploration: float = 0.05, device: str | torch.device = "auto"
) -> C51Policy:
    """Load a policy that `save_pixel_policy` saved, with this fraction of random actions in training.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or holds something else.

    Example:
        >>> from tempfile import mkdtemp
        >>> space = gym.spaces.Box(0, 255, (1, 84, 84), "uint8")
        >>> policy = make_pixel_policy(space, gym.spaces.Discrete(6), v_max=3.0, device="cpu")
        >>> load_pixel_policy(save_pixel_policy(policy, mkdtemp()), device="cpu").v_max
        3.0
    """

    def build(settings: dict[str, Any]) -> PixelValueNetwork:
        return PixelValueNetwork(
            PixelValueSettings(**{**settings, "obs_shape": tuple(settings["obs_shape"])})
        )

    network = cast(PixelValueNetwork, checkpoint.load(folder, {PixelValueNetwork.__name__: build}))
    settings = network.settings
    try:
        v_min, v_max = (float(bound) for bound in checkpoint.load_entry(folder, SUPPORT))
        policy = make_pixel_policy(
            gym.spaces.Box(0, 255, settings.obs_shape, np.uint8),
            gym.spaces.Discrete(settings.n_actions),
            channels_last=settings.channels_last,
            layers=settings.layers,
            hidden=settings.hidden,
            n_atoms=settings.n_atoms,
            v_min=v_min,
            v_max=v_max,
            exploration=exploration,
            device="cpu",
        )
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{folder} holds a damaged policy: {error!r}.") from error
    policy.model.load_state_dict(network.state_dict())
    return policy.to(resolve_device(device)).eval()
