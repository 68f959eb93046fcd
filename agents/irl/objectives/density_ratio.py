"""Density ratio of demonstrations and the prior's data, by a classifier without sampling.

`DensityRatio`          objective: logistic regression of demonstrations against the prior's data
`DensityRatioSettings`  settings of `DensityRatio`

Where p_E(tau | s_0) is proportional to p_B(tau | s_0) exp(w J(tau)), the log odds that a window is a
demonstrated one rather than one of the prior's data are

    w J(tau) + c(s_0),    c(s_0) = -log Z(s_0) + log p_E(s_0) - log p_B(s_0),

for equal numbers of windows of both kinds (the density ratio by logistic regression: Sugiyama et al. 2012,
"Density Ratio Estimation in Machine Learning", section 4; in imitation, GAIL, arXiv 1606.03476).
c is a separate small network, so that J does not need to encode where demonstrations begin.

Where demonstrations repeat movements, as in gaits, c would take the credit for the state: every window of a
runner starts at full speed and no negative does, so c(s_0) alone separates both.  c is a constant there.

A classifier soon separates few demonstrations completely; from then on only the penalties bound J.
`DensityRatioSettings.noised_fraction` makes the task harder.  The log odds of a window noised to time t
are log E_B[exp(w J(tau)) | x_t] up to a constant, to first order w J at the prior's guess x_0(x_t).  The
reward therefore still reads clean windows, and a trained weight for each noise level corrects the
first-order error.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Objective, ObjectiveInput, ObjectiveOutput
from rlpriors.agents.irl.objectives.negatives import negatives
from rlpriors.diffusion import Condition
from rlpriors.networks.base import zero_init
from rlpriors.networks.mlp import build_mlp
from rlpriors.settings import check_fields

__all__ = ["DensityRatio", "DensityRatioSettings"]


@dataclass(frozen=True)
class DensityRatioSettings:
    """Settings of `DensityRatio`: the classifier and its noised windows.

    Raises:
        ValueError: a field is out of its bounds.
    """

    hidden: tuple[int, ...] = (32,)
    """Width of each hidden layer of c(s_0); an empty tuple makes it linear."""

    noised_fraction: float = 0.0
    """Fraction of each batch that is noised to random times and restored by the prior, in [0, 1).  The
    rest of the batch is unchanged, which fixes the scale of J."""

    start_offset: bool | None = None
    """True to let c read the start state s_0, False for a constant c.  By default it reads s_0 unless the
    demonstrations repeat movements: their order does not show in their states (`order_accuracy`), and
    observations contain no goal of each episode."""

    def __post_init__(self) -> None:
        check_fields(self)
        for width in self.hidden:
            if width < 1:
                raise ValueError(f"`hidden` must contain widths of at least 1. Received {self.hidden}.")
        if not 0 <= self.noised_fraction < 1:
            raise ValueError(f"`noised_fraction` must be in [0, 1). Received {self.noised_fraction}.")


class DensityRatio(Objective):
    """Objective: logistic regression of demonstrated windows against negatives, by default the prior's data.

    w is the guidance weight of the policy's planner, or 1 if it does not guide.

    Example:
        >>> DensityRatioSettings(noised_fraction=0.5)
        DensityRatioSettings(hidden=(32,), noised_fraction=0.5, start_offset=None)
    """

    own_sources = ("prior_data",)
    evaluates_reward = True
    settings: DensityRatioSettings

    @property
    def depends_on_progress(self) -> bool:
        return self.settings.start_offset is None

    def __init__(self, settings: DensityRatioSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        # Equal runs begin with equal weights, and the global generator does not change.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.offset = build_mlp(policy.layout.obs_dim + 1, settings.hidden, 1)
        last = self.offset[-1]
        assert isinstance(last, nn.Linear)
        zero_init(last)
        n_times = policy.process.schedule.num_train_timesteps if settings.noised_fraction else 0
        self.log_temper = nn.Parameter(torch.zeros(n_times))

    def forward(self, update: ObjectiveInput) -> ObjectiveOutput:
        """Compute the classifier's cross-entropy on equal numbers of windows of both kinds."""
        others = negatives(update, self.own_sources)
        noised = [self._noise_fraction(update, windows) for windows in (update.expert, others)]
        perturbed = update.perturb(noised[0][0], noised[1][0])
        expert, other = (
            self.logits(update, x, windows, t) for x, (windows, t) in zip(perturbed, noised, strict=True)
        )
        softplus = nn.functional.softplus
        loss = (softplus(-expert).mean() + softplus(other).mean()) / 2
        accuracy = ((expert > 0).float().mean() + (other <= 0).float().mean()) / 2
        stats = {"accuracy": accuracy.item(), "cross_entropy": loss.item()}
        return ObjectiveOutput(loss, others, stats)

    def logits(
        self,
        update: ObjectiveInput,
        x: Float[Tensor, "batch horizon dim"],
        unperturbed: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " noised"],
    ) -> Float[Tensor, " batch"]:
        """Compute the log odds that each window is demonstrated.

        Args:
            update: inputs of the update, with the reward.
            x: windows that the reward reads.
            unperturbed: the windows without perturbation, for the start state s_0 in c(s_0).
            t: times that the first windows were restored from.
        """
        policy, n_noised = update.policy, len(t)
        start = unperturbed[:, 0, : policy.layout.obs_dim]
        if not self._reads_start(update):
            start = torch.zeros_like(start)
        temper, noise = torch.ones(len(x), device=x.device), torch.zeros(len(x), 1, device=x.device)
        if n_noised:
            temper = torch.cat([self.log_temper[t].exp(), temper[n_noised:]])
            noise = torch.cat([1 - policy.process.schedule.at(t)[:, :, 0], noise[n_noised:]])
        offset: Tensor = self.offset(torch.cat([start, noise], 1))
        weight = policy.planner.guidance.weight or 1.0
        return weight * temper * policy.layout.value(update.online)(x) + offset[:, 0]

    def _reads_start(self, update: ObjectiveInput) -> bool:
        if self.settings.start_offset is not None:
            return self.settings.start_offset
        return update.has_goals or update.progresses is not False

    def _noise_fraction(
        self, update: ObjectiveInput, x: Float[Tensor, "batch horizon dim"]
    ) -> tuple[Float[Tensor, "batch horizon dim"], Int[Tensor, " noised"]]:
        """Noise and restore the first `noised_fraction` of the windows; return their times too."""
        n_noised = round(self.settings.noised_fraction * len(x))
        if not n_noised:
            return x, torch.zeros(0, dtype=torch.int64, device=x.device)
        restored, t = _restore(update, x[:n_noised])
        return torch.cat([restored, x[n_noised:]]), t


@torch.no_grad()
def _restore(
    update: ObjectiveInput, x: Float[Tensor, "batch horizon dim"]
) -> tuple[Float[Tensor, "batch horizon dim"], Tensor]:
    """Noise windows to random times, restore them with the prior, and return them with the times."""
    policy, generator = update.policy, update.generator
    process, layout = policy.process, policy.layout
    n_times = process.schedule.num_train_timesteps
    t = torch.randint(n_times, (len(x),), generator=generator, device=x.device)
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    start = Condition.fix_steps(x[:, :1, : layout.state_dim], horizon=layout.horizon, dim=layout.dim)
    x_t = start.apply(process.q_sample(x, t, noise))
    return start.apply(process.denoise(policy.denoiser, x_t, t, start)), t
