"""Small policy in place of a planner: several chunks in one step, and the best by a learned value.

`FastPlannerPolicy`    policy that proposes chunks and executes the best one
`FastPlannerSettings`  chunks, networks and number of proposals

`distillation` trains it on the plans of a `DiffuserPolicy`.  Lu et al. 2025 (Habi, arXiv 2502.06401) distill
planners in this way, with a variational proposal.  Here a one-step flow proposes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.fast.flow_policy import FlowPolicy, FlowSettings
from rlpriors.agents.validation import check_type
from rlpriors.data.normalize import Normalizer
from rlpriors.networks.base import check_at_least, check_widths
from rlpriors.networks.mlp import build_mlp

__all__ = ["FastPlannerPolicy", "FastPlannerSettings"]


@dataclass(frozen=True)
class FastPlannerSettings(FlowSettings):
    """Chunks, networks and number of proposals of a `FastPlannerPolicy`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    n_candidates: int = 8
    """Number of chunks that are proposed for a decision, at least 1; 1 uses no value."""
    value_hidden: tuple[int, ...] = (128, 128)
    """Width of each hidden layer of the value network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, n_candidates=self.n_candidates)
        check_widths(value_hidden=self.value_hidden)


class FastPlannerPolicy(FlowPolicy):
    """Policy that proposes several chunks in one step and executes the best one by a learned value.

    The value is the advantage of a chunk: the value that the teacher gave to the plan that began with it,
    less the mean value of the teacher's plans from the same state, in units of their standard deviation.

    Args:
        action_space: a Box with one axis; actions are clipped to it.
        obs: normalizer of observations.
        act: normalizer of actions.
        settings: chunks, networks and number of proposals.
        arguments: further arguments of `FlowPolicy`.

    Example:
        >>> import numpy as np
        >>> from tianshou.data import Batch
        >>> policy = FastPlannerPolicy(
        ...     action_space=gym.spaces.Box(-2, 2, (1,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(1), device="cpu")
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

    settings: FastPlannerSettings
    settings_type = FastPlannerSettings

    def __init__(
        self,
        *,
        action_space: gym.Space[Any],
        obs: Normalizer,
        act: Normalizer,
        settings: FastPlannerSettings | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(action_space=action_space, obs=obs, act=act, settings=settings, **arguments)
        check_type("settings", self.settings, FastPlannerSettings, "it has `n_candidates`")
        sizes = self.settings
        self.value: nn.Module = build_mlp(obs.dim + sizes.horizon * act.dim, sizes.value_hidden, 1)
        self.to(self.device)

    @classmethod
    def of(
        cls,
        teacher: DiffuserPolicy,
        *,
        hidden: Sequence[int] = (256, 256, 256),
        value_hidden: Sequence[int] = (128, 128),
        n_candidates: int = 8,
        replan_every: int | None = None,
        device: str | torch.device | None = None,
        seed: int = 0,
    ) -> "FastPlannerPolicy":
        """Create an untrained policy with the spaces, normalizers and executed time steps of a planner.

        Args:
            teacher: planner with continuous actions.
            hidden: width of each hidden layer of the flow network.
            value_hidden: width of each hidden layer of the value network.
            n_candidates: number of chunks that are proposed for a decision.
            replan_every: number of environment steps between decisions; by default that of the teacher.
            device: device of the policy; by default that of the teacher.
            seed: random seed of the weights and of the noise.

        Raises:
            ValueError: the teacher's actions are Discrete, or an argument is out of its bounds.
        """
        check_type("teacher", teacher, DiffuserPolicy, "train one by `TrajectoryDiffusion`")
        layout = teacher.layout
        if not isinstance(layout.act, Normalizer):
            raise ValueError(
                f"`teacher` must plan continuous actions. Received one for {teacher.action_space}; a flow "
                "proposes no Discrete actions."
            )
        executed = teacher.execution_horizon * layout.stride
        default = executed if teacher.replan_every is None else teacher.replan_every
        settings = FastPlannerSettings(
            horizon=teacher.execution_horizon,
            stride=layout.stride,
            replan_every=default if replan_every is None else replan_every,
            hidden=tuple(hidden),
            n_candidates=n_candidates,
            value_hidden=tuple(value_hidden),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            policy = cls(
                action_space=teacher.action_space,
                obs=_copy(layout.obs),
                act=_copy(layout.act),
                settings=settings,
                observation_space=teacher.observation_space,
                obs_layout=teacher.obs_layout,
                device=teacher.device if device is None else device,
                seed=seed,
            )
        policy.obs_encoder = teacher.obs_encoder
        return policy

    def advantages(
        self,
        obs: Float[Tensor, "batch obs"],
        chunks: Float[Tensor, "batch horizon act"],
        value: nn.Module | None = None,
    ) -> Float[Tensor, " batch"]:
        """Return the advantage of normalized chunks; `value` replaces the policy's own network."""
        network = self.value if value is None else value
        rows: Tensor = network(torch.cat([self.obs(obs), chunks.flatten(1)], -1))
        return rows[:, 0]

    @torch.no_grad()
    def chunk(self, obs: Any) -> Float[Tensor, "batch horizon act"]:
        """Return the best proposal of raw actions for each row of raw observations."""
        n, rows = self.settings.n_candidates, self.read(obs)
        many = rows.repeat_interleave(n, 0)
        raw = self.clip(self.act.inverse(self.sample(many)))
        if n == 1:
            return raw
        best = self.advantages(many, self.act(raw)).reshape(-1, n).argmax(1)
        return raw.reshape(-1, n, *raw.shape[1:])[torch.arange(len(rows), device=raw.device), best]


def _copy(normalizer: Normalizer) -> Normalizer:
    return Normalizer(normalizer.loc.cpu(), normalizer.scale.cpu())
