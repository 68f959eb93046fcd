"""Arguments of an environment and of data recorded in it, shared by the commands.

`DataArgs`  environment, data and observation of a command
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlpriors.scripts.env_args import EnvArgs

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.data.episodes import EpisodeStore

__all__ = ["DataArgs"]


@dataclass(frozen=True, kw_only=True)
class DataArgs(EnvArgs):
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

    def read(self, flag: str, source: str, seed: int) -> "EpisodeStore":
        """Return the episodes of a source, which is a file, a Minari id or "random:<steps>".

        Raises:
            ValueError: the source does not fit the environment; the message names the `flag`.
        """
        from rlpriors.data.readers.load import load_episodes
        from rlpriors.envs.random_data import collect_random

        make = self.env_maker()
        n_steps = random_steps(source)
        if n_steps is not None:
            return collect_random(make, n_steps, seed=seed, obs_keys=self.keys)
        env = make()
        try:
            spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
        finally:
            env.close()
        try:
            return load_episodes(source, self.keys, **spaces)
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"{flag}: {error}".replace("`obs_keys`", "--obs-keys")) from error


def random_steps(source: str) -> int | None:
    """Return the number of steps of "random:<steps>"; None for other text.

    Example:
        >>> random_steps("random:20000"), random_steps("demos.npz"), random_steps("random:0")
        (20000, None, None)
    """
    kind, _, number = source.partition(":")
    return int(number) if kind == "random" and number.isdecimal() and int(number) > 0 else None
