"""Pictures of a learned reward, one square panel each.

`draw_pictures`  pictures by name
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.held_out import window_means
from rlpriors.evaluation.rewards.input_use import entry_names
from rlpriors.rewards.base import RewardModel
from rlpriors.training.tracking.figures import panel

__all__ = ["draw_pictures"]

MOST_LINES, MOST_POINTS, MOST_BARS = 12, 4000, 12


def draw_pictures(
    reward: RewardModel,
    demonstrations: EpisodeStore,
    data: EpisodeStore,
    use: Mapping[str, float],
    *,
    length: int,
    seed: int = 0,
) -> dict[str, Figure]:
    """Return pictures of the reward on held-out episodes, by name.

    - "reward_along_episodes": the reward over time.
    - "window_rewards": histograms of the mean rewards of windows.
    - "reward_map": the reward of the data's states over the two entries that it reads most, with the
      demonstrations.
    - "input_use": the share of each input entry.
    """
    shown, other = (store.relabel(reward) for store in (demonstrations, data))
    entries = entry_names(data)
    most = sorted(range(len(entries)), key=lambda i: -use.get(entries[i], 0.0))[:2]
    rng = np.random.default_rng(seed)
    means = [window_means(reward, store, length)[0] for store in (demonstrations, data)]

    def along(ax: Axes) -> None:
        for store, color, label in ((other, "0.6", "data"), (shown, "tab:blue", "demonstrations")):
            for number in range(min(MOST_LINES, store.n_episodes)):
                line = store.episode(number).rew
                ax.plot(line, color=color, linewidth=0.9, alpha=0.8, label=label if number == 0 else None)
        ax.set_xlabel("step")
        ax.legend()

    def windows(ax: Axes) -> None:
        bins = np.histogram_bin_edges(np.concatenate(means), 30).tolist()
        for values, color, label in zip(means, ("tab:blue", "0.6"), ("demonstrations", "data"), strict=True):
            ax.hist(values, bins, density=True, color=color, alpha=0.7, label=label)
        ax.set_xlabel("mean reward of a window")
        ax.legend()

    def area(ax: Axes) -> None:
        steps = np.sort(rng.permutation(other.n_steps)[:MOST_POINTS])
        flat = other.obs.reshape(len(other.obs), -1)[other.obs_index(steps)]
        x, y = most[0], most[-1]
        points = ax.scatter(flat[:, x], flat[:, y], c=other.rew[steps], s=6, linewidths=0)
        ax.figure.colorbar(points, ax=ax, shrink=0.8)
        for number in range(min(MOST_LINES, shown.n_episodes)):
            path = shown.episode(number).obs.reshape(int(shown.lengths[number]) + 1, -1)
            ax.plot(path[:, x], path[:, y], color="black", linewidth=0.8)
            ax.plot(path[-1, x], path[-1, y], "o", color="red", markersize=4)
        ax.set_xlabel(entries[x])
        ax.set_ylabel(entries[y])

    def bars(ax: Axes) -> None:
        ranked = sorted(use.items(), key=lambda item: -item[1])[:MOST_BARS][::-1]
        ax.barh([name for name, _ in ranked], [share for _, share in ranked])
        ax.set_xlabel("share of the reward's variance")

    return {
        "reward_along_episodes": panel("Reward along episodes", along),
        "window_rewards": panel("Rewards of windows", windows),
        "reward_map": panel("Reward and demonstrations", area),
        "input_use": panel("Inputs of the reward", bars),
    }
