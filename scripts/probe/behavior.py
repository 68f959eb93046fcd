"""What an encoder shows of what is done and what is paid, and whether it uses its dimensions.

`Behavior`        actions and rewards of a store, as labels and as numbers
`find_behavior`   those of a store, as far as it has them
`judge_behavior`  what features show of them
`measure`          RankMe and spread of features
`Numbers`          what is found: numbers by "<protocol>/<of what>/<metric>"
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.frames import FrameStore
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask, frame_keys, make_task
from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.evaluation.probing.regression_probe import behavior_labels, knn_accuracy, step_frames
from rlpriors.scripts.probe.baselines import judge_features, judge_majority
from rlpriors.scripts.probe.states import StateTargets, judge_states, split_frames

__all__ = ["Behavior", "Numbers", "find_behavior", "judge_behavior", "measure"]

NEIGHBORS = 5
SAMPLE = 2048
"""Frames that RankMe is measured on: its time grows with their third power."""

Numbers = dict[str, float]


@dataclass(frozen=True, eq=False)
class Behavior:
    """What was done and paid in the frames that steps were taken from."""

    rows: Int[np.ndarray, " steps"]
    """Those frames."""
    task: ProbeTask | None
    """Discrete actions and signs of rewards, by the order of `rows`; None where neither varies."""
    acts: StateTargets | None
    """Actions that are made of numbers."""


def find_behavior(store: FrameStore, *, expert: bool, seed: int = 0) -> Behavior:
    """Signs of rewards, and with `expert` actions too: those of random play are in no frame.

    As rewards are rare, each label that varies at all is asked for.

    Raises:
        ValueError: nothing of the kind is in `store` or varies there, or it has fewer than three
            episodes with a step.
    """
    arrays = {
        name: store.arrays[name]
        for name in ("act", "rew")
        if name in store.arrays and (name == "rew" or expert)
    }
    act = arrays.get("act")
    rows, lengths = step_frames(store.lengths)
    labels, acts = {}, None
    if act is not None and act.ndim == 2 and act.dtype.kind == "f":
        names = tuple(f"action[{i}]" for i in range(act.shape[1]))
        acts = StateTargets(names, np.asarray(act[rows], np.float64), *split_frames(lengths, seed))
        del arrays["act"]
    if arrays:
        every = behavior_labels(arrays, store.lengths)[1]
        labels = {name: values for name, values in every.items() if len(np.unique(values)) > 1}
    if not labels and acts is None:
        raise ValueError(
            f"`data` must hold rewards `rew` or actions `act` that vary. {store.folder} holds "
            f"{sorted(store.arrays)}{'' if expert else '; its actions are those of random play'}."
        )
    task = None
    if labels:
        keys = frame_keys(store.frames)[rows]
        task = make_task(labels, lengths, keys=keys, seed=seed, least_entropy=1e-9)
    return Behavior(rows, task, acts)


def judge_behavior(
    features: np.ndarray | None,
    behavior: Behavior,
    settings: ProbeSettings,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Numbers:
    """What features of every frame of the store show; without any, what the commonest label is worth.

    F1 and accuracy of linear probes by every protocol, accuracy of nearest neighbors, and R2 of actions
    that are made of numbers.
    """
    numbers: Numbers = {}
    task, rows = behavior.task, behavior.rows
    own = None if features is None else features[rows].reshape(len(rows), -1)
    if task is not None:
        judged = (
            judge_majority(task)
            if own is None
            else judge_features(own, task, settings, seed=seed, device=device, progress=progress)
        )
        for protocol, scores in judged.items():
            for name, score in scores.variables.items():
                numbers |= {f"{protocol}/{name}/{key}": value for key, value in score._asdict().items()}
    if task is not None and own is not None:
        for column, name in enumerate(task.names):
            count = min(NEIGHBORS, len(task.train))
            near = knn_accuracy(own, task.labels[:, column], task.train, task.test, count)
            numbers[f"neighbors/{name}/accuracy"] = near
    if behavior.acts is not None and own is not None:
        numbers |= judge_states(own, behavior.acts)
    return numbers


def measure(features: Float[np.ndarray, "frames *dims"]) -> Numbers:
    """RankMe and spread, on frames that lie evenly over all: the same ones for all who are compared."""
    flat = features.reshape(len(features), -1)
    some = np.asarray(flat[np.linspace(0, len(flat) - 1, min(SAMPLE, len(flat))).astype(int)])
    rank = rankme(some) if some.any() else float("nan")
    return {"collapse/features/rankme": rank, "collapse/features/feature_std": feature_std(some)}
