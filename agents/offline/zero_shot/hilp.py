"""Hilbert representations: features whose distances are the numbers of steps between states.

`HilbertFeatures`  features of HILP (arXiv 2402.15567)
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.offline.zero_shot.base import FeatureUpdate, TaskFeatures
from rlpriors.agents.offline.zero_shot.networks import build_encoder, to_sphere
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings

__all__ = ["HilbertFeatures"]


class HilbertFeatures(TaskFeatures):
    """Features whose distance is the discounted number of steps between states (arXiv 2402.15567).

    `-|f(s) - f(g)|` is trained as a goal-conditioned value with the reward -1 per step until the goal, by an
    expectile loss on temporal differences (section 4.1).  A skill is a direction z with the reward
    `(f(s') - f(s)) . z` (section 5).  The skill of a goal is `f(g) - f(s)`, renewed at every step.

    Example:
        >>> features = HilbertFeatures(3, (0, 1, 2), act_dim=1, settings=ZeroShotSettings(dim=4))
        >>> here, there = torch.zeros(1, 3), torch.ones(1, 3)
        >>> bool(features.value(here, there) < features.value(here, here))
        True
    """

    differences = True

    def __init__(
        self, obs_dim: int, task_entries: tuple[int, ...], act_dim: int, settings: ZeroShotSettings
    ) -> None:
        super().__init__(obs_dim, task_entries, act_dim, settings)
        self.encoder = build_encoder(self.task_dim, settings.hidden, settings.dim)

    def task(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch dim"]:
        features: Tensor = self.encoder(self.select(obs))
        return features

    def value(
        self, obs: Float[Tensor, "batch obs"], goal: Float[Tensor, "batch obs"]
    ) -> Float[Tensor, " batch"]:
        """Return minus the distance of features; the root is smooth at distance 0."""
        square = (self.task(obs) - self.task(goal)).square().sum(-1)
        return -square.clamp(min=1e-6).sqrt()

    def loss(self, update: FeatureUpdate) -> Tensor:
        """Compute the expectile loss of the values.

        A termination elsewhere than at the goal has the value of never reaching it, -1 / (1 - gamma).
        """
        batch, target, settings = update.batch, update.target, self.settings
        assert isinstance(target, HilbertFeatures)  # a copy of this module
        with torch.no_grad():
            upcoming = target.value(batch.obs_next, batch.goal)
            lost = batch.terminated & ~batch.reached
            upcoming = torch.where(lost, -1 / (1 - settings.gamma), upcoming)
            upcoming = torch.where(batch.reached, 0.0, upcoming)
            goal = torch.where(batch.at_goal, 0.0, -1 + settings.gamma * upcoming)
            better = goal >= target.value(batch.obs, batch.goal)
            weight = torch.where(better, settings.expectile, 1 - settings.expectile)
        error = goal - self.value(batch.obs, batch.goal)
        return (weight * error.square()).mean()

    def directions(
        self, goal: Float[Tensor, "batch obs"], obs: Float[Tensor, "batch obs"] | None
    ) -> Float[Tensor, "batch dim"]:
        """Return the directions from observations to goals; zero where both have the same features.

        Without observations, they start at the mean of the data.
        """
        start = self.mean if obs is None else self.task(obs)
        return to_sphere(self.task(goal) - start)
