"""Does the support check see what makes reward learning fail?

A prior learned from travels that never rest at a goal reaches the goal under guidance, but cannot
stay there, whatever the reward.  This trains one prior on such data and one on data with rests,
and asks both whether they cover demonstrations that stay at a goal.  About three minutes.

    python -m benchmarks.irl.support
"""

from pathlib import Path

import torch
from tianshou.algorithm.optim import TorchOptimizerFactory
from tianshou.trainer import OfflineTrainerParams

from benchmarks.tables import write_csv
from rlpriors.agents import CosineSchedule, TrajectoryDiffusion, check_support
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.controllers import WaypointSettings, rollout
from rlpriors.envs.maze.point_maze import OBS_KEYS, make_task
from rlpriors.scripts.demo.run import EARLY, make_policy

RESULTS = Path(__file__).parents[1] / "results" / "support.csv"
UPDATES = 1500


def main() -> None:
    """Print a table and write the csv."""
    torch.set_num_threads(1)
    task = make_task()
    rows = []
    for seed in (0, 1, 2):
        demonstrations = task.demonstrations(20, seed)
        for name, dwell in (("rests of 20 to 150 steps", (20, 150)), ("no rests", (0, 0))):
            travels = rollout(
                task.env_factory, 200, WaypointSettings(dwell=dwell), seed=100 + seed, progress=False
            )
            data = EpisodeStore.from_episodes(travels, OBS_KEYS)
            torch.manual_seed(seed)
            policy = make_policy(data, task, torch.device("cpu"), seed)
            optim = TorchOptimizerFactory(torch.optim.AdamW, lr=2e-3)
            prior = TrajectoryDiffusion(
                policy=policy,
                optim=optim.with_lr_scheduler_factory(CosineSchedule(UPDATES, 100)),
                seed=seed,
            )
            prior.run_training(
                OfflineTrainerParams(
                    buffer=to_buffer(data),
                    batch_size=128,
                    max_epochs=1,
                    epoch_num_steps=UPDATES,
                    show_progress=False,
                    verbose=False,
                )
            )
            support = check_support(policy, data, demonstrations, max_start=EARLY, seed=seed)
            rows.append({"data": name, "seed": seed, "coverage": round(support.coverage, 3)})
            print(
                f"{name:26s} seed {seed}: coverage {support.coverage:.2f}, sufficient: {support.sufficient}"
            )
    write_csv(RESULTS, ["data", "seed", "coverage"], (list(row.values()) for row in rows))


if __name__ == "__main__":
    main()
