"""Base class of the features of tasks.

`TaskFeatures`   map of observations to features, in which rewards are linear
`FeatureUpdate`  inputs of a feature loss
"""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.agents.offline.zero_shot.networks import to_sphere
from rlpriors.agents.offline.zero_shot.samples import GoalBatch
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings

__all__ = ["FeatureUpdate", "TaskFeatures"]

MOMENTUM = 0.01  # of the running mean and second moment of features


class FeatureUpdate(NamedTuple):
    """Inputs of a feature loss."""

    batch: GoalBatch
    """Normalized observations, encoded actions."""
    skill: Float[Tensor, "batch dim"]
    """Skill of each row."""
    next_act: Float[Tensor, "batch act"]
    """Encoded action of the policy after the step, for the skill."""
    discount: Float[Tensor, "batch 1"]
    """Discount factor of the state after the step; 0 after a termination."""
    target: "TaskFeatures"
    """Moving average of the features."""


class TaskFeatures(nn.Module):
    """Map of observations to `dim` features, in which the rewards of tasks are linear.

    A skill z stands for the reward `features(s') . z`.  Subclasses define `task`, and `loss` if the features
    are trained.  Observations are normalized.

    Args:
        obs_dim: number of entries of an observation that the policy reads.
        task_entries: indices of the entries that tasks depend on.
        act_dim: number of entries of an encoded action.
        settings: settings of the agent.

    Example:
        >>> class FirstEntry(TaskFeatures):
        ...     def task(self, obs):
        ...         return obs[..., :1]
        >>> features = FirstEntry(2, (0, 1), act_dim=1, settings=ZeroShotSettings(dim=1))
        >>> features.track(torch.tensor([[1.0, 9.0], [3.0, 9.0]]), first=True)
        >>> features.mean, features.directions(torch.tensor([[7.0, 0.0], [0.0, 0.0]]), None)
        (tensor([2.]), tensor([[ 1.],
                [-1.]]))
    """

    differences: ClassVar[bool] = False
    """True if successor features sum the differences `task(s') - task(s)` instead of `task(s')`."""
    entries: Tensor
    mean: Tensor
    second_moment: Tensor

    def __init__(
        self, obs_dim: int, task_entries: tuple[int, ...], act_dim: int, settings: ZeroShotSettings
    ) -> None:
        super().__init__()
        self.obs_dim, self.act_dim, self.settings = obs_dim, act_dim, settings
        self.task_dim = len(task_entries)
        self.register_buffer("entries", torch.tensor(task_entries))
        self.register_buffer("mean", torch.zeros(self.dim))
        self.register_buffer("second_moment", torch.eye(self.dim))

    @property
    def dim(self) -> int:
        """Number of features, and of entries of a skill."""
        return self.settings.dim

    @property
    def state_dim(self) -> int:
        """Number of entries of the state that policy and successor features read."""
        return self.obs_dim

    def state(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch state"]:
        """Return the state that policy and successor features read; by default the observation."""
        return obs

    def task(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch dim"]:
        """Return the features of observations."""
        raise NotImplementedError

    def select(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch task"]:
        """Return the entries that tasks depend on."""
        return obs[..., self.entries]

    def loss(self, update: FeatureUpdate) -> Tensor:
        """Return the loss of the features; 0 for features that are not trained."""
        return torch.zeros((), device=self.mean.device)

    def successor_loss(
        self,
        predicted: Float[Tensor, "2 batch dim"],
        upcoming: Float[Tensor, "batch dim"],
        update: FeatureUpdate,
    ) -> Tensor:
        """Compute the loss of successor features: their squared temporal-difference error.

        Args:
            predicted: successor features of both networks.
            upcoming: successor features after the step, of the moving average.
            update: transitions and skills.
        """
        batch, target = update.batch, update.target
        with torch.no_grad():
            now = target.task(batch.obs_next)
            if self.differences:
                now = now - target.task(batch.obs)
            goal = now + update.discount * upcoming
        error: Tensor = (predicted - goal).square().mean((1, 2)).sum()
        return error

    @torch.no_grad()
    def track(self, obs: Float[Tensor, "batch obs"], first: bool) -> None:
        """Update the running mean and second moment of the features."""
        features = self.task(obs)
        rate = 1.0 if first else MOMENTUM
        self.mean.lerp_(features.mean(0), rate)
        self.second_moment.lerp_(features.T @ features / len(features), rate)

    def weights_of(self, moment: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return the least-squares weights of rewards from E[(features - mean) reward] over the data."""
        covariance = self.second_moment - self.mean.outer(self.mean)
        return _solve(covariance, moment.T).T

    def reward_weights(
        self, features: Float[Tensor, "batch dim"], rew: Float[Tensor, " batch"]
    ) -> Float[Tensor, " dim"]:
        """Return the weights of rewards from centered features and centered rewards, by least squares."""
        return _solve(features.T @ features / len(rew), features.T @ rew[:, None] / len(rew))[:, 0]

    def directions(
        self, goal: Float[Tensor, "batch obs"], obs: Float[Tensor, "batch obs"] | None
    ) -> Float[Tensor, "batch dim"]:
        """Return the skills that lead to goals; by default the reward is 1 at the goal and 0 elsewhere."""
        return to_sphere(self.weights_of(self.task(goal) - self.mean))


def _solve(covariance: Float[Tensor, "dim dim"], moment: Float[Tensor, "dim n"]) -> Float[Tensor, "dim n"]:
    """Solve for weights, with a ridge of 1e-4 of the mean variance."""
    covariance, moment = covariance.double(), moment.double()
    ridge = 1e-4 * covariance.diagonal().mean().clamp(min=1e-8)
    eye = torch.eye(len(covariance), dtype=torch.float64, device=covariance.device)
    weights: Tensor = torch.linalg.solve(covariance + ridge * eye, moment)
    return weights.float()
