"""The original recipe as it was, to be compared with: a value of whole noisy windows, by backpropagation.

The first work on inverse reinforcement learning through a diffusion planner (2024) learned a
network of the whole flattened window that guides the noisy windows of all DDPM steps, by the full
gradient of a biased moving-bandwidth MMD between the first steps of plan and demonstration, and
planned anew at every environment step with the whole chain.  `original_recipe` is that recipe on a
prior and data of ours, so that a comparison tells of the recipe alone.

What differs from it, since the prior and the data are shared with everything it is compared with:

- the denoiser, its training, its noise levels (T) and the layout of windows are the prior's: with
  frames of several steps, a window is shorter in frames (128 or 384 in the mazes) and its value
  smaller at its input, while the hidden layers stay; "the first 10 steps" are the frames that
  begin in them; the one action that is executed of a plan is the mean over its first frame;
- windows are drawn at random from all of the demonstrations, overlapping, not always in one order
  of disjoint segments, so that `n_updates` counts batches alone;
- plan and demonstration are compared in normalized units, not in raw ones; the original does so
  by accident in its locomotion world alone;
- the bound on predicted clean windows passes gradients on, where the original's stops them;
- in the HalfCheetah world planning is guided as learning is, scaled by the posterior variance;
  the original's two branches disagree with one another and within themselves here.

The reward is neither averaged nor penalized, as in the original; such penalties are not computed.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.diffusion_irl import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.objectives import ChainSettings
from rlpriors.diffusion import GuidanceSettings, PlannerSettings
from rlpriors.rewards.divergences import DivergenceSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings

__all__ = ["OriginalRecipe", "SeedWorld", "original_recipe"]

SeedWorld = Literal["umaze", "large", "halfcheetah"]


@dataclass(frozen=True)
class OriginalRecipe:
    """All pieces of the original recipe, for windows of one size.

    Example:
        >>> recipe = original_recipe("umaze", horizon=32, dim=6)
        >>> recipe.objective.first_frames, recipe.planner.n_steps, recipe.lr, recipe.n_updates
        (3, 50, 0.02, 8500)
    """

    value: TrajectoryValueSettings
    """What is learned."""

    planner: PlannerSettings
    """How windows are made, in learning and in acting."""

    objective: ChainSettings
    """What it is learned by."""

    irl: DiffusionIRLSettings
    """No penalties and no average."""

    lr: float
    """Of Adam, constant."""

    batch_size: int
    """Windows in an update."""

    n_updates: int
    """Batches in the original's 500 epochs: hours.  Whoever stops sooner should say so."""

    replan_every: int = 1
    """Environment steps after which a new plan is made."""

    def learner(self, policy: DiffuserPolicy, seed: int = 0) -> DiffusionIRL:
        """The algorithm with an untrained value; from here on the policy plans as the recipe does.

        Train it by `OfflineTrainerParams(buffer=demonstrations, batch_size=recipe.batch_size, ...)`.

        Args:
            policy: holds the trained prior; its `planner`, `execute` and `replan_every` are replaced.
            seed: of the value's first weights, the batches and the noise.

        Raises:
            ValueError: the policy's windows or noise levels are not those of the recipe.
        """
        frames, levels = policy.frames, policy.process.schedule.num_train_timesteps
        sizes = (frames.horizon, frames.dim, levels)
        wanted = (self.value.horizon, self.value.dim, self.planner.n_steps)
        if sizes != wanted:
            raise ValueError(
                "`policy` must have the horizon, entries of a frame and noise levels that the recipe was "
                f"made for, {wanted}. Received {sizes}; give these to `original_recipe`."
            )
        policy.planner, policy.execute, policy.replan_every = self.planner, 1, self.replan_every
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


def original_recipe(
    world: SeedWorld, horizon: int, dim: int, *, stride: int = 4, n_levels: int = 50
) -> OriginalRecipe:
    """The original recipe for a world, on a prior of this shape.

    Args:
        world: whose sizes and rates: "umaze", "large" or "halfcheetah".
        horizon: frames of the prior's windows.
        dim: numbers in a frame.
        stride: environment steps in a frame; the original's windows had frames of one step.
        n_levels: noise levels of the prior, all of which are sampled; the original's had 64, 256
            and 20.

    Raises:
        ValueError: there is no such world, or a size is out of its bounds.
    """
    if world not in get_args(SeedWorld):
        raise ValueError(f"`world` must be one of {get_args(SeedWorld)}. Received {world!r}.")
    for name, size, least in (("horizon", horizon, 2), ("stride", stride, 1), ("n_levels", n_levels, 2)):
        if size < least:
            raise ValueError(f"`{name}` must be at least {least}. Received {size}.")
    recipe = _RECIPES[world]
    first = -(-recipe.matched_steps // stride)  # frames that begin in these steps
    guidance = GuidanceSettings(
        weight=recipe.guidance, space="noisy", clip=None, n_repeats=2, stop_below=recipe.stop_below
    )
    return OriginalRecipe(
        value=TrajectoryValueSettings(horizon, dim, recipe.hidden),
        planner=PlannerSettings(
            n_candidates=1, n_steps=n_levels, sampler="ddpm", guidance=guidance, clip=recipe.clip
        ),
        objective=ChainSettings(
            DivergenceSettings("mmd-rbf", biased=True, moving=True),
            gradient="full",
            inputs=("obs", "act"),
            first_frames=min(max(first, 2), horizon),  # the first alone is given
        ),
        irl=DiffusionIRLSettings(gradient_penalty=0.0, magnitude_penalty=0.0, ema_decay=0.0),
        lr=recipe.lr,
        batch_size=recipe.batch_size,
        n_updates=500 * -(-recipe.n_segments // recipe.batch_size),
    )


@dataclass(frozen=True)
class _Recipe:
    """What the original set by hand for a world."""

    hidden: tuple[int, ...]
    guidance: float
    stop_below: int
    clip: float | None
    matched_steps: int
    lr: float
    batch_size: int
    n_segments: int


_RECIPES: dict[SeedWorld, _Recipe] = {
    "umaze": _Recipe((384, 128, 64), 0.1, 2, 1.0, 10, 2e-2, 16, 270),
    "large": _Recipe((1024, 512, 128), 0.1, 2, 1.0, 10, 2e-2, 16, 304),
    # Its windows were of 4 steps, all of them compared.
    "halfcheetah": _Recipe((64, 32, 16), 1e-3, 0, None, 4, 2e-3, 256, 10_000),
}
