"""What an encoder shows of a robot's positions and velocities.

`judge_states`               R2 of each by ridge regression, beside the controls
`state_table`, `state_rows`  these for people and for programs
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.evaluation.probes import shrink
from rlpriors.evaluation.state_probes import ridge_r2
from rlpriors.scripts.probe_subjects import encoded, forget

__all__ = ["judge_states", "state_rows", "state_table"]


def judge_states(
    store: FrameStore, encoders: Mapping[str, ImageEncoder], run: Path, *, seed: int = 0, device: str = "auto"
) -> dict[str, dict[str, float]]:
    """R2 of every position and velocity from pixels, a random network and `encoders`, by name.

    Raises:
        ValueError: the store has neither `qpos` nor `qvel`, or fewer than three episodes.
    """
    names = [name for name in ("qpos", "qvel") if name in store.arrays]
    if not names or store.n_episodes < 3:
        raise ValueError(
            f"`data` must hold `qpos` or `qvel` of at least 3 episodes. {store.folder} holds "
            f"{sorted(store.arrays)} of {store.n_episodes}."
        )
    targets = np.concatenate([store.arrays[name] for name in names], axis=1)
    columns = [f"{name}[{i}]" for name in names for i in range(store.arrays[name].shape[1])]
    order = np.random.default_rng(seed).permutation(store.n_episodes)
    n_val, n_test = (max(1, round(share * len(order))) for share in (0.1, 0.2))
    rows = [np.arange(start, start + n) for start, n in zip(store.starts, store.lengths, strict=True)]
    val, test, train = (
        np.concatenate([rows[episode] for episode in part])
        for part in np.split(order, [n_val, n_val + n_test])
    )
    control = load_encoder("nature-cnn", weights="none", seed=seed, device=device, chunk_size=256)
    seers = {"random-cnn": control, **encoders}
    found = {}
    for number, name in enumerate(("pixels", *seers)):
        kept = run / "features" / str(number)
        features = shrink(store.frames) if name == "pixels" else encoded(store, seers[name], kept)
        flat = features.reshape(store.n_frames, -1)
        scores = ridge_r2(flat, targets, train, val, test)
        found[name] = dict(zip(columns, scores.tolist(), strict=True))
    forget(run / "features")
    return found


def state_table(world: str, subjects: Mapping[str, Mapping[str, float]]) -> Table:
    """R2 of every position and velocity, and their means."""
    table = Table(title=f"{world}: R2 of positions and velocities by ridge regression")
    table.add_column("target")
    for name in subjects:
        table.add_column(name, justify="right")
    targets = next(iter(subjects.values()))
    for target in targets:
        table.add_row(target, *(f"{scores[target]:.2f}" for scores in subjects.values()))
    table.add_section()
    for kind in ("qpos", "qvel"):
        if any(target.startswith(kind) for target in targets):
            table.add_row(f"mean {kind}", *(f"{_mean(scores, kind):.2f}" for scores in subjects.values()))
    return table


def state_rows(world: str, subjects: Mapping[str, Mapping[str, float]], seed: int) -> list[list[Any]]:
    """R2 of every target of every subject."""
    return [
        [world, name, "standardised", seed, target, round(score, 4)]
        for name, scores in subjects.items()
        for target, score in scores.items()
    ]


def _mean(scores: Mapping[str, float], kind: str) -> float:
    return float(np.nanmean([score for target, score in scores.items() if target.startswith(kind)]))
