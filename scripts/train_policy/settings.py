"""What `rlpriors train-policy` is told; apart from the rest so that `--help` need not import it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["TrainPolicySettings"]


@dataclass(frozen=True)
class TrainPolicySettings:
    """What `rlpriors train-policy` does.

    Raises:
        ValueError: a field is out of its bounds.
    """

    reward: Path
    """Folder of a saved reward, such as runs/demo-seed0/reward."""

    env: str
    """The environment's id, such as PointMaze_UMaze-v3; "module:Id-v0" imports the module first."""

    algorithm: Literal["auto", "sac", "td3", "ppo", "dqn"] = "auto"
    """What learns; "auto" is sac for Box actions and dqn for Discrete ones."""

    seed: int = 0
    """Seed of networks, actions, environments and evaluation."""

    env_steps: int = 25_600
    """Steps in all environments together."""

    n_envs: int = 16
    """Environments side by side."""

    random_steps: int = 1600
    """Steps of random actions at first; not for ppo."""

    update_per_step: float = 0.25
    """Updates for each step; more learns from fewer steps and takes longer.  Not for ppo."""

    batch_size: int = 128
    """Transitions in one update."""

    gamma: float = 0.99
    """Discount of a step."""

    lr: float = 1e-3
    """Learning rate."""

    hidden: tuple[int, ...] = (64, 64)
    """Width of each hidden layer; 256 256 for locomotion."""

    reward_scale: float = 1.0
    """Factor on the reward.  Of use where it is far from 1 a step: sac weighs it against entropy."""

    normalize: bool = False
    """Divide the reward by its running standard deviation over all that the agent has done, so that it
    is about 1 whatever it was learned as; --reward-scale multiplies what comes of that."""

    own_reward: bool = False
    """Learn on the environment's own reward instead: what the best learned reward could lead to."""

    max_episode_steps: int | None = None
    """Length of an episode; None for the environment's own."""

    env_args: str = "{}"
    """Further arguments for gymnasium.make, as JSON: '{"continuing_task": true}'."""

    mass: float = 1.0
    """Factor on every body's mass (MuJoCo)."""

    gravity: float = 1.0
    """Factor on gravity (MuJoCo)."""

    start_cells: tuple[tuple[int, int], ...] = ()
    """Row and column of each cell that episodes may start in (mazes); none for anywhere."""

    goal_cells: tuple[tuple[int, int], ...] = ()
    """Cells of the goal that the environment itself pays for (mazes), so that the true return means
    what the demonstrations did; none for anywhere."""

    blocked_cells: tuple[tuple[int, int], ...] = ()
    """Cells that are walled off (mazes)."""

    episodes: int = 100
    """Episodes of the evaluation, before training and after."""

    checkpoint_every: int = 8000
    """Steps between checkpoints, from where `--resume` goes on."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Threads of torch; such small networks gain nothing from more."""

    def __post_init__(self) -> None:
        for name in ("episodes", "threads", "n_envs"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if self.algorithm != "ppo" and not self.update_per_step * self.env_steps >= 1:
            raise ValueError(
                "`update_per_step` must give at least one update in `env_steps`. Received "
                f"{self.update_per_step} for {self.env_steps} steps; raise --update-per-step."
            )
        if self.normalize and self.own_reward:
            raise ValueError(
                "`normalize` is for the learned reward, which `own_reward` leaves out. Received both; drop "
                "--normalize, or --own-reward."
            )
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
        if self.max_episode_steps is not None and self.max_episode_steps < 1:
            raise ValueError(f"`max_episode_steps` must be at least 1. Received {self.max_episode_steps}.")
        try:
            arguments = json.loads(self.env_args)
        except json.JSONDecodeError as error:
            raise ValueError(f"`env_args` must be JSON. Received {self.env_args!r} ({error}).") from error
        if not isinstance(arguments, dict):
            raise ValueError(f"`env_args` must be a JSON object, {{...}}. Received {self.env_args!r}.")
