"""Pictures of a reward and of plans by it over the training of the reward.

`most_different`   the two observation entries that differ most between demonstrations and data
`pictures_of`      pictures over the training, by their tags
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.input_use import entry_names
from rlpriors.rewards.base import RewardModel
from rlpriors.training.tracking.animation import Flipbook
from rlpriors.training.tracking.figures import figure_image, panel

__all__ = ["most_different", "pictures_of"]

N_POINTS, N_PATHS = 2000, 8


def most_different(demonstrations: EpisodeStore, data: EpisodeStore) -> tuple[int, int]:
    """Return the two observation entries whose means differ most, in standard deviations of the data.

    An observation of one entry returns it twice.

    Example:
        >>> from rlpriors.data import Episode
        >>> def store(obs):
        ...     steps = np.ones((1, 1)), *np.zeros((3, 1))
        ...     return EpisodeStore.from_episodes([Episode(np.array(obs), *steps)])
        >>> most_different(store([[9.0, 1, 5], [9, 1, 5]]), store([[0.0, 0, 0], [2, 2, 2]]))
        (0, 2)
    """
    shown, other = (store.obs.reshape(len(store.obs), -1) for store in (demonstrations, data))
    distance = np.abs(shown.mean(0) - other.mean(0)) / (other.std(0) + 1e-6)
    order = np.argsort(-distance, kind="stable")
    return int(order[0]), int(order[min(1, len(order) - 1)])


def pictures_of(
    reward: RewardModel,
    *,
    policy: DiffuserPolicy,
    demonstrations: EpisodeStore,
    data: EpisodeStore,
    folder: Path,
    length: int,
    seed: int,
) -> Mapping[str, Flipbook]:
    """Return pictures of a reward over its training, by their tags.

    - "pictures/reward_over_training": the reward of states of the data, over the two entries of
      `most_different`.
    - "pictures/plans_over_training": plans from the starts of demonstrations, over the same entries.

    Args:
        reward: reward that is trained, by which the policy plans.
        policy: planning policy.
        demonstrations: demonstrations.
        data: data of the prior.
        folder: folder of the pictures.
        length: number of updates of the training.
        seed: seed of the points and of the plans.
    """
    x, y = most_different(demonstrations, data)
    names = entry_names(data)
    steps = np.sort(np.random.default_rng(seed).permutation(data.n_steps)[:N_POINTS])
    points = data.transitions(steps)
    places = data.obs.reshape(len(data.obs), -1)[data.obs_index(steps)][:, [x, y]]
    n = min(N_PATHS, demonstrations.n_episodes)
    paths = [demonstrations.episode(i).obs.reshape(-1, points.obs.shape[1])[:, [x, y]] for i in range(n)]
    starts = np.stack([demonstrations.episode(i).obs[0].reshape(-1) for i in range(n)]).astype(np.float32)

    def label(ax: Axes) -> None:
        ax.set_xlabel(names[x])
        ax.set_ylabel(names[y])

    def draw_reward() -> UInt8[np.ndarray, "height width 3"]:
        with torch.no_grad():
            values = reward(*(part.to(reward.device) for part in points)).cpu().numpy()

        def draw(ax: Axes) -> None:
            shown = ax.scatter(places[:, 0], places[:, 1], c=values, s=8, linewidths=0)
            ax.figure.colorbar(shown, ax=ax, shrink=0.7)
            for path in paths:
                ax.plot(path[:, 0], path[:, 1], color="black", linewidth=0.8)
            label(ax)

        return figure_image(panel("reward, demonstrations", draw))

    def draw_plans() -> UInt8[np.ndarray, "height width 3"]:
        plans = _plan(policy, starts, seed)[..., [x, y]]

        def draw(ax: Axes) -> None:
            ax.scatter(places[:, 0], places[:, 1], color="0.85", s=4, linewidths=0)
            for number, plan in enumerate(plans):
                ax.plot(plan[:, 0], plan[:, 1], color=f"C{number % 10}", linewidth=1.5)
                ax.plot(*plan[0], "o", color="black", markersize=4)
            label(ax)

        return figure_image(panel("plans by the reward", draw))

    draws = {"reward_over_training": draw_reward, "plans_over_training": draw_plans}
    return {f"pictures/{name}": Flipbook(folder / name, draw, length=length) for name, draw in draws.items()}


def _plan(
    policy: DiffuserPolicy, starts: Float[np.ndarray, "plans obs"], seed: int
) -> Float[np.ndarray, "plans time obs"]:
    """Return the observations of one plan from each start; the policy is reseeded."""
    saved = policy.planner
    policy.planner = replace(policy.planner, n_candidates=1)
    policy.reseed(seed)
    try:
        with torch.no_grad():
            obs, _ = policy.layout.unpack(policy.plan(starts))
    finally:
        policy.planner = saved
    return obs.cpu().numpy()
