"""Command `rlpriors label`: labels of pairs of recorded segments.

`label`  the command
"""

import shlex
import sys
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from tqdm import tqdm

from rlpriors.preferences import PageLabeler, PreferenceSet, collect_preferences
from rlpriors.scripts.label.settings import LabelSettings
from rlpriors.scripts.label.sources import choose_pairs, make_labeler, make_painter, read_data

__all__ = ["label"]


def label(settings: LabelSettings) -> Path:
    """Label pairs of segments until the file has `n_pairs` labels, and return its path.

    Args:
        settings: settings of the command.

    Raises:
        ValueError: the data, the labeler or an existing file of labels do not fit the settings.
        FileNotFoundError: there are no such data.
    """
    store, maze = read_data(settings.data, settings.env, settings.obs_keys or None)
    output = settings.output
    if settings.labeler == "oracle" and not store.rew.any():
        raise ValueError(
            '`labeler` "oracle" needs data with rewards. Received data whose rewards are all 0; use a person '
            "or a function."
        )
    known = _known_pairs(output)
    pairs = choose_pairs(
        store,
        known,
        settings.n_pairs,
        settings.length,
        sampler=settings.sampler,
        rewards=settings.rewards,
        seed=settings.seed,
    )
    labeler = make_labeler(
        settings.labeler,
        make_painter(store, settings.draw, maze),
        folder=output.with_name(f"{output.stem}-pictures"),
        flip_probability=settings.flip_probability,
        band=settings.band,
        pictures=settings.pictures,
        both_orders=settings.both_orders,
        port=settings.port,
        seed=settings.seed,
    )
    say = partial(Console(highlight=False, markup=False, soft_wrap=True).print)
    if len(known):
        say(f"{output} has {len(known)} labels.")
    person = settings.labeler in ("page", "human")
    if isinstance(labeler, PageLabeler):
        say(f"Compare the clips on this page, in a browser of this machine: {labeler.url}")
    bar = tqdm(total=len(pairs), initial=len(known), desc="labels", unit="pair", disable=person)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    try:
        with labeler if isinstance(labeler, PageLabeler) else nullcontext(), bar:
            labels = collect_preferences(
                labeler, store, pairs, settings.length, settings.task, output, progress
            )
    except KeyboardInterrupt:
        done = len(_known_pairs(output))
        command = shlex.join(["rlpriors", *sys.argv[1:]])
        print(f"\nStopped; {output} has {done} labels. To continue: {command}", file=sys.stderr)
        raise SystemExit(130) from None
    first, second, undecided = (int((labels.labels == value).sum()) for value in (0, 1, -1))
    say(f"{len(labels)} labels: {first} first, {second} second, {undecided} neither.")
    if len(labels) < settings.n_pairs:
        missing = settings.n_pairs - len(labels)
        say(f"{missing} of {settings.n_pairs} are missing; the same command continues.")
    words = ["--labels", str(output), "--data", settings.data, "--env", settings.env or "ENVIRONMENT"]
    words += ["--obs-keys", *settings.obs_keys] if settings.obs_keys else []
    say(f"To learn a reward: rlpriors learn-reward --from preferences {shlex.join(words)}")
    say(str(output))
    return output


def _known_pairs(path: Path) -> np.ndarray:
    """Return the pairs that have labels in a file; none if there is no file."""
    if not path.exists() or not path.stat().st_size:
        return np.zeros((0, 2, 2), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `collect_preferences` repeats the warning of an unfinished line
        return PreferenceSet.load(path).clips
