"""Which trajectories rewards are judged on.

`three_coverages`      base, expert-mixed and perturbed trajectories, each of another episode
`write_coverages`, `read_coverages`  which episodes these were, as a file, and back

Correlating returns depends on the trajectories: on those of the base alone a reward may look good
that is wrong near experts, and the other way round.  So there are three sets, each trajectory is a
whole episode of its own (overlapping windows would count as more evidence than they are), and the
choice is saved, so that every method is judged on the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from rlpriors.checkpoint import write_atomically
from rlpriors.data.episodes import EpisodeStore

__all__ = ["Coverage", "read_coverages", "three_coverages", "write_coverages"]


@dataclass(frozen=True, eq=False)
class Coverage:
    """Trajectories to judge rewards on, and where they are from.

    Example:
        >>> store = EpisodeStore(np.zeros((4, 1)), np.zeros((2, 1)), np.zeros(2),
        ...     np.zeros(2, bool), np.ones(2, bool), np.array([1, 1]))
        >>> Coverage("base", store, ("base", "base"), np.array([1, 0])).store.n_episodes
        2
    """

    name: str
    store: EpisodeStore
    source: tuple[str, ...]
    """The store that each trajectory is an episode of."""
    episode: Int[np.ndarray, " trajectories"]
    """Its number there."""
    noise: float = 0.0
    """What was added to observations and actions, in standard deviations of the base's."""
    seed: int = 0
    """What the noise was drawn with."""


def three_coverages(
    base: EpisodeStore,
    expert: EpisodeStore,
    n: int = 500,
    *,
    seed: int,
    expert_share: float = 0.5,
    perturbed: EpisodeStore | None = None,
    noise: float = 0.1,
) -> tuple[Coverage, Coverage, Coverage]:
    """`n` trajectories each: of the base, of experts and base mixed, and perturbed ones.

    All are drawn without replacement.  `expert` should be other episodes than the demonstrations
    that the reward was learned from.  Best give `perturbed`: rollouts of the expert with some random
    actions.  Without it, the mixed trajectories get normal `noise` on observations and (real) actions,
    in standard deviations of the base's, which may leave the world's free space.

    Raises:
        ValueError: an argument is out of bounds, or a store holds too few episodes.
    """
    if n < 2 or seed < 0 or not 0 < expert_share < 1 or noise < 0:
        raise ValueError(
            "`n` must be at least 2, `seed` and `noise` at least 0 and `expert_share` in (0, 1). "
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
                    f"distinct. Received {stores[source].n_episodes}; record more, or take a smaller `n`."
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


def write_coverages(
    path: str | Path, coverages: Sequence[Coverage], stores: Mapping[str, EpisodeStore]
) -> Path:
    """Save which episodes the coverages hold, as JSON; `stores` are those that they were drawn from.

    Raises:
        ValueError: a coverage's source is not among `stores`.
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


def read_coverages(path: str | Path, stores: Mapping[str, EpisodeStore]) -> tuple[Coverage, ...]:
    """The same trajectories again, from the file of `write_coverages` and the same `stores`.

    Raises:
        ValueError: the stores have other sizes than those that the file was written for, or one is
            missing, or the file is no such file.
        FileNotFoundError: there is no file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        sizes = {name: (size["episodes"], size["steps"]) for name, size in content["stores"].items()}
        parts: dict[str, dict[str, Any]] = content["coverages"]
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`path` must be a file of `write_coverages`. Received {path} ({error!r}); write it again."
        ) from error
    for name, size in sizes.items():
        found = stores.get(name)
        here = None if found is None else (found.n_episodes, found.n_steps)
        if here != size:
            raise ValueError(
                f'`stores` must hold "{name}" as it was when {path} was written, {size} episodes and steps. '
                f"Received {here}; give the same data, or draw anew with `three_coverages`."
            )
    return tuple(_build(name, stores, **part) for name, part in parts.items())


def _build(
    name: str,
    stores: Mapping[str, EpisodeStore],
    source: Sequence[str],
    episode: Sequence[int],
    noise: float = 0.0,
    seed: int = 0,
) -> Coverage:
    """Join the chosen episodes, and add the noise, drawn from `seed` for the whole."""
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
    return Coverage(name, store, tuple(source), np.asarray(episode, np.int64), noise, seed)
