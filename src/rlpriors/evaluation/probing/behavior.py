"""Probes of actions and rewards, and collapse statistics of features.

`BehaviorTargets`      actions and rewards of a store, as labels and as numbers
`behavior_targets`     the actions and rewards that a store contains
`evaluate_behavior`    scores of features for these targets
`collapse_statistics`  RankMe and spread of features
`Numbers`              type of the scores, by "<protocol>/<target>/<metric>"
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.frames import FrameStore
from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.probing.baselines import evaluate_features, evaluate_majority
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask, frame_keys, make_task
from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.evaluation.probing.regression_probe import behavior_labels, knn_accuracy, step_frames
from rlpriors.evaluation.probing.states import StateTargets, evaluate_states, split_frames

__all__ = ["BehaviorTargets", "Numbers", "behavior_targets", "collapse_statistics", "evaluate_behavior"]

N_NEIGHBORS = 5
COLLAPSE_SAMPLE_SIZE = 2048
"""Number of frames that RankMe is measured on: its time grows with the third power."""

Numbers = dict[str, float]
"""Scores by "<protocol>/<target>/<metric>"."""


@dataclass(frozen=True, eq=False)
class BehaviorTargets:
    """Actions and rewards of the frames that have a next frame."""

    rows: Int[np.ndarray, " steps"]
    """Indices of these frames."""
    task: ProbeTask | None
    """Discrete actions and signs of rewards, in the order of `rows`; None if neither varies."""
    acts: StateTargets | None
    """Continuous actions; None if there are none."""


def behavior_targets(store: FrameStore, *, expert: bool, seed: int = 0) -> BehaviorTargets:
    """Return the signs of rewards, and with `expert` the actions.

    Random actions do not depend on the frame, so they are left out.  As rewards are rare, each label that
    varies at all is kept.

    Raises:
        ValueError: `store` has no action or reward that varies, or fewer than three episodes with a step.
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
        all_labels = behavior_labels(arrays, store.lengths)[1]
        labels = {name: values for name, values in all_labels.items() if len(np.unique(values)) > 1}
    if not labels and acts is None:
        raise ValueError(
            f"`data` must hold rewards `rew` or actions `act` that vary. Received {store.folder}, which "
            f"holds {sorted(store.arrays)}{'' if expert else ' and whose actions are random'}."
        )
    task = None
    if labels:
        keys = frame_keys(store.frames)[rows]
        task = make_task(labels, lengths, keys=keys, seed=seed, min_entropy=1e-9)
    return BehaviorTargets(rows, task, acts)


def evaluate_behavior(
    features: np.ndarray | None,
    behavior: BehaviorTargets,
    settings: ProbeSettings,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Numbers:
    """Return the scores of features for the targets; without features those of the most frequent label.

    The scores are F1 and accuracy of linear probes by every protocol, accuracy of nearest neighbors, and R2
    of continuous actions.  `features` has a row for each frame of the store.
    """
    numbers: Numbers = {}
    task, rows = behavior.task, behavior.rows
    step_features = None if features is None else features[rows].reshape(len(rows), -1)
    if task is not None:
        scores_by_protocol = (
            evaluate_majority(task, settings.sampling)
            if step_features is None
            else evaluate_features(step_features, task, settings, seed=seed, device=device, progress=progress)
        )
        for protocol, scores in scores_by_protocol.items():
            for name, score in scores.variables.items():
                numbers |= {f"{protocol}/{name}/{key}": value for key, value in score._asdict().items()}
    if task is not None and step_features is not None:
        for column, name in enumerate(task.names):
            n_neighbors = min(N_NEIGHBORS, len(task.train))
            accuracy = knn_accuracy(step_features, task.labels[:, column], task.train, task.test, n_neighbors)
            numbers[f"neighbors/{name}/accuracy"] = accuracy
    if behavior.acts is not None and step_features is not None:
        numbers |= evaluate_states(step_features, behavior.acts)
    return numbers


@array_arguments(features=1)
def collapse_statistics(features: Float[np.ndarray, "frames *dims"]) -> Numbers:
    """Return RankMe and spread on evenly spaced frames, which are the same for all features of a store."""
    flat = features.reshape(len(features), -1)
    rows = np.linspace(0, len(flat) - 1, min(COLLAPSE_SAMPLE_SIZE, len(flat))).astype(int)
    sample = np.asarray(flat[rows])
    rank = rankme(sample) if sample.any() else float("nan")
    return {"collapse/features/rankme": rank, "collapse/features/feature_std": feature_std(sample)}
