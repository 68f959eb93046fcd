"""Coverage of demonstrations by priors with and without rests at goals in their data.

A prior trained on data without rests at goals reaches a goal under guidance, but does not stay there with any
reward.  The command trains one prior on such data and one on data with rests.  For both it computes the
coverage of demonstrations that stay at a goal (`check_support`).  It takes about three minutes and writes
`results/irl_support.csv`.

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
from rlpriors.envs.maze.controllers import WaypointSettings
from rlpriors.envs.maze.point_maze import OBS_KEYS, make_task
from rlpriors.envs.maze.waypoint_rollout import waypoint_rollout
from rlpriors.scripts.demo.run import make_policy

RESULTS = Path(__file__).parents[1] / "results" / "irl_support.csv"
N_UPDATES = 1500


def main() -> None:
    """Run the command."""
    torch.set_num_threads(1)
    task = make_task()
    rows = []
    for seed in (0, 1, 2):
        demonstrations = task.demonstrations(20, seed)
        for name, dwell in (("rests of 20 to 150 steps", (20, 150)), ("no rests", (0, 0))):
            episodes = waypoint_rollout(
                task.env_factory, 200, WaypointSettings(dwell=dwell), seed=100 + seed, progress=False
            )
            data = EpisodeStore.from_episodes(episodes, OBS_KEYS)
            torch.manual_seed(seed)
            policy = make_policy(data, task, torch.device("cpu"), seed)
            optim = TorchOptimizerFactory(torch.optim.AdamW, lr=2e-3)
            prior = TrajectoryDiffusion(
                policy=policy,
                optim=optim.with_lr_scheduler_factory(CosineSchedule(N_UPDATES, 100)),
                seed=seed,
            )
            prior.run_training(
                OfflineTrainerParams(
                    buffer=to_buffer(data),
                    batch_size=128,
                    max_epochs=1,
                    epoch_num_steps=N_UPDATES,
                    show_progress=False,
                    verbose=False,
                )
            )
            support = check_support(policy, data, demonstrations, seed=seed)
            rows.append({"data": name, "seed": seed, "coverage": round(support.coverage, 3)})
            print(
                f"{name:26s} seed {seed}: coverage {support.coverage:.2f}, sufficient: {support.sufficient}"
            )
    write_csv(RESULTS, ["data", "seed", "coverage"], (list(row.values()) for row in rows))


if __name__ == "__main__":
    main()
