"""Settings of `rlpriors train-policy`.

`TrainPolicySettings`  settings of the command
`HELP`                 help of the command
"""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.training.online import OnlineSettings
from rlpriors.scripts.train_policy.offline_args import OfflineArgs

__all__ = ["HELP", "TrainPolicySettings"]

HELP = """
The policy receives only the reward of the saved model; it is never shown the environment's reward, which is
recorded as the true return.  The environment can differ from the one of the demonstrations:

    rlpriors train-policy --reward runs/demo-seed0/reward --env PointMaze_UMaze-v3 --goal-cells 3 1
    rlpriors train-policy ... --start-cells 1 1 --mass 2
    rlpriors train-policy ... --use-env-reward

The first command tests whether the reward leads to the goal of the demonstrations.  The second starts
episodes in one cell and doubles the mass.  The third trains on the environment's reward, for comparison.

With --offline the policy learns from recorded data, without an environment.  The reward labels the data:

    rlpriors train-policy --offline --data episodes.npz --reward runs/.../reward --env MyEnv-v0
    rlpriors train-policy --offline --data episodes.npz --env MyEnv-v0 --algorithm td3-bc

The second command trains on the rewards that the data contain.  --env only evaluates the policy, and can be
left out for data that record their action space.

It prints both returns before and after training, and compares rollouts with the demonstrations; --offline
prints the returns of the data and of the policy.  It writes runs/policy-<env>-<algorithm>-seed<seed>: the
policy in policy/, numbers in results.json, the comparison in report.md and figures/, and TensorBoard logs in
tensorboard/.
"""

ON_POLICY_STEPS = 2048
"""Number of steps between the updates of an on-policy algorithm."""


@dataclass(frozen=True, kw_only=True)
class TrainPolicySettings(OfflineArgs):
    """Settings of `rlpriors train-policy`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    reward: Path | None = None
    """Folder of a saved reward, such as runs/demo-seed0/reward, or hf:<owner>/<name> on the Hugging Face
    hub; only --offline works without one, on the rewards of the data."""

    demos: str | None = None
    """Demonstrations that rollouts are compared with: a .npz or .hdf5 file, a saved EpisodeStore, or a Minari
    id; by default those that learn-reward recorded next to the reward."""

    algorithm: Literal["auto", "sac", "td3", "ppo", "dqn", "iql", "td3-bc", "cql", "bc"] = "auto"
    """Algorithm; "auto" is sac for Box actions and dqn for Discrete actions.  With --offline: iql ("auto"),
    td3-bc, cql, or behavior cloning (bc), which reads no reward."""

    seed: int = 0
    """Random seed of networks, actions, environments and evaluation."""

    env_steps: int = 25_600
    """Number of training steps in all environments together."""

    n_envs: int = 16
    """Number of parallel environments."""

    random_steps: int = 1600
    """Number of random steps before the first update, below `env_steps`; ignored by ppo."""

    update_per_step: float = 0.25
    """Number of updates per step; ignored by ppo.  More updates need fewer steps and take longer."""

    batch_size: int = 128
    """Number of transitions in an update."""

    gamma: float = 0.99
    """Discount factor of a step."""

    lr: float = 1e-3
    """Learning rate."""

    hidden: tuple[int, ...] = (64, 64)
    """Width of each hidden layer; 256 256 for locomotion."""

    reward_scale: float = 1.0
    """Factor on the reward, for rewards far from 1 per step: sac weighs the reward against entropy."""

    normalize: bool = False
    """Division of the reward by its running standard deviation over all training steps, which makes it about
    1 at any scale; --reward-scale multiplies the result."""

    normalize_observations: bool = True
    """Observations in the normalized units of the reward for the policy's networks, which learn slowly from
    degrees next to meters; the map is saved with the policy."""

    use_env_reward: bool = False
    """Training on the environment's own reward instead: the upper bound for a learned reward."""

    mass: float = 1.0
    """Factor on the mass of every body (MuJoCo)."""

    gravity: float = 1.0
    """Factor on gravity (MuJoCo)."""

    start_cells: tuple[tuple[int, int], ...] = ()
    """Start cells of episodes as rows and columns (mazes); all free cells by default."""

    goal_cells: tuple[tuple[int, int], ...] = ()
    """Goal cells of the environment's reward as rows and columns (mazes), so that the true return has the
    goal of the demonstrations; all free cells by default."""

    blocked_cells: tuple[tuple[int, int], ...] = ()
    """Cells that become walls, as rows and columns (mazes)."""

    n_episodes: int = 100
    """Number of evaluation episodes, before training and after."""

    checkpoint_every: int = 8000
    """Number of steps, or of updates with --offline, between checkpoints; `--resume` continues from the last
    one."""

    exact_resume: bool = False
    """New episodes after each checkpoint, so that a resumed run equals an undisturbed one bit by bit (CPU).
    It cuts an episode of each environment, so `checkpoint_every / n_envs` should be many episodes."""

    device: str = "auto"
    """Device of the networks: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Number of threads of torch; small networks do not profit from more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_episodes", "threads", "n_envs", "env_steps", "batch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if self.random_steps < 0:
            raise ValueError(f"`random_steps` must be at least 0. Received {self.random_steps}.")
        if self.algorithm != "ppo" and not self.update_per_step * self.env_steps >= 1:
            raise ValueError(
                "`update_per_step` must give at least one update in `env_steps`. Received "
                f"{self.update_per_step} for {self.env_steps} steps; raise --update-per-step."
            )
        self.check_offline(self.reward, self.algorithm, self.checkpoint_every)
        if self.offline and (self.normalize or self.use_env_reward):
            raise ValueError(
                "`normalize` and `use_env_reward` are for training in an environment. Received one of them "
                "with --offline, which scales rewards itself; leave out --reward to train on the rewards of "
                "the data."
            )
        if self.normalize and self.use_env_reward:
            raise ValueError(
                "`normalize` is for the learned reward, which `use_env_reward` replaces. Received both; drop "
                "--normalize, or --use-env-reward."
            )
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")

    def change_arguments(self) -> dict[str, Any]:
        """Return the arguments of `make_changed_env` after the environment's id."""
        names = ("blocked_cells", "mass", "gravity", "start_cells", "goal_cells")
        return {"arguments": self.env_arguments(), **{name: getattr(self, name) for name in names}}

    def online_settings(self, *, on_policy: bool) -> "OnlineSettings":
        """Return the settings of `train_online`."""
        from rlpriors.training.online import OnlineSettings

        n = self.n_envs
        collect_steps = n
        if round(self.update_per_step * n) < 1:  # a few environments make several steps per update
            collect_steps = n * ceil(1 / (self.update_per_step * n))
        if on_policy:
            collect_steps = max(1, min(ON_POLICY_STEPS, self.env_steps) // n) * n
        return OnlineSettings(
            env_steps=self.env_steps,
            n_envs=n,
            random_steps=0 if on_policy else -(-self.random_steps // n) * n,
            collect_steps=collect_steps,
            update_per_step=1.0 if on_policy else self.update_per_step,
            batch_size=self.batch_size,
            reward_scale=self.reward_scale,
            checkpoint_every=self.checkpoint_every,
            exact_resume=self.exact_resume,
        )
