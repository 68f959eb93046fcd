"""Minari data sets, in and out.

`write_dataset`    new local data set of episodes (HDF5, lossless images)
`read_episodes`    episodes of a local data set, one after the other
`load_store`       `EpisodeStore` of a local data set
`episode_lengths`  lengths of the episodes of a local data set, from its metadata

Data sets are in `$MINARI_DATASETS_PATH` (default `~/.minari/datasets`).  Nothing is downloaded;
`minari download <id>` downloads a data set.
"""

import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Int

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.observations import observation_shape
from rlpriors.data.validation import check_at_least_one, check_indices, fit_to_space
from rlpriors.extras import missing_extra
from rlpriors.spaces.actions import check_actions

try:
    from minari import MinariDataset, create_dataset_from_buffers, load_dataset
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.storage import get_dataset_path
except ImportError as error:
    raise ImportError(missing_extra("Minari data sets need minari", "offline")) from error

__all__ = ["episode_lengths", "load_store", "read_episodes", "write_dataset"]

ARRAYS = (gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)


def write_dataset(
    episodes: Iterable[Episode],
    dataset_id: str,
    env: gym.Env[Any, Any] | None = None,
    *,
    observation_space: gym.Space[Any] | None = None,
    action_space: gym.Space[Any] | None = None,
    description: str | None = None,
    algorithm_name: str | None = None,
    author: str | None = None,
    author_email: str | None = None,
    code_permalink: str | None = None,
) -> MinariDataset:
    """Write `episodes`, one at a time, to a new data set `(namespace/)name-v<number>`.

    `env` provides the spec, for Minari's `recover_environment`, and the spaces that are not given.  After an
    error no data set is left.

    Raises:
        ValueError: the name is malformed or exists, spaces are missing or not supported by Minari's arrays,
            or an episode does not fit the spaces, is empty or is not finite.
    """
    folder = _folder_of(dataset_id)
    if folder.exists():
        raise ValueError(
            f"`dataset_id` must be new. Received {dataset_id!r}, which exists in {folder}; use the next "
            f"version, or remove it with `minari delete {dataset_id}`."
        )
    if env is not None:
        observation_space = observation_space or env.observation_space
        action_space = action_space or env.action_space
    if observation_space is None or action_space is None:
        raise ValueError("`env`, or `observation_space` and `action_space`, must be given. Received None.")
    _check_spaces(observation_space, action_space)
    try:
        with warnings.catch_warnings():
            # Minari warns of each missing field; all of them are optional here.
            warnings.filterwarnings("ignore", message=r"`\w+` is set to None|env_spec is None")
            return create_dataset_from_buffers(
                dataset_id,
                # Annotated as a list, but consumed one by one: a large data set is never in memory.
                cast(Any, _buffers(episodes, observation_space, action_space)),
                env=env if _has_portable_spec(env) else None,
                observation_space=observation_space,
                action_space=action_space,
                description=description,
                algorithm_name=algorithm_name,
                author=author,
                author_email=author_email,
                code_permalink=code_permalink,
                data_format="hdf5",
                jpeg_encoding=False,
            )
    except BaseException:  # also an interrupt: a partial data set under its final name would look complete
        shutil.rmtree(folder, ignore_errors=True)
        raise


def read_episodes(
    dataset_id: str, indices: Sequence[int] | None = None, obs_keys: Sequence[str] | None = None
) -> Iterator[Episode]:
    """Yield the episodes of a local data set, or those at `indices` in their order.

    With `obs_keys`, only these leaves of Dict observations need to be arrays.

    Raises:
        FileNotFoundError: the data set is not on this machine.
        ValueError: the name is malformed, the data set has no episodes or not those of `indices`, or
            observations or actions are not arrays.
    """
    dataset = _open(dataset_id)
    _check_spaces(dataset.observation_space, dataset.action_space, obs_keys)
    total = dataset.total_episodes
    selected = check_indices("indices", range(total) if indices is None else indices, total, "episodes")
    return _episodes(dataset, [int(dataset.episode_indices[index]) for index in selected])


def load_store(
    dataset_id: str, obs_keys: Sequence[str] | None = None, episodes: int | None = None
) -> EpisodeStore:
    """Return the first `episodes` episodes of a local data set, or all.

    `obs_keys` selects leaves of Dict observations (`select_observation`).

    Raises:
        FileNotFoundError: the data set is not on this machine.
        ValueError: see `read_episodes` and `EpisodeStore`, or a key is not the path of a leaf.
    """
    dataset = _open(dataset_id)
    if episodes is not None:
        check_at_least_one(episodes=episodes)
        total = dataset.total_episodes
        if episodes > total:
            raise ValueError(f"`episodes` must be at most {total}, all of {dataset_id}. Received {episodes}.")
    indices = None if episodes is None else range(episodes)
    found = read_episodes(dataset_id, indices, obs_keys)
    return EpisodeStore.from_episodes(found, obs_keys, dataset.action_space)


def episode_lengths(dataset_id: str) -> Int[np.ndarray, " episodes"]:
    """Return the number of steps of each episode of a local data set, from its metadata.

    Raises:
        FileNotFoundError, ValueError: see `read_episodes`.
    """
    dataset = _open(dataset_id)
    metadata = dataset.storage.get_episode_metadata(list(dataset.episode_indices))
    return np.array([meta["total_steps"] for meta in metadata], np.int64)


def _folder_of(dataset_id: str) -> Path:
    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError) as error:  # TypeError: Minari's error for a name without a version
        raise ValueError(
            "`dataset_id` must be (namespace/)name-v<number>, with at least two letters in the namespace, "
            f'such as "pointmaze/umaze-v0". Received {dataset_id!r}.'
        ) from error
    return Path(get_dataset_path(dataset_id))


def _open(dataset_id: str) -> MinariDataset:
    folder = _folder_of(dataset_id)
    if not (folder / "data").is_dir():
        raise FileNotFoundError(
            f"There is no Minari data set {dataset_id!r} in {folder.parent}. Download it with "
            f"`minari download {dataset_id}`, or set MINARI_DATASETS_PATH to the folder of the data sets."
        )
    dataset = load_dataset(dataset_id)
    if not dataset.total_episodes:
        raise ValueError(
            f"The Minari data set {dataset_id!r} has no episodes. Remove {folder} and write it again."
        )
    return dataset


def _episodes(dataset: MinariDataset, ids: list[int]) -> Iterator[Episode]:
    metadata = dataset.storage.get_episode_metadata(ids)
    for data, meta in zip(dataset.iterate_episodes(ids), metadata, strict=True):
        rest = (data.actions, data.rewards, data.terminations, data.truncations)
        yield Episode(data.observations, *rest, seed=meta.get("seed"))


def _buffers(
    episodes: Iterable[Episode], observation_space: gym.Space[Any], action_space: gym.Space[Any]
) -> Iterator[EpisodeBuffer]:
    number = -1
    for number, episode in enumerate(episodes):
        steps = len(episode.rew)
        if steps < 1:
            raise ValueError(f"An episode must have at least one step. Received none in episode {number}.")
        flat = gym.spaces.Box(-np.inf, np.inf, (), np.float64)
        actions = fit_to_space("act", episode.act, action_space, steps, number)
        check_actions("act", actions, action_space, np.array([steps]), number)
        yield EpisodeBuffer(
            seed=episode.seed,
            observations=fit_to_space("obs", episode.obs, observation_space, steps + 1, number),
            actions=actions,
            rewards=fit_to_space("rew", episode.rew, flat, steps, number),
            terminations=fit_to_space("terminated", episode.terminated, flat, steps, number),
            truncations=fit_to_space("truncated", episode.truncated, flat, steps, number),
        )
    if number < 0:
        raise ValueError("`episodes` must contain at least one episode. Received none.")


def _check_spaces(
    observation_space: gym.Space[Any], action_space: gym.Space[Any], obs_keys: Sequence[str] | None = None
) -> None:
    """Raise unless actions, and the leaves `obs_keys` or all leaves of observations, are arrays."""
    if obs_keys is None:
        _check_space("observation_space", observation_space)
    else:
        observation_shape(observation_space, obs_keys)
    _check_space("action_space", action_space, nested=False)


def _check_space(name: str, space: gym.Space[Any], nested: bool = True) -> None:
    if nested and isinstance(space, gym.spaces.Dict):
        for key, leaf in space.spaces.items():
            _check_space(f"{name}[{key!r}]", leaf)
    elif not isinstance(space, ARRAYS):
        raise ValueError(
            f"`{name}` must be Box, Discrete, MultiDiscrete or MultiBinary{', or a Dict of these' * nested}. "
            f"Received {space}; {'select other leaves by `obs_keys`, or ' * nested}wrap the environment."
        )


def _has_portable_spec(env: gym.Env[Any, Any] | None) -> bool:
    if env is None or env.spec is None:
        return False
    try:
        env.spec.to_json()
    except (TypeError, ValueError) as error:
        warnings.warn(
            f"The data set has no environment spec, because the spec is not JSON ({error}). Register the "
            'environment with an entry point that is a string, such as "package.module:Class".',
            stacklevel=3,
        )
        return False
    return True
