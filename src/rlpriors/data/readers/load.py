"""Episodes from a file, a folder or a Minari data set, checked against the spaces of an environment.

`load_episodes`  `EpisodeStore` of any source
`fit_to_env`     check of a store against an environment's observation space
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import observation_shape
from rlpriors.data.readers.hdf5 import read_d4rl
from rlpriors.data.readers.npz import read_npz
from rlpriors.data.readers.tianshou import is_tianshou, read_tianshou

__all__ = ["fit_to_env", "load_episodes"]

FORMATS = ".npz, .hdf5 (D4RL or a Tianshou buffer), .safetensors (EpisodeStore.save), or a Minari id"


def load_episodes(
    source: str | Path,
    obs_keys: Sequence[str] | None = None,
    *,
    observation_space: gym.Space[Any] | None = None,
    action_space: gym.Space[Any] | None = None,
) -> EpisodeStore:
    """Return the episodes of a source.

    Args:
        source: a `.npz` file (`read_npz`), an HDF5 file of D4RL's layout or of a Tianshou buffer, a file of
            `EpisodeStore.save`, a folder that holds one such file, or the id of a local Minari data set.
        obs_keys: leaves of Dict observations, in order; None for all leaves, sorted.
        observation_space: observation space of the environment, which observations are checked against.
        action_space: action space of the environment, which actions are checked against.

    Raises:
        FileNotFoundError: there is no such file or data set.
        ValueError: the file is damaged, or does not fit the spaces.
        ImportError: a package that reads this format is not installed.

    Example:
        >>> from tempfile import mkdtemp
        >>> file = Path(mkdtemp()) / "demos.npz"
        >>> np.savez(file, obs=np.zeros((2, 4, 3)), act=np.zeros((2, 3, 1)))
        >>> load_episodes(file).lengths
        array([3, 3])
    """
    store = _read(str(source), obs_keys, action_space)
    if action_space is not None and store.action_space is None:
        store = replace(store, act=_columns(store.act, action_space), action_space=action_space)
    return store if observation_space is None else fit_to_env(store, observation_space, obs_keys, source)


def _read(source: str, obs_keys: Sequence[str] | None, action_space: gym.Space[Any] | None) -> EpisodeStore:
    path = Path(source)
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            raise ValueError(
                f"A folder of episodes must hold one .safetensors file of `EpisodeStore.save`. Received "
                f"{source}, with {len(files)}; name the file itself."
            )
        path = files[0]
    # Formats without spaces are read without one first: a column of Discrete actions is then reshaped.
    discrete = isinstance(action_space, gym.spaces.Discrete)
    space = None if discrete else action_space
    if path.suffix == ".npz":
        return read_npz(path, obs_keys, space)
    if path.suffix in (".hdf5", ".h5"):
        return (read_tianshou if is_tianshou(path) else read_d4rl)(path, obs_keys, space)
    if path.suffix == ".safetensors":
        return EpisodeStore.load(path)
    if path.suffix or path.exists():
        raise ValueError(f"Episodes must be in one of the formats {FORMATS}. Received {source!r}.")
    from rlpriors.data.minari import load_store  # minari is an extra

    try:
        return load_store(source, obs_keys)
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"{source!r} is neither a file nor a Minari data set. {error}") from error


def _columns(act: np.ndarray, space: gym.Space[Any]) -> np.ndarray:
    """Return actions [steps, 1] of a Discrete space as [steps]; whole floating-point numbers as integers."""
    if not isinstance(space, gym.spaces.Discrete):
        return act
    flat = act[:, 0] if act.ndim == 2 and act.shape[1] == 1 else act
    whole = flat.dtype.kind == "f" and bool((flat == np.rint(flat)).all())
    return flat.astype(np.int64) if whole else flat


def fit_to_env(
    store: EpisodeStore,
    observation_space: gym.Space[Any],
    obs_keys: Sequence[str] | None = None,
    source: str | Path = "the data",
) -> EpisodeStore:
    """Return a store whose observations are those of the space, with the leaves recorded.

    A plain array is accepted for a Dict space if one leaf is selected.

    Raises:
        ValueError: observations have another shape or other leaves than the space.
    """
    layout, shape = (
        ObservationLayout.of(observation_space, obs_keys),
        observation_shape(observation_space, obs_keys),
    )
    found = store.obs_layout
    if layout is not None and found is None and len(layout.keys) > 1:
        raise ValueError(
            f"{source} must have the leaves {layout} of the environment's Dict observation. Received a plain "
            "array, whose order of entries is unknown; write each leaf as an array `obs/<leaf>`."
        )
    wrong_leaves = found is not None and (layout is None or not layout.agrees_with(found))
    if wrong_leaves or store.obs.shape[1:] != shape:
        expected = f"{layout} of " if layout is not None else ""
        received = f"{found} of " if found is not None else ""
        raise ValueError(
            f"{source} must have the environment's observations, {expected}shape {shape}. Received "
            f"{received}shape {store.obs.shape[1:]}; record them in this environment, or select leaves by "
            "`obs_keys`."
        )
    return replace(store, obs_layout=layout)
