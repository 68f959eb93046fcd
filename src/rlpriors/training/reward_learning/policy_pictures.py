"""Pictures of a policy that was trained on a learned reward, one square panel each.

`draw_policy_pictures`  pictures by name
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.input_use import entry_names, input_use
from rlpriors.rewards.base import RewardModel
from rlpriors.training.drift_monitor import DriftMonitor
from rlpriors.training.tracking.figures import panel
from rlpriors.types import Transition

__all__ = ["draw_policy_pictures"]

N_PARTS, MOST_LINES, N_TRANSITIONS = 30, 12, 1000


def draw_policy_pictures(
    reward: RewardModel, demonstrations: EpisodeStore, rollouts: EpisodeStore, monitor: DriftMonitor
) -> dict[str, Figure]:
    """Return pictures of a trained policy, by name.

    - "drift": learned return and distance to the demonstrations over the training episodes.
    - "rollouts": episodes of the policy and demonstrations, over the two entries that the reward reads most.
    """
    names = entry_names(demonstrations)
    rng = np.random.default_rng(0)
    steps = rollouts.transitions(rng.permutation(rollouts.n_steps)[:N_TRANSITIONS])
    use = input_use(reward, Transition(*(part.to(reward.device) for part in steps)), names, rng)
    x, *rest = sorted(range(len(names)), key=lambda i: -use[names[i]])[:2]
    y = rest[0] if rest else x

    def drift(ax: Axes) -> None:
        columns = (monitor.learned_returns, monitor.distances)
        parts = np.array_split(np.arange(len(columns[0])), min(N_PARTS, max(1, len(columns[0]))))
        other = ax.twinx()
        axes = (ax, "tab:green", "learned return"), (other, "tab:red", "distance to demonstrations")
        for column, (axis, color, label) in zip(columns, axes, strict=True):
            if len(column):
                axis.plot([part.mean() for part in parts], [column[part].mean() for part in parts], color)
            axis.set_ylabel(label, color=color, fontsize=12)
        other.set_ylim(bottom=0)
        ax.set_xlabel("episode of the training")

    def paths(ax: Axes) -> None:
        for store, color, label in (
            (demonstrations, "black", "demonstrations"),
            (rollouts, "tab:orange", "policy"),
        ):
            for number in range(min(MOST_LINES, store.n_episodes)):
                path = store.episode(number).obs.reshape(int(store.lengths[number]) + 1, -1)
                first = label if number == 0 else None
                ax.plot(path[:, x], path[:, y], color=color, linewidth=0.9, alpha=0.7, label=first)
                ax.plot(path[-1, x], path[-1, y], "o", color=color, markersize=4)
        ax.set_xlabel(names[x])
        ax.set_ylabel(names[y])
        ax.legend()

    return {"drift": panel("Return and distance", drift), "rollouts": panel("Policy, demonstrations", paths)}
