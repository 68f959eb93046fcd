"""U-shaped maze of numpy: random walks in it, and the success of policies that reach goals."""

from collections.abc import Callable

import numpy as np

from rlpriors.data.episodes import Episode, EpisodeStore

STEP, RADIUS = 0.2, 0.3


def free(xy: np.ndarray) -> np.ndarray:
    """True inside the square [0, 3]^2, except for the wall 1 < x < 2, y > 1 between both arms."""
    inside = ((xy >= 0) & (xy <= 3)).all(-1)
    wall = (xy[..., 0] > 1) & (xy[..., 0] < 2) & (xy[..., 1] > 1)
    return inside & ~wall


def move(xy: np.ndarray, act: np.ndarray) -> np.ndarray:
    """Move by a fifth of the action, along each axis that is free."""
    for axis in (0, 1):
        moved = xy.copy()
        moved[..., axis] += STEP * np.clip(act[..., axis], -1, 1)
        xy = np.where(free(moved)[..., None], moved, xy)
    return xy


def points(n: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform free positions."""
    drawn = rng.uniform(0, 3, (4 * n + 64, 2))
    return drawn[free(drawn)][:n]


def random_walks(n: int = 600, steps: int = 100, seed: int = 0) -> EpisodeStore:
    rng = np.random.default_rng(seed)
    act = rng.uniform(-1, 1, (steps, n, 2)).astype(np.float32)
    obs = [points(n, rng)]
    for now in act:
        obs.append(move(obs[-1], now))
    rows = np.stack(obs, 1).astype(np.float32)
    end = np.arange(steps) == steps - 1
    none = np.zeros(steps)
    return EpisodeStore.from_episodes(
        Episode(rows[i], act[:, i], none, none.astype(bool), end) for i in range(n)
    )


def pairs(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Starts and goals, uniform."""
    rng = np.random.default_rng((1, seed))
    return points(n, rng), points(n, rng)


def opposite(starts: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """True where start and goal lie in different arms, above the connection."""
    arms = (starts[:, 1] > 1) & (goals[:, 1] > 1)
    return arms & ((starts[:, 0] < 1.5) != (goals[:, 0] < 1.5))


def successes(
    act: Callable[[np.ndarray, np.ndarray], np.ndarray],
    starts: np.ndarray,
    goals: np.ndarray,
    steps: int = 100,
) -> np.ndarray:
    """True where `act(xy, goals)` came within the radius of the goal."""
    xy, reached = starts, np.zeros(len(starts), bool)
    for _ in range(steps):
        xy = move(xy, act(xy, goals))
        reached |= np.linalg.norm(xy - goals, axis=1) < RADIUS
    return reached
