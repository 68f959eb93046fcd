"""Original recipe of diffusion IRL, for comparison: a value of noisy windows, trained through the sampler.

`original_recipe`  recipe for a task, on a prior of a given shape
`OriginalRecipe`   settings of the value, the planner, the objective and the training

The first work on inverse reinforcement learning through a diffusion planner (2024) trained a network of
the flattened window that guides the noisy windows of all DDPM steps.  It used the full gradient of a
biased moving-bandwidth MMD between the first steps of plan and demonstration, and replanned at every
environment step with all denoising steps.  `original_recipe` applies this recipe to a prior and data of
this library, so that a comparison measures the recipe alone.

Differences from the original, because the prior and the data are shared with the other methods:

- The denoiser, its training, its noise levels (T) and the window layout are those of the prior.  With
  several environment steps per time step, a window has fewer time steps (128 or 384 in the mazes) and the
  value has a smaller input; the hidden layers are unchanged.  "The first 10 steps" are the time steps that
  begin within them.  The executed action of a plan is the mean over its first time step.
- Windows are sampled at random from all demonstrations and overlap.  The original used disjoint segments
  in a fixed order.  `n_updates` therefore counts batches only.
- Plan and demonstration are compared in normalized units instead of raw ones.  The original does so only
  in its locomotion environment, by accident.
- The bound on predicted clean windows passes gradients; the original's stops them.
- For HalfCheetah, planning is guided like training, scaled by the posterior variance.  The original's two
  branches disagree with each other and within themselves here.

As in the original, the reward is neither averaged nor penalized; the penalties are not computed.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.diffusion_irl import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.objectives import SamplerBackpropSettings
from rlpriors.arguments import check_arguments
from rlpriors.diffusion import GuidanceSettings, PlannerSettings
from rlpriors.rewards.divergences import DivergenceSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings

__all__ = ["OriginalRecipe", "OriginalTask", "original_recipe"]

OriginalTask = Literal["umaze", "large", "halfcheetah"]


@dataclass(frozen=True)
class OriginalRecipe:
    """Settings of the original recipe, for windows of one size.

    Example:
        >>> recipe = original_recipe("umaze", horizon=32, dim=6)
        >>> recipe.objective.first_steps, recipe.planner.n_steps, recipe.lr, recipe.n_updates
        (3, 50, 0.02, 8500)
    """

    value: TrajectoryValueSettings
    """Settings of the trained value."""

    planner: PlannerSettings
    """Settings of the planner, in training and in acting."""

    objective: SamplerBackpropSettings
    """Settings of the objective."""

    irl: DiffusionIRLSettings
    """Settings of `DiffusionIRL`: no penalties and no moving average."""

    lr: float
    """Constant learning rate of Adam."""

    batch_size: int
    """Number of windows in an update."""

    n_updates: int
    """Number of batches in the original's 500 epochs, which take hours; report an earlier stop."""

    replan_every: int = 1
    """Number of environment steps between plans."""

    def create_algorithm(self, policy: DiffuserPolicy, seed: int = 0) -> DiffusionIRL:
        """Create the algorithm with an untrained value, and set the policy's planner to the recipe's.

        Train it with `OfflineTrainerParams(buffer=demonstrations, batch_size=recipe.batch_size, ...)`.

        Args:
            policy: policy with the trained prior; its `planner`, `execution_horizon` and `replan_every` are
                replaced.
            seed: random seed of the value's initial weights, the batches and the noise.

        Raises:
            ValueError: the policy's windows or noise levels differ from those of the recipe.
        """
        layout, levels = policy.layout, policy.process.schedule.num_train_timesteps
        sizes = (layout.horizon, layout.dim, levels)
        expected = (self.value.horizon, self.value.dim, self.planner.n_steps)
        if sizes != expected:
            raise ValueError(
                "`policy` must have the horizon, entries of a time step and noise levels of the recipe, "
                f"{expected}. Received {sizes}; give these to `original_recipe`."
            )
        policy.planner, policy.execution_horizon, policy.replan_every = self.planner, 1, self.replan_every
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            value = TrajectoryValue(self.value)
        return DiffusionIRL(
            policy=policy,
            reward=value,
            optim=AdamOptimizerFactory(lr=self.lr),
            objective=self.objective,
            settings=self.irl,
            max_grad_norm=None,
            seed=seed,
        )


@check_arguments
def original_recipe(
    task: OriginalTask, horizon: int, dim: int, *, stride: int = 4, n_levels: int = 50
) -> OriginalRecipe:
    """Return the original recipe for a task, on a prior of this shape.

    Args:
        task: task of the original work, for its sizes and rates: "umaze", "large" or "halfcheetah".
        horizon: number of time steps of the prior's windows.
        dim: number of entries of a time step.
        stride: number of environment steps in a time step; the original's windows had 1.
        n_levels: number of noise levels of the prior, all of which are sampled; the original's priors had
            64, 256 and 20.

    Raises:
        ValueError: there is no such task, or a size is out of its bounds.
    """
    if task not in get_args(OriginalTask):
        raise ValueError(f"`task` must be one of {get_args(OriginalTask)}. Received {task!r}.")
    for name, size, least in (("horizon", horizon, 2), ("stride", stride, 1), ("n_levels", n_levels, 2)):
        if size < least:
            raise ValueError(f"`{name}` must be at least {least}. Received {size}.")
    recipe = _RECIPES[task]
    first = -(-recipe.matched_steps // stride)  # time steps that begin in these environment steps
    guidance = GuidanceSettings(
        weight=recipe.guidance, space="noisy", clip=None, n_repeats=2, stop_below=recipe.stop_below
    )
    return OriginalRecipe(
        value=TrajectoryValueSettings(horizon, dim, recipe.hidden),
        planner=PlannerSettings(
            n_candidates=1, n_steps=n_levels, sampler="ddpm", guidance=guidance, clip=recipe.clip
        ),
        objective=SamplerBackpropSettings(
            DivergenceSettings("mmd-rbf", biased=True, adaptive_bandwidth=True),
            gradient="full",
            inputs=("obs", "act"),
            first_steps=min(max(first, 2), horizon),  # the first one alone is equal in both windows
        ),
        irl=DiffusionIRLSettings(
            movement_fraction=0.0, gradient_penalty=0.0, magnitude_penalty=0.0, ema_decay=0.0
        ),
        lr=recipe.lr,
        batch_size=recipe.batch_size,
        n_updates=500 * -(-recipe.n_segments // recipe.batch_size),
    )


@dataclass(frozen=True)
class _Recipe:
    """Hand-set constants of the original for a task."""

    hidden: tuple[int, ...]
    guidance: float
    stop_below: int
    clip: float | None
    matched_steps: int
    lr: float
    batch_size: int
    n_segments: int


_RECIPES: dict[OriginalTask, _Recipe] = {
    "umaze": _Recipe((384, 128, 64), 0.1, 2, 1.0, 10, 2e-2, 16, 270),
    "large": _Recipe((1024, 512, 128), 0.1, 2, 1.0, 10, 2e-2, 16, 304),
    # Windows of 4 steps, all of them compared.
    "halfcheetah": _Recipe((64, 32, 16), 1e-3, 0, None, 4, 2e-3, 256, 10_000),
}
