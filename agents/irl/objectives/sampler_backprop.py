"""Make guided samples look like the demonstrations, by a gradient through the sampler.

A window is sampled from the prior under guidance by the reward, from the start state of each
demonstration; a divergence between these windows and the demonstrated ones is the loss, and its
gradient goes back through the denoising steps into the reward.  The idea is that of the first work
on inverse reinforcement learning through a diffusion planner; here the divergence has no bias and
a scale that stays, guidance acts on clean windows, and the steps that are differentiated are a
choice (DRaFT-K: Clark et al. 2023, arXiv 2309.17400, section 3.2).

To match samples is not yet to find the reward: one that exploits the sampler matches as well.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Contrast, Objective, Update
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.agents.validation import check_kind
from rlpriors.diffusion.chain import ChainGradient, guided_chain
from rlpriors.rewards.divergences import Divergence, DivergenceSettings
from rlpriors.types import Window

__all__ = ["Chain", "ChainSettings"]

ChainInput = Literal["obs", "act"]

_FITTED = 1000  # windows of each data set that decide on the divergence's scale


@dataclass(frozen=True)
class ChainSettings:
    """What is compared, how, and how far back the gradient goes.

    Raises:
        TypeError: the divergence is no settings of one.
        ValueError: a field is out of its bounds.
    """

    divergence: DivergenceSettings = field(default_factory=DivergenceSettings)
    """Between generated and demonstrated windows; one with a scale takes it once, from the
    demonstrations and, where `DiffusionIRL` was given it, the prior's data."""

    gradient: ChainGradient = 2
    """The number of last denoising steps that are differentiated, of those that the policy's planner
    makes; or all of them, "full" in memory that grows with their number, "checkpoint" without."""

    inputs: tuple[ChainInput, ...] = ("obs",)
    """What of a frame is compared, normalized: "obs", "act", or both."""

    obs_index: tuple[int, ...] | None = None
    """Entries of the observation that are compared; None for all."""

    first_frames: int | None = None
    """Compare only so many frames from the start, at least 2; None for the whole window.  The first
    frame is the same in both: it ties what follows to the start state."""

    stride: int = 1
    """Compare only every so many-th frame."""

    per_frame: bool = False
    """Whether each frame is compared by itself, and the mean of all taken.  Fewer numbers in a point
    make an estimate surer, but what belongs together from frame to frame is lost."""

    def __post_init__(self) -> None:
        advice = 'write ChainSettings(DivergenceSettings("energy"))'
        check_kind("divergence", self.divergence, DivergenceSettings, advice)
        if isinstance(self.gradient, bool) or not (
            self.gradient in ("full", "checkpoint") or (isinstance(self.gradient, int) and self.gradient >= 1)
        ):
            raise ValueError(
                '`gradient` must be "full", "checkpoint" or a number of last steps of at least 1. '
                f"Received {self.gradient!r}."
            )
        kinds = get_args(ChainInput)
        if not self.inputs or not set(self.inputs) <= set(kinds) or len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"`inputs` must be some of {kinds}, each once. Received {self.inputs!r}.")
        if self.obs_index is not None and ("obs" not in self.inputs or not self.obs_index):
            raise ValueError(
                '`obs_index` must name entries of an observation that is compared, with "obs" among '
                f"`inputs`. Received {self.obs_index!r} with {self.inputs!r}; leave it None."
            )
        if self.first_frames is not None and self.first_frames < 2:
            raise ValueError(
                "`first_frames` must be at least 2, since the first frame is given to both. "
                f"Received {self.first_frames}."
            )
        if self.stride < 1:
            raise ValueError(f"`stride` must be at least 1. Received {self.stride}.")


class Chain(Objective):
    """The divergence of guided windows from demonstrated ones, through the sampler.

    Raises:
        ValueError: the settings ask for frames or entries that the policy's windows do not have.

    Example:
        >>> ChainSettings(DivergenceSettings("sinkhorn"), gradient="checkpoint", first_frames=4).stride
        1
    """

    settings: ChainSettings

    def __init__(self, settings: ChainSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        frames, last = policy.frames, settings.first_frames or policy.frames.horizon
        if last > frames.horizon:
            raise ValueError(
                f"`first_frames` must be at most {frames.horizon}, the horizon of the policy's windows. "
                f"Received {last}."
            )
        if settings.stride >= last:
            raise ValueError(
                f"`stride` must be below {last}, the frames that are compared: the first one is given to "
                f"both. Received {settings.stride}."
            )
        index = range(frames.obs_dim) if settings.obs_index is None else settings.obs_index
        if settings.obs_index is not None and not set(index) <= set(range(frames.obs_dim)):
            raise ValueError(
                f"`obs_index` must be in [0, {frames.obs_dim - 1}], the entries of an observation. "
                f"Received {settings.obs_index}."
            )
        obs = [*index] if "obs" in settings.inputs else []
        act = [*range(frames.obs_dim, frames.dim)] if "act" in settings.inputs else []
        self._entries, self._frames = [*obs, *act], slice(0, last, settings.stride)
        self.divergence = Divergence(settings.divergence)

    def prepare(
        self, policy: DiffuserPolicy, demonstrations: WindowBuffer, base: WindowBuffer | None
    ) -> None:
        """Take the divergence's scale from the data, if it needs one and has none yet."""
        if not self.divergence.needs_fit or self.divergence.is_fitted:
            return
        windows = [self._spread(policy, data) for data in (demonstrations, base) if data is not None]
        points = self._points(torch.cat(windows))
        self.divergence.fit(points.flatten(0, 1))

    def forward(self, update: Update) -> Contrast:
        """Windows by the reward as it is now, one from the start state of each demonstrated one."""
        policy, planner = update.policy, update.policy.planner
        start = policy.frames.start(update.window.obs[:, 0])
        noise = torch.randn(start.value.shape, generator=update.generator, device=policy.device)
        samples = guided_chain(
            policy.process,
            policy.denoiser,
            noise,
            n_steps=planner.n_steps,
            sampler=planner.sampler,
            eta=planner.eta,
            condition=start,
            value=policy.frames.value(update.online),
            guidance=planner.guidance,
            clip=planner.clip,
            generator=update.generator,
            gradient=self.settings.gradient,
        )
        pairs = zip(self._points(samples), self._points(update.expert), strict=True)
        loss = torch.stack([self.divergence(generated, shown) for generated, shown in pairs]).mean()
        return Contrast(loss, samples.detach(), {"divergence": loss.item()})

    def _points(self, x: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, "sets batch entries"]:
        """What is compared: one set of points, or one for each frame."""
        seen = x[:, self._frames, self._entries]
        return seen.transpose(0, 1) if self.settings.per_frame else seen.flatten(1)[None]

    def _spread(self, policy: DiffuserPolicy, data: WindowBuffer) -> Float[Tensor, "n horizon dim"]:
        """Normalized windows from all over the data; the order of its episodes does not matter."""
        rows = torch.linspace(0, len(data) - 1, min(len(data), _FITTED)).round().long().numpy()
        window = data.store.windows(data.starts[rows], data.horizon, data.stride)
        return policy.frames.pack(Window(*(part.to(policy.device) for part in window)))
