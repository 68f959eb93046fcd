"""Penalties that keep a learned reward smooth, bounded and slow.

`add_penalties`     loss with the weighted penalties of the settings
`window_variation`  temporal variation of the windows of a data set
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.irl.settings import DiffusionIRLSettings
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.losses import gradient_penalty, slowness_penalty, temporal_variation
from rlpriors.rewards.trajectory_value import TrajectoryValue
from rlpriors.types import Window

__all__ = ["add_penalties", "window_variation"]

_N_WINDOWS = 2048
"""Maximum number of windows from which a temporal variation is computed."""


def add_penalties(
    loss: Float[Tensor, ""],
    reward: RewardModel | TrajectoryValue,
    layout: TrajectoryLayout,
    settings: DiffusionIRLSettings,
    *,
    expert: Float[Tensor, "batch horizon dim"],
    samples: Float[Tensor, "batch horizon dim"],
    variation: Float[Tensor, " dim"],
    sample_data: Callable[[int], Tensor] | None,
    generator: torch.Generator,
) -> tuple[Float[Tensor, ""], float]:
    """Add the weighted penalties to `loss`; return the gradient penalty before its weight too.

    Args:
        loss: loss of the objective.
        reward: reward that is trained.
        layout: normalization of the windows.
        settings: weights of the penalties; those of weight 0 are not computed.
        expert: normalized windows of the demonstrations.
        samples: normalized negatives.
        variation: temporal variation of each entry, which weighs the gradient penalty.
        sample_data: function that returns windows of the prior's data, which the slowness penalty reads;
            None for the negatives.
        generator: random generator of the windows between `expert` and `samples`, and of uniform ones.
    """
    penalty = 0.0
    # A penalty costs as much as the objective.
    if settings.gradient_penalty > 0:
        exponent = settings.temporal_variation_exponent
        weight = variation**exponent if exponent > 0 else None
        if weight is not None:
            weight = weight / weight[: layout.obs_dim].mean()
        slope = gradient_penalty(layout.value(reward), expert, samples, generator, weight=weight)
        loss = loss + settings.gradient_penalty * slope
        penalty = slope.item()
    if settings.magnitude_penalty > 0:
        uniform = 2 * torch.rand(expert.shape, generator=generator, device=expert.device) - 1
        loss = loss + settings.magnitude_penalty * layout.rewards(reward, uniform).square().mean()
    if settings.slowness_penalty > 0:
        windows = samples if sample_data is None else sample_data(len(expert))
        loss = loss + settings.slowness_penalty * slowness_penalty(layout.rewards(reward, windows))
    return loss, penalty


def window_variation(
    windows: WindowBuffer, layout: TrajectoryLayout, seed: int, device: torch.device
) -> Float[Tensor, " dim"]:
    """Return the temporal variation of each entry of a time step, from at most 2048 random windows."""
    store = windows.store
    starts = store.window_starts(layout.horizon, layout.stride, absorbing=layout.absorbing)
    n = min(_N_WINDOWS, len(starts))
    starts = np.random.default_rng(seed).choice(starts, n, replace=False)
    sample = store.windows(starts, layout.horizon, layout.stride)
    return temporal_variation(layout.pack(Window(*(part.to(device) for part in sample))))
