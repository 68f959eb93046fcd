"""Arguments of the offline training of a policy.

`OfflineArgs`  data and settings of `rlpriors train-policy --offline`
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.agents.offline.settings import OfflineSettings
from rlpriors.scripts.pixel_args import RecordedArgs

__all__ = ["OfflineArgs"]

ALGORITHMS = ("iql", "td3-bc", "cql", "bc")


@dataclass(frozen=True, kw_only=True)
class OfflineArgs(RecordedArgs):
    """Data and settings of the offline training of a policy."""

    env: str = ""
    """Id of the environment, such as Reacher-v5; "module:Id-v0" imports the module first, also from the
    current folder.  With --offline it evaluates the policy only."""

    offline: bool = False
    """Training on recorded data, without an environment."""

    data: str | None = None
    """Data for --offline, good or bad: a .npz or .hdf5 file, a saved EpisodeStore, or a Minari id."""

    obs_keys: tuple[str, ...] = ()
    """Leaves of Dict observations that the policy reads with --offline, in order; by default those of the
    reward, or all leaves."""

    updates: int = 24_000
    """Number of updates with --offline; a multiple of `checkpoint_every` if it is larger."""

    expectile: float = 0.7
    """Expectile of the state value, in (0, 1): 0.5 evaluates the data's behavior, and higher values approach
    its best actions (iql)."""

    beta: float = 3.0
    """Inverse temperature of the advantage weights: 0 clones the data, and higher values follow the action
    values more closely (iql)."""

    def check_offline(self, reward: Path | None, algorithm: str, checkpoint_every: int) -> None:
        """Check the fields that depend on `offline`.

        Raises:
            ValueError: a field is missing, out of its bounds, or for the other kind of training.
        """
        if self.updates < 1:
            raise ValueError(f"`updates` must be at least 1. Received {self.updates}.")
        if self.offline:
            if self.updates % min(checkpoint_every, self.updates):
                raise ValueError(
                    f"`updates` must be a multiple of the {checkpoint_every} updates of `checkpoint_every`. "
                    f"Received {self.updates}; change --updates or --checkpoint-every."
                )
            if self.data is None:
                raise ValueError("`data` must be given with --offline. Received none; add --data FILE.")
            if algorithm not in ("auto", *ALGORITHMS):
                raise ValueError(
                    f"`algorithm` must be one of {ALGORITHMS} with --offline. Received {algorithm!r}, which "
                    "learns in an environment; choose one of these, or leave out --offline."
                )
            return
        if algorithm in ALGORITHMS:
            raise ValueError(
                f"`algorithm` {algorithm!r} learns from recorded data. Received it without --offline; add "
                "--offline --data FILE."
            )
        for field in fields(OfflineArgs):
            if field.name in ("data", "obs_keys") and getattr(self, field.name) != field.default:
                flag = f"--{field.name.replace('_', '-')}"
                raise ValueError(
                    f"`{field.name}` is for training on recorded data. Received it without --offline; add "
                    f"--offline, or leave out {flag}."
                )
        for name, value in (("env", self.env), ("reward", reward)):
            if not value:
                raise ValueError(
                    f"`{name}` must be given. Received none; add --{name}, or train on recorded data by "
                    "--offline --data FILE."
                )

    @property
    def data_name(self) -> str:
        """Name of the environment, or else of the data, in names of folders."""
        return self.env_name or Path(self.data or "data").stem.replace("/", "-")

    def offline_settings(self, algorithm: str, **common: Any) -> "OfflineSettings":
        """Return the settings of the offline algorithm; `common` are fields of both kinds of training."""
        from rlpriors.agents.offline.settings import OfflineAlgorithmName, OfflineSettings

        name = cast(OfflineAlgorithmName, "iql" if algorithm == "auto" else algorithm)
        return OfflineSettings(name, expectile=self.expectile, beta=self.beta, **common)
