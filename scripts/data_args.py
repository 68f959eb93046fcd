"""Arguments of an environment and of data recorded in it, shared by the commands.

`DataArgs`  environment, data and observation of a command
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rlpriors.scripts.pixel_args import PixelArgs

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    import gymnasium as gym

    from rlpriors.data.episodes import EpisodeStore
    from rlpriors.envs.encoded_env import EncodedEnvs

__all__ = ["DataArgs"]


@dataclass(frozen=True, kw_only=True)
class DataArgs(PixelArgs):
    """Environment, data and observation of a command."""

    data: str | None = None
    """Data of possible behavior, good or bad: a .npz or .hdf5 file, a saved EpisodeStore, or a Minari id; by
    default episodes that --collect records."""

    collect: str = "random:20000"
    """Data to record if --data is left out: "random:<steps>" takes random actions."""

    obs_keys: tuple[str, ...] = ()
    """Leaves of Dict observations, in order, such as observation achieved_goal; all leaves by default."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if random_steps(self.collect) is None:
            raise ValueError(f'`collect` must be "random:<steps>". Received {self.collect!r}.')

    @property
    def keys(self) -> tuple[str, ...] | None:
        """Leaves of Dict observations; None for all."""
        return self.obs_keys or None

    def make_vectors(
        self, pixels: "EncodedEnvs | None", obs_keys: Sequence[str] | None, **arguments: Any
    ) -> "gym.Env[Any, Any]":
        """Return the environment with the leaves `obs_keys` as one vector, images encoded by `pixels`.

        `arguments` are further ones of `make_env`.
        """
        from rlpriors.wrappers.flat_observation import FlatObservation

        if pixels is not None:
            return pixels.make(self.env, obs_keys, **self.env_arguments(), **arguments)
        return FlatObservation(self.env_maker()(**arguments), obs_keys)

    def read(
        self,
        flag: str,
        source: str,
        seed: int,
        pixels: "EncodedEnvs | None" = None,
        check: "Callable[[EpisodeStore], object] | None" = None,
    ) -> "EpisodeStore":
        """Return the episodes of a source, which is a file, a Minari id or "random:<steps>".

        Args:
            flag: flag of the source, for error messages.
            source: the source.
            seed: seed of random actions.
            pixels: encoder that replaces images by features; None for observations unchanged.
            check: function that receives the episodes of a file before images are encoded.

        Raises:
            ValueError: the source does not fit the environment; the message names the `flag`.
        """
        from rlpriors.data.readers.load import load_episodes
        from rlpriors.envs.random_data import collect_random

        n_steps, arguments = random_steps(source), self.env_arguments()
        if n_steps is not None:
            if pixels is None:
                return collect_random(self.env_maker(), n_steps, seed=seed, obs_keys=self.keys)
            return pixels.collect_random(self.env, n_steps, seed=seed, obs_keys=self.keys, **arguments)
        env = self.env_maker()() if pixels is None else pixels.make_images(self.env, **arguments)
        space, action_space = env.observation_space, env.action_space
        env.close()
        load = partial(load_episodes, source, observation_space=space, action_space=action_space)

        def read(keys: Sequence[str] | None) -> "EpisodeStore":
            store = load(keys)
            if check is not None:
                check(store)
            return store

        try:
            return read(self.keys) if pixels is None else pixels.encode(read, env, self.keys)
        except (ValueError, FileNotFoundError) as error:
            message = f"{flag}: {error}".replace("`obs_keys`", "--obs-keys")
            if pixels is not None:
                message += " With --encoder these are images of the environment; leave it out for vectors."
            raise ValueError(message) from error


def random_steps(source: str) -> int | None:
    """Return the number of steps of "random:<steps>"; None for other text.

    Example:
        >>> random_steps("random:20000"), random_steps("demos.npz"), random_steps("random:0")
        (20000, None, None)
    """
    kind, _, number = source.partition(":")
    return int(number) if kind == "random" and number.isdecimal() and int(number) > 0 else None
