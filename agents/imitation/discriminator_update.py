"""The discriminator's side of adversarial imitation, whatever algorithm learns the policy.

`DiscriminatorUpdateMixin`       learns the discriminator inside a relabeling algorithm
`AdversarialSettings`  how it learns
`AdversarialStats`     what it reports
`check_discriminator`  refuses what is none
`log_prob`             how likely a policy is to take the actions that an environment was given
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy, TrainingStats, TrainingStatsWrapper
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.modelfree.sac import SACPolicy
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from torch import Tensor, nn
from torch.distributions import Normal

from rlpriors.agents.online.relabel import RelabelMixin, to_policy_units, to_transition
from rlpriors.agents.validation import check_kind
from rlpriors.data.buffers import from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.discriminators import Discriminator
from rlpriors.types import Transition

__all__ = [
    "AdversarialSettings",
    "AdversarialStats",
    "DiscriminatorUpdateMixin",
    "check_discriminator",
    "log_prob",
]


@dataclass(frozen=True)
class AdversarialSettings:
    """How the discriminator learns.

    Raises:
        ValueError: a field is out of its bounds.
    """

    n_discriminator_updates: int = 1
    """Updates of the discriminator in one of the policy's, at least 1.  Off-policy one is usual,
    on-policy as many as make it see about what was collected."""

    batch_size: int = 256
    """Demonstrated steps in one of its updates, and as many of the agent's own."""

    every: int = 1
    """It learns in every so many of the policy's updates, at least 1."""

    gradient_penalty: float | None = None
    """Weight of the squared distance between the slope of its logit, at random points between
    demonstrated and own steps in normalized units, and `penalty_center`; at least 0.  Left out it
    is 1, or 0 where log pi(a|s) is subtracted (AIRL): what stands against it must be as steep."""

    penalty_center: float = 0.0
    """0 asks for a flat logit (1801.04406, eq. 9); 1, with weight 10, is WGAN-GP's penalty that
    off-policy GAIL was published with (DAC, 1809.02925, section 4.2)."""

    action_margin: float = 0.01
    """For discriminators that need log pi(a|s) of a policy that squashes by tanh: the density is
    taken at most so close to the bounds, where it would be infinite; in (0, 1)."""

    def __post_init__(self) -> None:
        for name in ("n_discriminator_updates", "batch_size", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("gradient_penalty", "penalty_center"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {value}.")
        if not 0 < self.action_margin < 1:
            raise ValueError(f"`action_margin` must be between 0 and 1. Received {self.action_margin}.")


class AdversarialStats(TrainingStatsWrapper):
    """The policy's statistics, and the discriminator's of its last update."""

    def __init__(self, wrapped: TrainingStats, values: dict[str, float]) -> None:
        self.discriminator_loss = values["loss"]
        self.gradient_penalty = values["penalty"]
        self.demonstration_accuracy = values["demonstrated"]
        """Part of the demonstrated steps that it takes for such; 0.5 when it cannot tell."""
        self.own_accuracy = values["own"]
        """Part of the agent's steps that it takes for such."""
        super().__init__(wrapped)  # last: it freezes the attributes


class DiscriminatorUpdateMixin(RelabelMixin):
    """The discriminator's side, the same for both kinds of algorithms."""

    updates: Tensor
    wrapped_algorithm: Any

    def oppose(
        self,
        discriminator: Discriminator,
        demonstrations: EpisodeStore | ReplayBuffer,
        optim: OptimizerFactory,
        settings: AdversarialSettings | None,
        max_grad_norm: float | None,
        seed: int,
    ) -> None:
        settings = AdversarialSettings() if settings is None else settings
        check_kind("settings", settings, AdversarialSettings, "write AdversarialSettings(name=value)")
        self.settings, self.seed = settings, seed
        device = next(self.policy.parameters()).device
        self.discriminator, self.reward_device = discriminator.to(device), device
        if discriminator.subtracts_log_prob and not isinstance(
            self.policy, SACPolicy | ProbabilisticActorPolicy
        ):
            raise ValueError(
                f"`discriminator` is a {type(discriminator).__name__}, which needs the probability of "
                f"actions. Received a {type(self.policy).__name__}, which has none; take SAC or PPO, or "
                "another discriminator."
            )
        self.demonstrations = Transition(*(part.to(device) for part in self._expert(demonstrations)))
        self.optim = self._create_optimizer(discriminator, optim, max_grad_norm=max_grad_norm)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        default = 0.0 if discriminator.subtracts_log_prob else 1.0
        weight = self.settings.gradient_penalty
        self.penalty_weight = default if weight is None else weight
        self._last = {"loss": 0.0, "penalty": 0.0, "demonstrated": 0.0, "own": 0.0}

    def _expert(self, demonstrations: EpisodeStore | ReplayBuffer) -> Transition:
        if isinstance(demonstrations, ReplayBuffer):
            keys = self.obs_keys if isinstance(demonstrations.obs, Batch) else None
            demonstrations = from_buffer(demonstrations, keys)
        expert = demonstrations.transitions()
        wanted = (self.discriminator.obs_dim, self.discriminator.act_dim)
        sizes = tuple(part[0].numel() for part in (expert.obs, expert.act))
        if sizes != wanted or expert.obs.ndim > 2:
            raise ValueError(
                f"`demonstrations` must hold {wanted[0]} numbers of each observation and {wanted[1]} of each "
                f"action, as `discriminator` reads. Received {sizes[0]} and {sizes[1]}; build it "
                "for these sizes."
            )
        return expert._replace(act=expert.act.reshape(len(expert.act), -1))

    def learn(self, owns: Sequence[Transition], generator: torch.Generator) -> None:
        """One update of the discriminator against each of `owns`."""
        model, settings = self.discriminator, self.settings
        model.train()
        for own in owns:
            n = min(len(own.obs), settings.batch_size)
            own = _draw(own, n, generator) if n < len(own.obs) else own
            expert = _draw(self.demonstrations, n, generator)
            points = [model.points(part.obs, part.act, part.obs_next) for part in (expert, own)]
            terminated = torch.cat([expert.terminated, own.terminated])
            logit = model.logits(torch.cat(points), terminated, generator)
            if model.subtracts_log_prob:
                obs, act = torch.cat([expert.obs, own.obs]), torch.cat([expert.act, own.act])
                logit = logit - log_prob(self.policy, obs, act, settings.action_margin)
            loss = nn.functional.softplus(-logit[:n]).mean() + nn.functional.softplus(logit[n:]).mean()
            penalty = self._penalty(points[0], points[1], own, generator)
            self.optim.step(loss + self.penalty_weight * penalty)
            right = torch.stack([(logit[:n] > 0).float().mean(), (logit[n:] < 0).float().mean()])
            numbers = torch.stack([loss, penalty, *right]).tolist()  # one copy from the device
            self._last = dict(zip(self._last, numbers, strict=True))
        model.eval()

    def _penalty(
        self,
        expert: Float[Tensor, "batch points"],
        own: Float[Tensor, "batch points"],
        steps: Transition,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        if not self.penalty_weight:
            return torch.zeros((), device=own.device)
        mix = torch.rand(len(own), 1, generator=generator, device=own.device)
        x = (mix * expert + (1 - mix) * own).detach().requires_grad_()
        logit = self.discriminator.logits(x, steps.terminated, generator)
        (slope,) = torch.autograd.grad(logit.sum(), x, create_graph=True)
        if not self.settings.penalty_center:
            return slope.square().sum(1).mean()
        norm = (slope.square().sum(1) + 1e-12).sqrt()  # the root has no derivative at 0
        return (norm - self.settings.penalty_center).square().mean()

    def generator(self) -> torch.Generator:
        """The source of randomness of the current update; nothing has to be saved to resume."""
        (seed,) = np.random.SeedSequence((self.seed, int(self.updates))).generate_state(1, np.uint64)
        return torch.Generator(self.reward_device).manual_seed(int(seed >> 1))

    def due(self) -> bool:
        return int(self.updates) % self.settings.every == 0

    def own(self, batch: Any) -> Transition:
        return to_transition(batch, self.policy, self.obs_keys, self.reward_device)

    def stats(self, wrapped: TrainingStats) -> TrainingStats:
        self.updates += 1
        return AdversarialStats(wrapped, self._last)


def check_discriminator(discriminator: object) -> None:
    """Refuse what has no logit to learn by.

    Raises:
        TypeError: it is no `rewards.Discriminator`.
    """
    advice = "take a GAILReward, AIRLReward or DRAILReward, or `Relabel` to learn from a reward that stays"
    check_kind("discriminator", discriminator, Discriminator, advice)


@torch.no_grad()
def log_prob(
    policy: Policy, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"], margin: float = 0.01
) -> Float[Tensor, " batch"]:
    """log pi(a|s) of actions that the environment was given, as a density over the policy's units.

    A policy that squashes by tanh (SAC) has it at most `margin` from the bounds: a demonstrator
    that acts at the bounds, as clipped controllers do, would have probability 0.

    Example:
        >>> from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
        >>> from tianshou.utils.net.discrete import DiscreteActor
        >>> from tianshou.utils.net.common import Net
        >>> actor = DiscreteActor(preprocess_net=Net(state_shape=1, hidden_sizes=[8]), action_shape=2)
        >>> policy = DiscreteActorPolicy(actor=actor, action_space=gym.spaces.Discrete(2))
        >>> obs, both = torch.zeros(2, 1), torch.tensor([[0.0], [1.0]])
        >>> round(log_prob(policy, obs, both).exp().sum().item(), 4)
        1.0
    """
    units = torch.as_tensor(to_policy_units(policy, act.cpu().numpy()), device=act.device)
    if isinstance(policy, SACPolicy):
        (loc, scale), _ = policy.actor(obs)
        squashed = units.clamp(margin - 1, 1 - margin)
        density = Normal(loc, scale).log_prob(squashed.atanh()) - (1 - squashed.square()).log()
        return cast(Tensor, density.sum(-1))
    if isinstance(policy.action_space, gym.spaces.Discrete):
        units = units[:, 0].round()
    actor = cast(ProbabilisticActorPolicy, policy)
    density = actor.dist_fn(actor.actor(obs)[0]).log_prob(units)
    return density.flatten(1).sum(1) if density.ndim > 1 else density


def _draw(steps: Transition, n: int, generator: torch.Generator) -> Transition:
    rows = torch.randint(len(steps.obs), (n,), generator=generator, device=steps.obs.device)
    return Transition(*(part[rows] for part in steps))
