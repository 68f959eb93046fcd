"""Windows with independent normal entries, for which diffusion, ratios and rewards are known."""

from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor, nn

from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
from rlpriors.agents.irl.objectives import Objective, ObjectiveInput
from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion import DiffusionProcess, GuidanceSettings, NoiseSchedule, PlannerSettings
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.types import Window

HORIZON = 4


class NormalDenoiser(nn.Module):
    """Optimal denoiser of windows with unit variance: E[x_0 | x_t] = m + sqrt(abar) (x_t - sqrt(abar) m)."""

    def __init__(self, process: DiffusionProcess, mean: Tensor) -> None:
        super().__init__()
        self.process, self.mean = process, nn.Parameter(mean)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        root = self.process.schedule.at(t).sqrt()
        return self.mean + root * (x - root * self.mean)


def shifted(by: float) -> Tensor:
    """Return the mean of windows in which all observations but the first are shifted."""
    mean = torch.zeros(HORIZON, 2)
    mean[1:, 0] = by
    return mean


def normal_policy(weight: float = 1.0) -> DiffuserPolicy:
    """Create a policy with the optimal prior of standard normal windows."""
    process = DiffusionProcess(NoiseSchedule(5))
    return DiffuserPolicy(
        denoiser=NormalDenoiser(process, shifted(0.0)),
        process=process,
        layout=TrajectoryLayout(HORIZON, 1, Normalizer.identity(1), Normalizer.identity(1)),
        action_space=gym.spaces.Box(-1, 1, (1,)),
        planner=PlannerSettings(guidance=GuidanceSettings(weight=weight)),
        device="cpu",
    )


def linear_reward() -> MLPReward:
    """r = slope * s + level, both 0 at first."""
    reward = MLPReward(RewardSettings(1, 1, hidden=()))
    with torch.no_grad():
        reward.net[0].weight.zero_()
        reward.net[0].bias.zero_()
    return reward


def normal_update(
    policy: DiffuserPolicy, reward: nn.Module, by: float, n: int, step: int = 1
) -> ObjectiveInput:
    """Create an update with `n` windows around `shifted(by)` and standard normal prior data."""
    generator = torch.Generator().manual_seed(0)
    expert = shifted(by) + torch.randn(n, HORIZON, 2, generator=generator)
    prior_data = torch.randn(n, HORIZON, 2, generator=generator)
    inside = torch.ones(n, HORIZON, dtype=torch.bool)
    return ObjectiveInput(
        policy=policy,
        online=reward,
        averaged=reward,
        window=Window(expert[..., :1], expert[..., 1:], inside, ~inside),
        expert=expert,
        sample_prior_data=lambda n: prior_data[:n],
        generator=generator,
        step=step,
    )


def fit(
    objective: Objective, update: ObjectiveInput, learned: Iterable[nn.Parameter], **options: Any
) -> None:
    """Minimize the objective's loss of this update by L-BFGS, with equal draws in every evaluation."""
    optimizer = torch.optim.LBFGS([*learned], line_search_fn="strong_wolfe", **options)

    def closure() -> Tensor:
        optimizer.zero_grad()
        update.generator.manual_seed(1)
        loss = objective(update).loss
        loss.backward()
        return loss

    optimizer.step(closure)
