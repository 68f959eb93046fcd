"""Network inputs of score policies: observations, flags and actions of a window, and its known entries.

`ScoreInputs`   normalized windows
`known_actions` entries of the actions that are not sampled
`noise_times`   noise levels as integers
`score_network` network of actions, for `EDM`
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlpriors.agents.diffusion.score.settings import ScoreSettings
from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.edm import ScaledDenoiser
from rlpriors.types import Denoiser

__all__ = ["ScoreInputs", "known_actions", "noise_times", "score_network"]

N_TIMES = 1000  # noise levels that the networks tell apart, evenly spaced in the logarithm


class ScoreInputs(NamedTuple):
    """Windows in normalized units, oldest time step first."""

    obs: Float[Tensor, "batch past obs"]
    """Observations up to the current one."""
    act: Float[Tensor, "batch rows act"]
    """Past actions, then the current and future ones; the latter are 0 in a rollout."""
    valid: Bool[Tensor, "batch rows"]
    """True for time steps of the episode."""

    def repeat(self, n: int) -> "ScoreInputs":
        """Repeat each window `n` times in a row."""
        return ScoreInputs(*(part.repeat_interleave(n, 0) for part in self))


def known_actions(inputs: ScoreInputs, settings: ScoreSettings) -> Condition:
    """Return the condition of the actions that are not sampled.

    Actions before the episode are 0, and so are hidden past actions.  Given ones have their values.

    Example:
        >>> ones = torch.ones(1, 3, 1)
        >>> inputs = ScoreInputs(ones, ones, torch.tensor([[False, True, True]]))
        >>> known = known_actions(inputs, ScoreSettings(history=2, past_actions="given"))
        >>> known.mask.flatten().tolist(), known.value.flatten().tolist()
        ([True, True, False], [0.0, 1.0, 0.0])
    """
    past = torch.arange(settings.n_rows, device=inputs.act.device) < settings.history
    missing = past & ~inputs.valid
    known = missing if settings.past_actions == "predicted" else past.expand_as(missing)
    given = known & ~missing if settings.past_actions == "given" else torch.zeros_like(missing)
    return Condition(
        known[..., None].expand_as(inputs.act),
        torch.where(given[..., None], inputs.act, torch.zeros_like(inputs.act)),
    )


def noise_times(c_noise: Float[Tensor, " batch"], settings: ScoreSettings) -> Int[Tensor, " batch"]:
    """Return noise levels as integers, 0 for the smallest and 1000 for the largest.

    The networks of `rlpriors.networks` read integers.

    Example:
        >>> settings = ScoreSettings(sigma_range=(0.01, 1.0))
        >>> noise_times(torch.tensor([0.01, 0.1, 1.0]).log() / 4, settings)
        tensor([   0,  500, 1000])
    """
    low, high = torch.tensor(settings.sigma_range, dtype=torch.float64).log().tolist()
    fraction = (4 * c_noise - low) / (high - low)
    times: Tensor = (N_TIMES * fraction).round().clamp(0, N_TIMES).long()
    return times


def score_network(inputs: ScoreInputs, settings: ScoreSettings, denoiser: Denoiser) -> ScaledDenoiser:
    """Return the network of actions, which reads the window's observations next to them.

    A time step consists of the observation, a flag and the action.  Both are 0 for time steps outside the
    episode and after the current one.
    """
    n, n_past, n_obs = inputs.obs.shape
    state = inputs.act.new_zeros(n, settings.n_rows, n_obs + 1)
    flags = inputs.valid[:, :n_past, None]
    state[:, :n_past] = torch.cat([inputs.obs * flags, flags.to(state)], -1)

    def network(x: Tensor, c_noise: Tensor, /) -> Tensor:
        out = denoiser(torch.cat([state, x], -1), noise_times(c_noise, settings))
        return out[..., n_obs + 1 :]

    return network
