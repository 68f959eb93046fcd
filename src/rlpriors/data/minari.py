"""Minari data sets, in and out: the format in which demonstrations are kept and shared.

`write_dataset`  episodes to a new local data set (HDF5, images without loss)
`read_episodes`  a local data set, one episode after the other
`load_store`     a local data set as an `EpisodeStore`
`episode_steps`  how long the episodes of a local data set are, without reading them

Data sets stand in `$MINARI_DATASETS_PATH` (default `~/.minari/datasets`).  Nothing is downloaded
here: `minari download <id>` does that.
"""

import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Int

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.validation import at_least_one, check_finite, within

try:
    from minari import MinariDataset, create_dataset_from_buffers, load_dataset
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.storage import get_dataset_path
except ImportError as error:
    raise ImportError('Minari data sets need `pip install "rlpriors[offline]"`.') from error

__all__ = ["episode_steps", "load_store", "read_episodes", "write_dataset"]

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

    Of `env` the spaces are taken, unless they are given, and the spec, so that
    `recover_environment` works on the data set.  If an episode is refused, nothing is left behind.

    Raises:
        ValueError: the name is malformed or taken, there are no spaces or ones that Minari's arrays
            cannot hold, or an episode does not fit them, is empty or is not finite.
    """
    folder = _folder_of(dataset_id)
    if folder.exists():
        raise ValueError(
            f"`dataset_id` must be new. Received {dataset_id!r}, which stands in {folder}; take the next "
            f"version, or remove it with `minari delete {dataset_id}`."
        )
    if env is not None:
        observation_space, action_space = (
            observation_space or env.observation_space,
            action_space or env.action_space,
        )
    if observation_space is None or action_space is None:
        raise ValueError("`env`, or `observation_space` and `action_space`, must be given. Received None.")
    _check_space("observation_space", observation_space)
    _check_space("action_space", action_space, nested=False)
    try:
        with warnings.catch_warnings():
            # Minari urges to fill in every field; which of them matter is the caller's choice.
            warnings.filterwarnings("ignore", message=r"`\w+` is set to None|env_spec is None")
            return create_dataset_from_buffers(
                dataset_id,
                # Annotated as a list, but taken one by one: a large data set never stands in memory.
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
    except BaseException:  # also an interrupt: half a data set under its final name would look whole
        shutil.rmtree(folder, ignore_errors=True)
        raise


def read_episodes(dataset_id: str, indices: Sequence[int] | None = None) -> Iterator[Episode]:
    """The episodes of a local data set, read as they are asked for; `indices` chooses and orders them.

    Raises:
        FileNotFoundError: the data set is not on this machine.
        ValueError: the name is malformed, the data set holds no episodes, not those asked for, or
            observations and actions that are not arrays.
    """
    dataset = _open(dataset_id)
    total = dataset.total_episodes
    chosen = within("indices", np.asarray(range(total) if indices is None else indices), total, "episodes")
    return _episodes(dataset, [int(dataset.episode_indices[index]) for index in chosen])


def load_store(
    dataset_id: str, obs_keys: Sequence[str] | None = None, episodes: int | None = None
) -> EpisodeStore:
    """A local data set as arrays: its first `episodes` episodes, or all.

    `obs_keys` selects leaves of dictionary observations (`select_observation`).

    Raises:
        FileNotFoundError: the data set is not on this machine.
        ValueError: as `read_episodes`, a key names no leaf, or the data are not finite.
    """
    if episodes is not None:
        at_least_one(episodes=episodes)
        total = _open(dataset_id).total_episodes
        if episodes > total:
            raise ValueError(f"`episodes` must be at most {total}, all of {dataset_id}. Received {episodes}.")
    chosen = None if episodes is None else range(episodes)
    return EpisodeStore.from_episodes(read_episodes(dataset_id, chosen), obs_keys)


def episode_steps(dataset_id: str) -> Int[np.ndarray, " episodes"]:
    """Steps of each episode of a local data set, of which only the descriptions are read.

    Raises:
        FileNotFoundError, ValueError: as `read_episodes`.
    """
    dataset = _open(dataset_id)
    about = dataset.storage.get_episode_metadata(list(dataset.episode_indices))
    return np.array([meta["total_steps"] for meta in about], np.int64)


def _folder_of(dataset_id: str) -> Path:
    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError) as error:  # TypeError: Minari cannot read a name without a version
        raise ValueError(
            "`dataset_id` must be (namespace/)name-v<number>, with at least two letters in the namespace, "
            f'such as "pointmaze/umaze-v0". Received {dataset_id!r}.'
        ) from error
    return Path(get_dataset_path(dataset_id))


def _open(dataset_id: str) -> MinariDataset:
    folder = _folder_of(dataset_id)
    if not (folder / "data").is_dir():
        raise FileNotFoundError(
            f"There is no Minari data set {dataset_id!r} in {folder.parent}. Fetch it with "
            f"`minari download {dataset_id}`, or let MINARI_DATASETS_PATH name the folder that holds it."
        )
    dataset = load_dataset(dataset_id)
    if not dataset.total_episodes:
        raise ValueError(
            f"The Minari data set {dataset_id!r} holds no episodes. Remove {folder}, write again."
        )
    _check_space("observation_space", dataset.observation_space)
    _check_space("action_space", dataset.action_space, nested=False)
    return dataset


def _episodes(dataset: MinariDataset, ids: list[int]) -> Iterator[Episode]:
    about = dataset.storage.get_episode_metadata(ids)
    for data, meta in zip(dataset.iterate_episodes(ids), about, strict=True):
        rest = (data.actions, data.rewards, data.terminations, data.truncations)
        yield Episode(data.observations, *rest, seed=meta.get("seed"))


def _buffers(
    episodes: Iterable[Episode], observation_space: gym.Space[Any], action_space: gym.Space[Any]
) -> Iterator[EpisodeBuffer]:
    number = -1
    for number, episode in enumerate(episodes):
        steps = len(episode.rew)
        if steps < 1:
            raise ValueError(f"Every episode must have at least one step. Received none in episode {number}.")
        flat = gym.spaces.Box(-np.inf, np.inf, (), np.float64)
        yield EpisodeBuffer(
            seed=episode.seed,
            observations=_fitting("obs", episode.obs, observation_space, steps + 1, number),
            actions=_fitting("act", episode.act, action_space, steps, number),
            rewards=_fitting("rew", episode.rew, flat, steps, number),
            terminations=_fitting("terminated", episode.terminated, flat, steps, number),
            truncations=_fitting("truncated", episode.truncated, flat, steps, number),
        )
    if number < 0:
        raise ValueError("`episodes` must hold at least one episode. Received none.")


def _fitting(name: str, tree: Any, space: gym.Space[Any], rows: int, episode: int) -> Any:
    """The tree as arrays, once each leaf has the shape that its space asks for and is finite."""
    if isinstance(space, gym.spaces.Dict):
        keys = sorted(tree) if isinstance(tree, Mapping) else f"a {type(tree).__name__}"
        if keys != sorted(space.spaces):
            raise ValueError(
                f"`{name}` must have the keys {sorted(space.spaces)} of its space. Received {keys} in "
                f"episode {episode}."
            )
        return {k: _fitting(f"{name}[{k!r}]", tree[k], s, rows, episode) for k, s in space.spaces.items()}
    if isinstance(tree, Mapping):
        raise ValueError(
            f"`{name}` must be an array, as {space} asks for. Received a dict in episode {episode}."
        )
    array = np.asarray(tree)
    if array.shape != (rows, *(space.shape or ())):
        raise ValueError(
            f"`{name}` must have {rows} rows of shape {space.shape}, as the episode's steps and {space} ask "
            f"for. Received shape {array.shape} in episode {episode}."
        )
    check_finite(name, array, np.array([rows]), episode)
    return array


def _check_space(name: str, space: gym.Space[Any], nested: bool = True) -> None:
    if nested and isinstance(space, gym.spaces.Dict):
        for key, leaf in space.spaces.items():
            _check_space(f"{name}[{key!r}]", leaf)
    elif not isinstance(space, ARRAYS):
        raise ValueError(
            f"`{name}` must be Box, Discrete, MultiDiscrete or MultiBinary{', or a Dict of these' * nested}. "
            f"Received {space}; wrap the environment, for example in FlattenObservation."
        )


def _has_portable_spec(env: gym.Env[Any, Any] | None) -> bool:
    if env is None or env.spec is None:
        return False
    try:
        env.spec.to_json()
    except (TypeError, ValueError) as error:
        warnings.warn(
            f"The data set will not know its environment, whose spec is no JSON ({error}). Register it under "
            'an entry point that is a string, such as "package.module:Class".',
            stacklevel=3,
        )
        return False
    return True
