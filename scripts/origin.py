"""Origin of the models that a command makes, for their cards.

`command_line`   command that has the same settings
`describe_data`  source, size and fingerprint of episodes in words
`describe_frames`  folder, size and fingerprint of frames in words
`record_origin`  write environment, data, results and command to the cards of saved models
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.data.episode_arrays import EpisodeArrays
    from rlpriors.data.frames import FrameStore

__all__ = ["command_line", "describe_data", "describe_frames", "record_origin"]


NO_METRICS = {"env", "seed", "seconds", "windows_per_second"}
"""Results that are on a card elsewhere, or that differ between two equal runs."""


def command_line(command: str, settings: Any) -> str:
    """Return the command with these settings; defaults are left out, and absolute paths are shortened.

    Args:
        command: name of the command.
        settings: dataclass of its settings.

    Example:
        >>> from rlpriors.scripts.learn_reward.settings import LearnRewardSettings
        >>> command_line("learn-reward", LearnRewardSettings(env="Reacher-v5", demos="/a/demos.npz", seed=3))
        'rlpriors learn-reward --env Reacher-v5 --seed 3 --demos demos.npz'
    """
    return shlex.join(["rlpriors", command, *_flags(settings, None)])


def describe_data(source: str, store: "EpisodeArrays") -> str:
    """Return source, number of episodes, number of steps and fingerprint of recorded episodes."""
    from rlpriors.data.fingerprints import store_fingerprint

    n_episodes, n_steps = len(store.lengths), int(store.lengths.sum())
    return (
        f"`{_word(source)}`, {n_episodes} episodes, {n_steps} steps, fingerprint `{store_fingerprint(store)}`"
    )


def describe_frames(store: "FrameStore") -> str:
    """Return folder, number of frames, their shape and fingerprint."""
    from rlpriors.data.fingerprints import frames_fingerprint

    shape = "x".join(map(str, store.frames.shape[1:]))
    fingerprint = frames_fingerprint(store)
    return f"`{store.folder.name}`, {store.n_frames} frames of {shape}, fingerprint `{fingerprint}`"


def record_origin(
    command: str,
    settings: Any,
    models: Mapping[Path, Mapping[str, Any]],
    *,
    env: str | None = None,
    env_args: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Write environment, data, results and command to the configurations and cards of saved models.

    Args:
        command: name of the command.
        settings: dataclass of its settings.
        models: folders of saved rewards, priors and encoders, each with its results.
        env: id of the environment.
        env_args: further arguments of the environment.
        data: data in words by title, as from `describe_data`.
        trust_remote_code: consent to run the code of an encoder of torch.hub, which is loaded for its card.
    """
    from rlpriors.pretrained import add_provenance
    from rlpriors.sharing import Provenance, select_metrics

    line = command_line(command, settings)
    for folder, all_results in models.items():
        results = {name: value for name, value in all_results.items() if name not in NO_METRICS}
        origin = Provenance(env, env_args or {}, data or {}, select_metrics(results), line)
        add_provenance(folder, origin, trust_remote_code=trust_remote_code)


def _flags(settings: Any, defaults: Any) -> Iterator[str]:
    """Yield the flags of fields that differ from `defaults`, or from the defaults of their class."""
    hints = get_type_hints(type(settings), include_extras=True)
    for field in fields(settings):
        value = getattr(settings, field.name)
        default = getattr(defaults, field.name) if defaults is not None else field.default
        if default is MISSING and field.default_factory is not MISSING:
            default = field.default_factory()
        if value == default:
            continue
        if is_dataclass(value):
            yield from _flags(value, None if default is MISSING else default)
            continue
        given = (getattr(entry, "name", None) for entry in getattr(hints[field.name], "__metadata__", ()))
        name = (next(filter(None, given), None) or field.name).replace("_", "-")
        if isinstance(value, bool):
            yield f"--{name}" if value else f"--no-{name}"
        else:
            yield from (f"--{name}", *_words(value))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, tuple | list):
        for entry in value:
            yield from _words(entry)
    else:
        yield _word(value)


def _word(value: Any) -> str:
    """Return a value as in a command, an absolute path without the folders of this machine."""
    return Path(value).name if isinstance(value, str | Path) and Path(value).is_absolute() else str(value)
