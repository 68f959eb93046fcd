"""Discriminator updates of adversarial imitation, independent of the policy's algorithm.

`AdversarialSettings`       settings of the discriminator's training
`AdversarialStats`          training statistics of policy and discriminator
`DiscriminatorUpdateMixin`  mixin that trains the discriminator inside a relabeling algorithm
`check_discriminator`       check of the discriminator's class
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import TrainingStats, TrainingStatsWrapper
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.modelfree.sac import SACPolicy
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from torch import Tensor, nn

from rlpriors.agents.imitation.airl_temperature import airl_temperature
from rlpriors.agents.imitation.log_prob import log_prob
from rlpriors.agents.online.relabel import RelabelMixin
from rlpriors.agents.resume_inputs import plain_settings
from rlpriors.agents.seeding import update_seed
from rlpriors.agents.validation import check_actions_of, check_type
from rlpriors.data.buffers import from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.rewards.discriminators import Discriminator
from rlpriors.settings import check_fields
from rlpriors.types import Transition

__all__ = [
    "AdversarialSettings",
    "AdversarialStats",
    "DiscriminatorUpdateMixin",
    "check_discriminator",
]


@dataclass(frozen=True)
class AdversarialSettings:
    """Settings of the discriminator's training.

    Raises:
        ValueError: a field is out of its bounds.
    """

    n_discriminator_updates: int = 1
    """Discriminator updates in one policy update, at least 1.  Off-policy, 1 is common; on-policy, choose
    the number so that the updates cover about the collected steps once."""

    batch_size: int = 256
    """Demonstrated steps in one discriminator update; the number of agent steps is equal."""

    update_interval: int = 1
    """Policy updates between discriminator updates, at least 1."""

    gradient_penalty: float | None = None
    """Weight of the squared distance between the logit's slope and `penalty_center`, at random points
    between demonstrated and agent steps in normalized units; at least 0.  0 gives the equations of the
    GAIL, AIRL and DRAIL papers.  The default is 1, or 0 if log pi(a|s) is subtracted (AIRL), because the
    logit must then be as steep as log pi(a|s)."""

    penalty_center: float = 0.0
    """Target slope of the logit, at least 0.  0 gives a flat logit (1801.04406, eq. 9); 1, with weight 10,
    is WGAN-GP's penalty, used by the published off-policy GAIL (DAC, 1809.02925, section 4.2)."""

    temperature: float | None = None
    """Entropy weight T of the policy that AIRL's f is a reward of, above 0: D = sigmoid(f / T - log pi(a|s)).
    SAC must then have the fixed `alpha` T.  None is T = 1, and SAC's alpha may differ; f is then no reward
    of SAC's policy."""

    action_margin: float = 0.01
    """Smallest distance from the action bounds at which log pi(a|s) of a tanh policy is evaluated, in
    (0, 1).  The density is infinite at the bounds."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("n_discriminator_updates", "batch_size", "update_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("gradient_penalty", "penalty_center"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {value}.")
        if self.temperature is not None and not self.temperature > 0:
            raise ValueError(f"`temperature` must be above 0. Received {self.temperature}.")
        if not 0 < self.action_margin < 1:
            raise ValueError(f"`action_margin` must be between 0 and 1. Received {self.action_margin}.")


class AdversarialStats(TrainingStatsWrapper):
    """Training statistics of the policy, and of the discriminator's last update."""

    def __init__(self, wrapped: TrainingStats, values: dict[str, float]) -> None:
        self.discriminator_loss = values["loss"]
        self.gradient_penalty = values["penalty"]
        self.demonstration_accuracy = values["demonstrated"]
        """Fraction of demonstrated steps classified as demonstrated; 0.5 for a guess."""
        self.agent_accuracy = values["agent"]
        """Fraction of the agent's steps classified as the agent's."""
        super().__init__(wrapped)  # last: it freezes the attributes


class DiscriminatorUpdateMixin(RelabelMixin):
    """Mixin that trains the discriminator, for off-policy and on-policy algorithms."""

    updates: Tensor
    wrapped_algorithm: Any

    def set_discriminator(
        self,
        discriminator: Discriminator,
        demonstrations: EpisodeStore | ReplayBuffer,
        optim: OptimizerFactory,
        settings: AdversarialSettings | None,
        max_grad_norm: float | None,
        seed: int,
    ) -> None:
        """Set the discriminator, the demonstrations and the optimizer; called once, by the constructor."""
        settings = AdversarialSettings() if settings is None else settings
        check_type("settings", settings, AdversarialSettings, "write AdversarialSettings(name=value)")
        self.settings, self.seed = settings, seed
        device = next(self.policy.parameters()).device
        self.discriminator, self.reward_device = discriminator.to(device), device
        if discriminator.subtracts_log_prob and not isinstance(
            self.policy, SACPolicy | ProbabilisticActorPolicy
        ):
            raise ValueError(
                f"`discriminator` is a {type(discriminator).__name__}, which needs the probability of "
                f"actions. Received a {type(self.policy).__name__}, which has none; use SAC or PPO, or "
                "another discriminator."
            )
        self.temperature = airl_temperature(settings.temperature, discriminator, self.wrapped_algorithm)
        self.demonstrations = Transition(*(part.to(device) for part in self._expert(demonstrations)))
        self.optim = self._create_optimizer(discriminator, optim, max_grad_norm=max_grad_norm)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        default = 0.0 if discriminator.subtracts_log_prob else 1.0
        weight = self.settings.gradient_penalty
        self.penalty_weight = default if weight is None else weight
        self._last = {"loss": 0.0, "penalty": 0.0, "demonstrated": 0.0, "agent": 0.0}

    def _expert(self, demonstrations: EpisodeStore | ReplayBuffer) -> Transition:
        if isinstance(demonstrations, ReplayBuffer):
            keys = self.obs_keys if isinstance(demonstrations.obs, Batch) else None
            demonstrations = from_buffer(demonstrations, keys)
        expert = demonstrations.transitions()
        expected = (self.discriminator.obs_dim, self.discriminator.act_dim)
        sizes = tuple(part[0].numel() for part in (expert.obs, expert.act))
        if sizes != expected or expert.obs.ndim > 2:
            raise ValueError(
                f"`demonstrations` must have {expected[0]} entries per observation and {expected[1]} per "
                f"action, the sizes of `discriminator`. Received {sizes[0]} and {sizes[1]}; build the "
                "discriminator for these sizes."
            )
        self.discriminator.record_layout(demonstrations.obs_layout, "the demonstrations")
        self.obs_keys = self.discriminator.obs_keys
        check_actions_of("demonstrations", demonstrations, self.policy.action_space)
        self._demonstrated = store_fingerprint(demonstrations)
        return expert._replace(act=expert.act.reshape(len(expert.act), -1))

    def resume_inputs(self) -> dict[str, Any]:
        return {"demonstrations": self._demonstrated, "seed": self.seed, **plain_settings(self.settings)}

    def update_discriminator(self, batches: Sequence[Transition], generator: torch.Generator) -> None:
        """Update the discriminator once against each of the agent's batches of transitions."""
        model, settings = self.discriminator, self.settings
        model.train()
        for batch in batches:
            n = min(len(batch.obs), settings.batch_size)
            agent = _sample(batch, n, generator) if n < len(batch.obs) else batch
            expert = _sample(self.demonstrations, n, generator)
            points = [model.points(part.obs, part.act, part.obs_next) for part in (expert, agent)]
            terminated = torch.cat([expert.terminated, agent.terminated])
            logit = model.logits(torch.cat(points), terminated, generator)
            if model.subtracts_log_prob:
                obs, act = torch.cat([expert.obs, agent.obs]), torch.cat([expert.act, agent.act])
                logit = logit / self.temperature - log_prob(self.policy, obs, act, settings.action_margin)
            loss = nn.functional.softplus(-logit[:n]).mean() + nn.functional.softplus(logit[n:]).mean()
            penalty = self._penalty(points[0], points[1], agent, generator)
            self.optim.step(loss + self.penalty_weight * penalty)
            accuracies = torch.stack([(logit[:n] > 0).float().mean(), (logit[n:] < 0).float().mean()])
            numbers = torch.stack([loss, penalty, *accuracies]).tolist()  # one copy from the device
            self._last = dict(zip(self._last, numbers, strict=True))
        model.eval()

    def _penalty(
        self,
        expert: Float[Tensor, "batch points"],
        agent: Float[Tensor, "batch points"],
        transitions: Transition,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        if not self.penalty_weight:
            return torch.zeros((), device=agent.device)
        mix = torch.rand(len(agent), 1, generator=generator, device=agent.device)
        x = (mix * expert + (1 - mix) * agent).detach().requires_grad_()
        logit = self.discriminator.logits(x, transitions.terminated, generator)
        (slope,) = torch.autograd.grad(logit.sum(), x, create_graph=True)
        if not self.settings.penalty_center:
            return slope.square().sum(1).mean()
        norm = (slope.square().sum(1) + 1e-12).sqrt()  # the root has no derivative at 0
        return (norm - self.settings.penalty_center).square().mean()

    def generator(self) -> torch.Generator:
        """Return the random generator of the current update."""
        return torch.Generator(self.reward_device).manual_seed(update_seed(self.seed, int(self.updates)))

    def update_due(self) -> bool:
        """Return True if the discriminator is updated in the current policy update."""
        return int(self.updates) % self.settings.update_interval == 0

    def agent_transitions(self, batch: Any) -> Transition:
        """Return the agent's transitions of a batch in raw units."""
        return self.read_transition(batch, self.discriminator)

    def stats(self, wrapped: TrainingStats) -> TrainingStats:
        """Count the policy update and return its statistics with those of the discriminator."""
        self.updates += 1
        return AdversarialStats(wrapped, self._last)


def check_discriminator(discriminator: object) -> None:
    """Raise unless `discriminator` is a discriminator.

    Raises:
        TypeError: it is not a `rewards.Discriminator`.
    """
    advice = "use a GAILReward, AIRLReward or DRAILReward, or `Relabel` to learn from a fixed reward"
    check_type("discriminator", discriminator, Discriminator, advice)


def _sample(transitions: Transition, n: int, generator: torch.Generator) -> Transition:
    rows = torch.randint(len(transitions.obs), (n,), generator=generator, device=transitions.obs.device)
    return Transition(*(part[rows] for part in transitions))
