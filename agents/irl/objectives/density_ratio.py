"""Demonstrations against the prior's data, by a classifier: no sampling at all.

Where p_E(tau | s_0) is proportional to p_B(tau | s_0) exp(w J(tau)), the log odds that a window is a
demonstrated one rather than one of the prior's data are

    w J(tau) + c(s_0),    c(s_0) = -log Z(s_0) + log p_E(s_0) - log p_B(s_0),

for as many windows of either kind (the density ratio by logistic regression: Sugiyama et al. 2012,
"Density Ratio Estimation in Machine Learning", section 4; in imitation, GAIL, arXiv 1606.03476).
c is a small network of its own, so that J need not tell where demonstrations begin.

Few demonstrations are soon told apart from all else; from there on only the penalties bound J.
`RatioSettings.noisy` makes the task harder.  Of a window noised to time t the log odds are
log E_B[exp(w J(tau)) | x_t] up to a constant, to first order w J at the prior's own guess x_0(x_t).
So the reward judges clean windows even then, and a weight for each level, learned too, tempers
what is lost by that order.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Contrast, Objective, Update
from rlpriors.diffusion import Condition
from rlpriors.networks.base import zero_init
from rlpriors.networks.mlp import build_mlp

__all__ = ["Ratio", "RatioSettings"]


@dataclass(frozen=True)
class RatioSettings:
    """How demonstrations are told from the prior's data."""

    hidden: tuple[int, ...] = (32,)
    """Width of each hidden layer of c(s_0); empty makes it linear."""

    noisy: float = 0.0
    """Part of each batch that is noised to random times and seen as the prior restores it, in [0, 1).
    The rest is seen as it is, which fixes the scale of J."""

    def __post_init__(self) -> None:
        for width in self.hidden:
            if width < 1:
                raise ValueError(f"`hidden` must hold widths of at least 1. Received {self.hidden}.")
        if not 0 <= self.noisy < 1:
            raise ValueError(f"`noisy` must be in [0, 1). Received {self.noisy}.")


class Ratio(Objective):
    """Logistic regression of demonstrated windows against windows of the prior's data.

    w is the weight by which the policy's planner guides, 1 where it does not guide.

    Example:
        >>> RatioSettings(noisy=0.5)
        RatioSettings(hidden=(32,), noisy=0.5)
    """

    needs_base = True
    judges = True
    settings: RatioSettings

    def __init__(self, settings: RatioSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        # Equal runs begin with equal weights, and nobody else's random numbers are used up.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.offset = build_mlp(policy.frames.obs_dim + 1, settings.hidden, 1)
        last = self.offset[-1]
        assert isinstance(last, nn.Linear)
        zero_init(last)
        n_times = policy.process.schedule.num_train_timesteps if settings.noisy else 0
        self.log_temper = nn.Parameter(torch.zeros(n_times))

    def forward(self, update: Update) -> Contrast:
        """The cross-entropy of the classifier on as many windows of either kind."""
        assert update.base is not None
        base = update.base(len(update.expert))
        seen = [self._seen(update, windows) for windows in (update.expert, base)]
        read = update.read(seen[0][0], seen[1][0])
        parts = [self.logits(update, x, *as_seen) for x, as_seen in zip(read, seen, strict=True)]
        softplus = nn.functional.softplus
        loss = (softplus(-parts[0]).mean() + softplus(parts[1]).mean()) / 2
        right = ((parts[0] > 0).float().mean() + (parts[1] <= 0).float().mean()) / 2
        return Contrast(loss, base, {"accuracy": right.item(), "cross_entropy": loss.item()})

    def logits(
        self,
        update: Update,
        x: Float[Tensor, "batch horizon dim"],
        seen: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " noisy"],
    ) -> Float[Tensor, " batch"]:
        """The log odds that each window is demonstrated.

        Args:
            update: whose reward judges them.
            x: windows as the reward reads them.
            seen: the same as they are: c(s_0) is told the true start.
            t: times that the first of them were restored from.
        """
        policy, n_noisy = update.policy, len(t)
        start = seen[:, 0, : policy.frames.obs_dim]
        temper, noise = torch.ones(len(x), device=x.device), torch.zeros(len(x), 1, device=x.device)
        if n_noisy:
            temper = torch.cat([self.log_temper[t].exp(), temper[n_noisy:]])
            noise = torch.cat([1 - policy.process.schedule.at(t)[:, :, 0], noise[n_noisy:]])
        offset: Tensor = self.offset(torch.cat([start, noise], 1))
        weight = policy.planner.guidance.weight or 1.0
        return weight * temper * policy.frames.value(update.online)(x) + offset[:, 0]

    def _seen(
        self, update: Update, x: Float[Tensor, "batch horizon dim"]
    ) -> tuple[Float[Tensor, "batch horizon dim"], Int[Tensor, " noisy"]]:
        """Windows, the first `noisy` part of them as restored, and from which times."""
        n_noisy = round(self.settings.noisy * len(x))
        if not n_noisy:
            return x, torch.zeros(0, dtype=torch.int64, device=x.device)
        restored, t = _restore(update, x[:n_noisy])
        return torch.cat([restored, x[n_noisy:]]), t


@torch.no_grad()
def _restore(
    update: Update, x: Float[Tensor, "batch horizon dim"]
) -> tuple[Float[Tensor, "batch horizon dim"], Tensor]:
    """Windows as the prior restores them from noise of random times, and the times."""
    policy, generator = update.policy, update.generator
    process, frames = policy.process, policy.frames
    n_times = process.schedule.num_train_timesteps
    t = torch.randint(n_times, (len(x),), generator=generator, device=x.device)
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    start = Condition.frames(x[:, :1, : frames.obs_dim], horizon=frames.horizon, dim=frames.dim)
    x_t = start.apply(process.q_sample(x, t, noise))
    return start.apply(process.denoise(policy.denoiser, x_t, t, start)), t
