"""Trajectory sets on which rewards are compared.

`TrajectorySet`           trajectories and their origin
`make_trajectory_sets`    base, expert-mixed and perturbed trajectories
`write_trajectory_sets`   file with the chosen episodes
`read_trajectory_sets`    the same trajectories from that file

The correlation of returns depends on the trajectories: a reward can be right on the base data and wrong
near experts, or the reverse.  Therefore there are three sets.  Each trajectory is a whole episode,
because overlapping windows would overstate the evidence.  The choice is saved, so that all methods are
evaluated on the same trajectories.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.storage.atomic import write_atomically

__all__ = ["TrajectorySet", "make_trajectory_sets", "read_trajectory_sets", "write_trajectory_sets"]


@dataclass(frozen=True, eq=False)
class TrajectorySet:
    """Trajectories for the evaluation of rewards, and their origin.

    Example:
        >>> store = EpisodeStore(np.zeros((4, 1)), np.zeros((2, 1)), np.zeros(2),
        ...     np.zeros(2, bool), np.ones(2, bool), np.array([1, 1]))
        >>> TrajectorySet("base", store, ("base", "base"), np.array([1, 0])).store.n_episodes
        2
    """

    name: str
    store: EpisodeStore
    source: tuple[str, ...]
    """Name of each trajectory's store."""
    episode: Int[np.ndarray, " trajectories"]
    """Episode number of each trajectory in its store."""
    noise: float = 0.0
    """Noise on observations and actions, in standard deviations of the base data."""
    seed: int = 0
    """Random seed of the noise."""


@check_arguments
def make_trajectory_sets(
    base: EpisodeStore,
    expert: EpisodeStore,
    n: int = 500,
    *,
    seed: int,
    expert_share: float = 0.5,
    perturbed: EpisodeStore | None = None,
    noise: float = 0.1,
) -> tuple[TrajectorySet, TrajectorySet, TrajectorySet]:
    """Draw three sets of `n` trajectories: base, expert mixed with base, and perturbed.

    All are drawn without replacement.  `expert` should differ from the demonstrations that the reward
    was learned from.  `perturbed` should hold rollouts of the expert with some random actions.  Without
    it, the mixed trajectories get normal `noise` on observations and (real) actions, in standard
    deviations of the base data; such trajectories may be impossible in the environment.

    Raises:
        ValueError: an argument is out of bounds, or a store holds too few episodes.
    """
    if n < 2 or seed < 0 or not 0 < expert_share < 1 or not 0 <= noise <= 1e6:
        raise ValueError(
            "`n` must be at least 2, `seed` at least 0, `noise` in [0, 1e6] and `expert_share` in (0, 1). "
            f"Received {n}, {seed}, {noise} and {expert_share}."
        )
    stores = {"base": base, "expert": expert} | ({} if perturbed is None else {"perturbed": perturbed})
    experts = min(max(1, round(n * expert_share)), n - 1)
    rng = np.random.default_rng(seed)
    choice: dict[str, dict[str, Any]] = {}
    for name, parts in (
        ("base", {"base": n}),
        ("mixed", {"expert": experts, "base": n - experts}),
        ("perturbed", {} if perturbed is None else {"perturbed": n}),
    ):
        for source, count in parts.items():
            if stores[source].n_episodes < count:
                raise ValueError(
                    f"`{source}` must hold at least {count} episodes for `n` {n} trajectories, all "
                    f"distinct. Received {stores[source].n_episodes}; record more, or use a smaller `n`."
                )
        source_names = [source for source, count in parts.items() for _ in range(count)]
        drawn = [
            rng.choice(stores[source].n_episodes, count, replace=False) for source, count in parts.items()
        ]
        choice[name] = {"source": source_names, "episode": np.concatenate(drawn).tolist() if drawn else []}
    if perturbed is None:
        choice["perturbed"] = choice["mixed"] | {"noise": noise, "seed": seed}
    built = [_build(name, stores, **parts) for name, parts in choice.items()]
    return built[0], built[1], built[2]


def write_trajectory_sets(
    path: str | Path, coverages: Sequence[TrajectorySet], stores: Mapping[str, EpisodeStore]
) -> Path:
    """Save the chosen episodes as JSON; `stores` are the stores that they were drawn from.

    Raises:
        ValueError: a set's source is not among `stores`.
    """
    sources = {source for coverage in coverages for source in coverage.source}
    if not sources <= set(stores):
        raise ValueError(f"`stores` must hold {sorted(sources)}. Received {sorted(stores)}.")
    content = {
        "stores": {
            name: {"episodes": store.n_episodes, "steps": store.n_steps} for name, store in stores.items()
        },
        "coverages": {
            coverage.name: {
                "source": list(coverage.source),
                "episode": coverage.episode.tolist(),
                "noise": coverage.noise,
                "seed": coverage.seed,
            }
            for coverage in coverages
        },
    }
    data = json.dumps(content).encode()

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomically(path, write)
    return Path(path)


def read_trajectory_sets(path: str | Path, stores: Mapping[str, EpisodeStore]) -> tuple[TrajectorySet, ...]:
    """Load the same trajectories from the file of `write_trajectory_sets` and the same `stores`.

    Raises:
        ValueError: a store is missing or has a different size than in the file, or the file has another
            format.
        FileNotFoundError: there is no file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        sizes = {name: (size["episodes"], size["steps"]) for name, size in content["stores"].items()}
        parts: dict[str, dict[str, Any]] = content["coverages"]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`path` must be a file of `write_trajectory_sets`. Received {path} ({error!r}); write it again."
        ) from error
    for name, size in sizes.items():
        store = stores.get(name)
        received = None if store is None else (store.n_episodes, store.n_steps)
        if received != size:
            raise ValueError(
                f'`stores` must hold "{name}" with the {size} episodes and steps of {path}. '
                f"Received {received}; pass the same data, or draw again with `make_trajectory_sets`."
            )
    return tuple(_build(name, stores, **part) for name, part in parts.items())


def _build(
    name: str,
    stores: Mapping[str, EpisodeStore],
    source: Sequence[str],
    episode: Sequence[int],
    noise: float = 0.0,
    seed: int = 0,
) -> TrajectorySet:
    """Join the chosen episodes and add the noise, drawn from `seed`."""
    chosen = (stores[where].episode(number) for where, number in zip(source, episode, strict=True))
    store = EpisodeStore.from_episodes(chosen)
    if noise > 0:
        rng = np.random.default_rng(seed)
        base = stores["base"]
        changed = {}
        for column in ("obs", "act"):
            values = getattr(store, column)
            if values.dtype.kind == "f":
                spread = noise * getattr(base, column).std(0)
                changed[column] = values + rng.standard_normal(values.shape) * spread
        rest = {column: getattr(store, column) for column in ("obs", "act", "rew", "terminated", "truncated")}
        store = EpisodeStore(**(rest | changed), lengths=store.lengths)
    return TrajectorySet(name, store, tuple(source), np.asarray(episode, np.int64), noise, seed)
