"""Divergence of guided samples from the demonstrations, differentiated through the sampler.

`SamplerBackprop`          objective: divergence of guided windows from demonstrated ones
`SamplerBackpropSettings`  settings of `SamplerBackprop`

A window is sampled from the prior, guided by the reward, from the start state of each demonstration.  The
loss is a divergence between these windows and the demonstrated ones.  Its gradient goes back through the
denoising steps into the reward.  The first work on inverse reinforcement learning through a diffusion
planner introduced the idea.  Here the divergence has no bias and a constant scale, guidance acts on clean
windows, and the number of differentiated steps is a setting (DRaFT-K: Clark et al. 2023, arXiv
2309.17400, section 3.2).

Samples can match the demonstrations without a correct reward: a reward that exploits the sampler matches
as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Objective, ObjectiveInput, ObjectiveOutput
from rlpriors.agents.irl.objectives.negatives import negatives
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.diffusion.differentiable_sampling import GradientMode, differentiable_sample
from rlpriors.rewards.divergences import Divergence, DivergenceSettings
from rlpriors.settings import check_fields
from rlpriors.types import Window

__all__ = ["SamplerBackprop", "SamplerBackpropSettings"]

ComparedInput = Literal["obs", "act"]

_N_FIT = 1000  # windows of each data set that determine the divergence's scale


@dataclass(frozen=True)
class SamplerBackpropSettings:
    """Settings of `SamplerBackprop`: the divergence, the compared entries and the gradient's depth.

    Raises:
        ValueError: a field is out of its bounds.
    """

    divergence: DivergenceSettings = field(default_factory=DivergenceSettings)
    """Divergence between generated and demonstrated windows.  If it has a scale, it is computed once, from
    the demonstrations and, if `DiffusionIRL` has it, the prior's data."""

    gradient: GradientMode = 2
    """Number of last denoising steps that are differentiated (DRaFT-K), at least 1, or all of the planner's
    steps: "full" in memory that grows with their number, "checkpoint" with recomputed steps in little
    memory."""

    inputs: tuple[ComparedInput, ...] = ("obs",)
    """Parts of a time step that are compared, normalized: "obs", "act", or both."""

    obs_index: tuple[int, ...] | None = None
    """Indices of the observation's entries that are compared; None for all."""

    first_steps: int | None = None
    """Number of first time steps that are compared, at least 2; None for the whole window.  The first one
    is equal in both windows: it ties the others to the start state."""

    stride: int = 1
    """Interval of the compared time steps, at least 1."""

    per_step: bool = False
    """Compare each time step separately and average the divergences.  Fewer entries in a point reduce the
    variance of the estimate, but correlations between time steps are lost."""

    def __post_init__(self) -> None:
        check_fields(self)
        if isinstance(self.gradient, bool) or not (
            self.gradient in ("full", "checkpoint") or (isinstance(self.gradient, int) and self.gradient >= 1)
        ):
            raise ValueError(
                '`gradient` must be "full", "checkpoint" or a number of last steps of at least 1. '
                f"Received {self.gradient!r}."
            )
        kinds = get_args(ComparedInput)
        if not self.inputs or not set(self.inputs) <= set(kinds) or len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"`inputs` must contain some of {kinds}, each once. Received {self.inputs!r}.")
        if self.obs_index is not None and ("obs" not in self.inputs or not self.obs_index):
            raise ValueError(
                '`obs_index` must contain indices of the observation, with "obs" among `inputs`. '
                f"Received {self.obs_index!r} with {self.inputs!r}; use None."
            )
        if self.first_steps is not None and self.first_steps < 2:
            raise ValueError(
                "`first_steps` must be at least 2, because the first time step is equal in both windows. "
                f"Received {self.first_steps}."
            )
        if self.stride < 1:
            raise ValueError(f"`stride` must be at least 1. Received {self.stride}.")


class SamplerBackprop(Objective):
    """Objective: divergence of guided windows from demonstrated ones, differentiated through the sampler.

    Raises:
        ValueError: the settings require time steps or entries that the policy's windows do not have.

    Example:
        >>> divergence = DivergenceSettings("sinkhorn")
        >>> SamplerBackpropSettings(divergence, gradient="checkpoint", first_steps=4).stride
        1
    """

    settings: SamplerBackpropSettings

    def __init__(self, settings: SamplerBackpropSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        layout, last = policy.layout, settings.first_steps or policy.layout.horizon
        if last > layout.horizon:
            raise ValueError(
                f"`first_steps` must be at most {layout.horizon}, the horizon of the policy's windows. "
                f"Received {last}."
            )
        if settings.stride >= last:
            raise ValueError(
                f"`stride` must be less than {last}, the number of time steps that are compared: the first "
                f"one is equal in both windows. Received {settings.stride}."
            )
        index = range(layout.state_dim) if settings.obs_index is None else settings.obs_index
        if settings.obs_index is not None and not set(index) <= set(range(layout.obs_dim)):
            raise ValueError(
                f"`obs_index` must be in [0, {layout.obs_dim - 1}], the entries of an observation. "
                f"Received {settings.obs_index}."
            )
        obs = [*index] if "obs" in settings.inputs else []
        act = [*range(layout.state_dim, layout.dim)] if "act" in settings.inputs else []
        self._entries, self._steps = [*obs, *act], slice(0, last, settings.stride)
        self.divergence = Divergence(settings.divergence)

    def prepare(
        self, policy: DiffuserPolicy, demonstrations: WindowBuffer, prior_data: WindowBuffer | None
    ) -> None:
        """Compute the divergence's scale from the data, if it needs one and has none yet."""
        if not self.divergence.needs_fit or self.divergence.is_fitted:
            return
        windows = [
            self._evenly_spaced(policy, data) for data in (demonstrations, prior_data) if data is not None
        ]
        points = self._points(torch.cat(windows))
        self.divergence.fit(points.flatten(0, 1))

    def forward(self, update: ObjectiveInput) -> ObjectiveOutput:
        """Compute the divergence of windows guided by the current reward, one per demonstrated window."""
        samples = negatives(update, self.own_sources, lambda start: self._sample(update, start))
        pairs = zip(self._points(samples), self._points(update.expert), strict=True)
        loss = torch.stack([self.divergence(generated, expert) for generated, expert in pairs]).mean()
        return ObjectiveOutput(loss, samples.detach(), {"divergence": loss.item()})

    def check_reference(self, sources: Sequence[str]) -> None:
        """Check that a reference has a guided part, which has the gradient, and that no pairs are broken.

        Raises:
            ValueError: it has no guided part, or the divergence compares windows of equal start states.
        """
        others = sorted({*sources} - {"guided"})
        if not {"guided", "guided_from_data"} & {*sources}:
            raise ValueError(
                '`reference` must contain "guided" for the objective "sampler_backprop", whose gradient '
                f"passes through guided samples. Received {list(sources)}; add it, or use another objective."
            )
        if self.settings.divergence.name == "mse" and others:
            raise ValueError(
                'The divergence "mse" compares windows of equal start states, so `reference` must be '
                f'"guided" alone. Received {list(sources)}; use "energy" or another divergence of sets.'
            )

    def _sample(self, update: ObjectiveInput, obs: Float[Tensor, "n obs"]) -> Float[Tensor, "n horizon dim"]:
        """Sample one guided window from each raw start observation, with its gradient."""
        policy, planner = update.policy, update.policy.planner
        start = policy.layout.start(obs)
        noise = torch.randn(start.value.shape, generator=update.generator, device=policy.device)
        return differentiable_sample(
            policy.process,
            policy.denoiser,
            noise,
            n_steps=planner.n_steps,
            sampler=planner.sampler,
            eta=planner.eta,
            condition=start,
            value=policy.layout.value(update.online),
            guidance=planner.guidance,
            clip=planner.clip,
            generator=update.generator,
            gradient=self.settings.gradient,
        )

    def _points(self, x: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, "sets batch entries"]:
        """Select the compared entries: one set of points, or one for each time step."""
        points = x[:, self._steps, self._entries]
        return points.transpose(0, 1) if self.settings.per_step else points.flatten(1)[None]

    def _evenly_spaced(self, policy: DiffuserPolicy, data: WindowBuffer) -> Float[Tensor, "n horizon dim"]:
        """Return normalized windows at even distances over the whole data set."""
        rows = torch.linspace(0, len(data) - 1, min(len(data), _N_FIT)).round().long().numpy()
        window = data.store.windows(data.starts[rows], data.horizon, data.stride)
        return policy.layout.pack(Window(*(part.to(policy.device) for part in window)))
