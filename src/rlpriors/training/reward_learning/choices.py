"""Defaults of reward learning that follow from the data, each with its reason.

`ObjectiveName`     objectives of the command
`objective_settings` objective of `DiffusionIRL` and its settings
`gait_noise`        noise on the inputs for demonstrations that repeat movements
`WindowChoice`      horizon and stride of windows
`choose_window`     windows that fit the demonstrations
`choose_negatives`  windows that demonstrations are compared with
`split`             episodes for training and held-out episodes
`describe_choices`  the chosen values with their reasons, as text
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from rlpriors.agents import DiffusionIRLSettings, TrajectoryLayout
from rlpriors.agents.irl.objectives import DensityRatioSettings
from rlpriors.agents.irl.order_accuracy import goal_entries, repeats
from rlpriors.agents.irl.other_goals import other_goals
from rlpriors.agents.irl.reference import ReferenceLike
from rlpriors.data.episodes import EpisodeStore

__all__ = [
    "ObjectiveName",
    "WindowChoice",
    "choose_negatives",
    "choose_window",
    "describe_choices",
    "gait_noise",
    "objective_settings",
    "split",
]

MOST_TIME_STEPS = 32
MOST_STEPS = 128


ObjectiveName = Literal["contrastive", "density-ratio"]


def objective_settings(
    name: ObjectiveName, *, gait_noise: float | None = None
) -> tuple[str | DensityRatioSettings, DiffusionIRLSettings]:
    """Return the objective of `DiffusionIRL` and its settings.

    "contrastive" has the defaults.  "density-ratio" is for goals of episodes: few are demonstrated, and the
    contrast may learn them by heart, so that its reward is low for all others.  The ratio is bounded, noise
    on the inputs hides small differences, and all entries have the same gradient penalty.  With the weights
    of the contrast, entries that never change in an episode, such as goals, would have the smallest one.

    Args:
        name: objective.
        gait_noise: noise on the inputs for demonstrations that repeat movements (`gait_noise`), with a
            constant offset of the ratio; None for others.

    Example:
        >>> objective_settings("contrastive")[0], objective_settings("density-ratio")[1].input_noise
        ('contrastive', 0.1)
    """
    if name == "contrastive":
        return "contrastive", DiffusionIRLSettings()
    noise = 0.1 if gait_noise is None else gait_noise
    settings = DiffusionIRLSettings(temporal_variation_exponent=0.0, progress_weight=0.0, input_noise=noise)
    return DensityRatioSettings(start_offset=gait_noise is None), settings


def gait_noise(demonstrations: EpisodeStore, negatives: EpisodeStore, layout: TrajectoryLayout) -> float:
    """Return the largest difference between the mean observations of both, in normalized units, at least 0.1.

    A gait differs from other data by far in its speed, and a little in everything else.  Noise as large as
    the difference in speed hides nearly everything else.  With less, the reward of states between both
    depends on chance.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> from rlpriors.data.normalize import Normalizer
        >>> slow, fast = (
        ...     EpisodeStore.from_episodes([Episode(np.full((4, 1), v), np.zeros((3, 1)), *np.zeros((3, 3)))])
        ...     for v in (0.0, 6.0))
        >>> halved = Normalizer(torch.tensor([0.0]), torch.tensor([2.0]))
        >>> gait_noise(fast, slow, TrajectoryLayout(8, 1, halved, Normalizer.identity(1)))
        3.0
    """
    rows = (
        torch.as_tensor(s.obs.reshape(len(s.obs), -1), dtype=torch.float32)
        for s in (demonstrations, negatives)
    )
    means = [layout.obs(part.to(layout.obs.loc.device)).mean(0) for part in rows]
    return max(0.1, float((means[0] - means[1]).abs().max()))


@dataclass(frozen=True)
class WindowChoice:
    """Horizon and stride of windows, with the reason."""

    horizon: int
    """Number of time steps of a window."""
    stride: int
    """Number of environment steps of a time step."""
    reason: str
    """Reason in words."""


def choose_window(
    demonstrations: EpisodeStore,
    data: EpisodeStore,
    *,
    horizon: int | None = None,
    stride: int | None = None,
    absorbing: bool = False,
) -> WindowChoice:
    """Return windows of about a third of a demonstration, of at most 32 time steps and 128 environment steps.

    A window must show an intention and must fit into the episodes.  Time steps are single environment steps
    for Discrete actions, whose mean does not exist.  A given `horizon` or `stride` is kept.

    Raises:
        ValueError: episodes have fewer than 2 steps, or a given window is longer than all episodes of the
            demonstrations or of the data.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(101.0)[:, None], np.ones((100, 1)), *np.zeros((3, 100)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> choice = choose_window(store, store)
        >>> choice.horizon, choice.stride
        (16, 2)
    """
    usual = int(np.median(demonstrations.lengths))
    word = "episode" if demonstrations is data else "demonstration"  # a prior alone has no demonstrations
    name = f"a{'n' * (demonstrations is data)} {word}"
    limits = {name: usual}
    if not absorbing:  # windows end before a termination
        limits[f"the shortest {word}"] = int(demonstrations.lengths.min())
        limits["an episode of the data"] = int(np.median(data.lengths))
    limit, shortest = min(limits.items(), key=lambda item: item[1])
    if shortest < 2:
        raise ValueError(
            f"Demonstrations and data must have episodes of at least 2 steps. Received {shortest} in "
            f"{limit}; remove short episodes, or record longer ones."
        )
    discrete = data.act.dtype.kind in "iu"
    steps = max(2, min(round(shortest / 3), MOST_STEPS))
    if stride is None:
        stride = 1 if discrete or horizon is not None else max(1, round(steps / 16))
    if horizon is None:
        horizon = max(2, min(steps // stride, MOST_TIME_STEPS))
        horizon -= horizon % 2 if horizon > 2 else 0
    unused = [_n_without_window(store, horizon * stride, absorbing) for store in (demonstrations, data)]
    for kind, store, n in zip((name, "an episode of the data"), (demonstrations, data), unused, strict=True):
        if n == store.n_episodes:
            raise ValueError(
                f"`horizon` {horizon} with `stride` {stride} must fit into {kind}: it needs "
                f"{horizon * stride} steps. Received at most {store.lengths.max()} steps; use a smaller "
                "horizon or stride, or longer episodes."
            )
    reason = (
        f"{horizon * stride} steps of {name}'s {usual}, by default about a third"
        f"{f' of {limit}, {shortest} steps' if shortest < usual else ''}; "
        f"{'single steps, because actions are Discrete' if discrete else f'{stride} per time step'}"
    )
    if unused[0]:
        reason += f"; {unused[0]} {word}s are shorter, and not used"
    return WindowChoice(horizon, stride, reason)


def _n_without_window(store: EpisodeStore, steps: int, absorbing: bool) -> int:
    """Return the number of episodes that are shorter than a window."""
    continued = absorbing & store.terminated[store.step_starts + store.lengths - 1]
    return int(((store.lengths < steps) & ~continued).sum())


def choose_negatives(
    objective: ObjectiveName, demonstrations: EpisodeStore, data: EpisodeStore, *, seed: int = 0
) -> ReferenceLike | None:
    """Return the negatives of an objective without reference data; None for the default of `DiffusionIRL`.

    The density ratio compares with the data, and, if both contain goals, with demonstrations of other goals.

    Args:
        objective: objective of the reward.
        demonstrations: demonstrations of the training.
        data: data of the prior.
        seed: random seed of the other goals.
    """
    if objective != "density-ratio" or not _share_goals(demonstrations, data):
        return None
    return [(other_goals(demonstrations, data, seed=seed), 1.0), ("prior_data", 1.0)]


def _share_goals(demonstrations: EpisodeStore, data: EpisodeStore) -> bool:
    """Return True if entries of both are goals of episodes."""
    return demonstrations.obs.ndim == 2 and bool(
        len(np.intersect1d(goal_entries(demonstrations), goal_entries(data)))
    )


def split(store: EpisodeStore, fraction: float, seed: int) -> tuple[EpisodeStore, EpisodeStore | None]:
    """Return the episodes for training and the held-out ones; None if only one episode exists.

    At least one episode is on each side.
    """
    if store.n_episodes < 2 or fraction == 0:
        return store, None
    order = np.random.default_rng(seed).permutation(store.n_episodes)
    n = min(max(1, round(fraction * store.n_episodes)), store.n_episodes - 1)
    return store.subset(np.sort(order[n:])), store.subset(np.sort(order[:n]))


def describe_choices(
    window: WindowChoice,
    demonstrations: tuple[EpisodeStore, EpisodeStore | None],
    data: tuple[EpisodeStore, EpisodeStore | None],
    *,
    source: str,
    reference: str | None,
    absorbing: bool,
    objective: ObjectiveName = "contrastive",
) -> dict[str, str]:
    """Return the choices of a run with their reasons, by title.

    Args:
        window: chosen windows.
        demonstrations: demonstrations for training, and held-out ones.
        data: data for training, and held-out data.
        source: source of the data.
        reference: source of the negatives; None for the default of `DiffusionIRL`.
        absorbing: continuation of windows beyond a termination.
        objective: objective of the reward.
    """
    (shown, held), (known, other) = demonstrations, data
    held_out = held.n_episodes if held else 0
    layout = TrajectoryLayout.fit(known, window.horizon, window.stride, absorbing=absorbing)
    negatives = "the data (--reference random:10000 if the data comes from a good policy)"
    if reference:
        negatives = f"{reference} (--reference)"
    elif objective == "density-ratio" and _share_goals(shown, known):
        negatives = "the data, and demonstrations with the goals of other episodes"
    elif objective == "contrastive" and len(goal_entries(shown)) and not absorbing:
        negatives = "samples of the prior, because entries of observations are constant in each episode"
    return {
        "Demonstrations": f"{shown.n_episodes} to learn from and {held_out} held out for the evaluation "
        "(--held-out)",
        "Data": f"{known.n_steps} steps of {source} to learn from and {other.n_steps if other else 0} "
        "held out",
        "Windows": f"{window.reason} (--horizon {window.horizon} --stride {window.stride})",
        "Negatives": negatives,
        "Objective": _describe_objective(objective, repeats(shown, layout)),
        "Terminations": "absorbing states, because episodes terminate: the sign of the reward is determined"
        if absorbing
        else "none in the data; a constant added to the reward changes nothing",
    }


def _describe_objective(objective: ObjectiveName, is_gait: bool) -> str:
    if objective == "density-ratio":
        clipped = ", of clipped observations, because the demonstrations repeat movements"
        return f"density-ratio (--objective){clipped if is_gait else ''}"
    if is_gait:
        return (
            "contrastive (take --objective density-ratio: the demonstrations repeat movements, as gaits do)"
        )
    return "contrastive (--objective density-ratio if the goal differs between episodes)"
