"""Score policy: actions by a few denoising steps, toward a goal, with a memory of past time steps.

`ScorePolicy`  policy of BESO (Reuss et al. 2023, arXiv 2304.02532) and of past-token prediction (Torne et al.
               2025, arXiv 2505.09561)

`beso` trains it on data without rewards.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ActStateBatchProtocol, ObsBatchProtocol
from torch import Tensor, nn

from rlpriors.agents.diffusion.score.goal_entries import check_box, goal_entries
from rlpriors.agents.diffusion.score.inputs import ScoreInputs, known_actions, score_network
from rlpriors.agents.diffusion.score.rollout import Past
from rlpriors.agents.diffusion.score.settings import ScoreSettings
from rlpriors.agents.observation_reader import ObservationReader
from rlpriors.agents.offline.zero_shot.goals import GoalReader
from rlpriors.agents.validation import check_actions_of, check_sizes, read_observations
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.diffusion import EDM, ContextDenoiser, with_context
from rlpriors.networks import build_denoiser
from rlpriors.types import Denoiser

__all__ = ["ScorePolicy"]

SAMPLING = frozenset({"n_steps", "sampler", "guidance", "candidates", "execution_horizon"})


class ScorePolicy(ObservationReader, Policy):
    """Policy that denoises the actions of a window, given its past observations and a goal.

    `reach` sets the goal.  Without one, the policy acts as the data do.  Past observations and actions of
    each environment are the policy's state, which a collector clears when an episode ends.  With several
    `candidates`, the policy executes the one whose past actions are nearest to those that were executed
    (self-verification of arXiv 2505.09561).

    Args:
        action_space: a Box with one axis, to which actions are clipped.
        obs: normalizer of observations.
        act: normalizer of actions to [-1, 1].
        settings: settings of the window, of denoising and of the network.
        task_entries: indices of the entries of an observation that a goal consists of; None for a policy
            without goals.
        goal_key: leaf of a dictionary observation that holds the goal of each step, for `reach(None)`.
        observation_space: as in Tianshou's policies; not needed to act.
        obs_keys: leaves of a dictionary observation that the policy reads.
        device: device of the network.
        seed: random seed of initial weights and of noise.

    Raises:
        ValueError: the action space is of another kind, or an entry is no index of an observation.

    Example:
        >>> policy = ScorePolicy(
        ...     action_space=gym.spaces.Box(-1, 1, (1,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(1), task_entries=(0, 1), device="cpu")
        >>> policy.reach([0.5, 0.5])
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

    def __init__(
        self,
        *,
        action_space: gym.Space[Any],
        obs: Normalizer,
        act: Normalizer,
        settings: ScoreSettings | None = None,
        task_entries: Sequence[int] | None = None,
        goal_key: str | None = None,
        observation_space: gym.Space[Any] | None = None,
        obs_keys: Sequence[str] | None = None,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        check_box(action_space, act)
        settings = ScoreSettings() if settings is None else settings
        super().__init__(action_space, observation_space, action_scaling=False, action_bound_method=None)
        self.settings, self.obs, self.act = settings, obs, act
        self.goals = None if task_entries is None else GoalReader(obs, task_entries, goal_key)
        self.edm = EDM(settings.sigma_data, settings.sigma_range)
        self.set_layout(obs_keys, None)
        self.device = resolve_device(device)
        n_goal = 0 if self.goals is None else len(self.goals.entries)
        dim = obs.dim + 1 + act.dim + (n_goal + 1 if n_goal else 0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            sizes = {"width": settings.width, "blocks": settings.blocks}
            network = build_denoiser(settings.denoiser, settings.n_rows, dim, **sizes)
        self.model: nn.Module = ContextDenoiser(network, n_goal) if n_goal else network
        self.to(self.device)
        self.reseed(seed)

    @classmethod
    def fit(
        cls,
        data: EpisodeStore,
        action_space: gym.Space[Any],
        *,
        goals: bool = True,
        task_keys: Sequence[str] | None = None,
        **arguments: Any,
    ) -> "ScorePolicy":
        """Create an untrained policy with the normalizers of `data`; `arguments` go to the class.

        Args:
            data: episodes of the environment; rewards are not read.
            action_space: action space of the environment.
            goals: True for a policy with goals.
            task_keys: leaves of the data's observations that a goal consists of.  By default
                `achieved_goal` if the data have this leaf, with `desired_goal` as the `goal_key`; else all.
            arguments: arguments of the class.

        Raises:
            ValueError: a leaf is not one of the data, observations are images, or the observations contain
                the `desired_goal` of the recording, which contradicts goals in hindsight.
        """
        if data.obs.ndim > 2:
            raise ValueError(
                f"`data` must have vectors for observations. Received shape {data.obs.shape[1:]}; encode "
                "images once, by `rlpriors encode` or `encode_dataset`."
            )
        check_box(action_space)
        if goals:
            entries, key = goal_entries(data, task_keys)
            if "task_entries" not in arguments:
                arguments = {"task_entries": entries, "goal_key": key} | arguments
        obs = Normalizer.gaussian(data.obs.reshape(len(data.obs), -1))
        act = Normalizer.limits(data.act.reshape(len(data.act), -1))
        policy = cls(action_space=action_space, obs=obs, act=act, **arguments)
        policy.record_layout(data)
        return policy

    def reseed(self, seed: int) -> None:
        """Restart the noise from `seed`."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def set_sampling(self, **changes: Any) -> None:
        """Change settings that need no training.

        They are `n_steps`, `sampler`, `guidance`, `candidates` and `execution_horizon`.

        Raises:
            ValueError: a setting is another one or out of its bounds.
        """
        wrong = sorted(set(changes) - SAMPLING)
        if wrong:
            raise ValueError(
                f"`changes` must be among {sorted(SAMPLING)}, which need no training. Received {wrong}; "
                "create a policy with these settings and train it."
            )
        self.settings = replace(self.settings, **changes)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions fit the policy."""
        check_sizes(data, obs=self.obs.dim, act=self.act.dim)
        self.record_layout(data)
        check_actions_of("act", data, self.action_space)

    def reach(self, goal: Any | None = None) -> None:
        """Act toward a goal from now on: an observation, or the goal's entries of one.

        Several goals are one for each environment.  With None the goal of each step is the leaf `goal_key`
        of the observation.

        Raises:
            ValueError: the policy has no goals, or none of this size, or no `goal_key`.
        """
        if self.goals is None:
            raise ValueError(
                "`goal` must not be given to a policy without goals. Create the policy with `task_entries`."
            )
        self.goals.set(goal)

    def clear_goal(self) -> None:
        """Act without a goal from now on, which needs a `goal_dropout` above 0 in training."""
        if self.goals is not None:
            self.goals.clear()

    def window(
        self,
        obs: Float[Tensor, "batch past obs"],
        act: Float[Tensor, "batch rows act"],
        valid: Bool[Tensor, "batch rows"],
    ) -> ScoreInputs:
        """Return normalized windows of raw ones."""
        return ScoreInputs(self.obs(obs), self.act(act), valid)

    def goal_context(self, goal: Float[Tensor, "batch obs"]) -> Float[Tensor, "batch goal"]:
        """Return the goal's entries of normalized observations."""
        assert self.goals is not None
        return goal[:, list(self.goals.entries)]

    @torch.no_grad()
    def sample(
        self, inputs: ScoreInputs, goal: Float[Tensor, "batch goal"] | None = None
    ) -> Float[Tensor, "batch rows act"]:
        """Sample the normalized actions of windows: past, current and future ones.

        Args:
            inputs: normalized windows, whose future actions are not read.
            goal: normalized goals; None for none.
        """
        settings, n = self.settings, self.settings.candidates
        many = inputs.repeat(n)
        if goal is None:
            denoiser = cast(Denoiser, self.model)
        else:
            model = cast(ContextDenoiser, self.model)
            denoiser = with_context(model, goal.repeat_interleave(n, 0), settings.guidance)
        x = self.edm.sample(
            score_network(many, settings, denoiser),
            torch.randn(many.act.shape, generator=self._generator, device=self.device),
            n_steps=settings.n_steps,
            sampler=settings.sampler,
            condition=known_actions(many, settings),
            generator=self._generator,
        ).clamp(-1, 1)
        if n == 1:
            return x
        past = slice(0, settings.history)
        error = (x[:, past] - many.act[:, past].clamp(-1, 1)).square().sum(-1) * many.valid[:, past]
        best = error.sum(1).reshape(-1, n).argmin(1)
        return x.reshape(-1, n, *x.shape[1:])[torch.arange(len(best), device=x.device), best]

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Batch | np.ndarray | None = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """Return the next action of each environment, raw, and the state with its past.

        `state` is the state of the last call, or None at the beginning of episodes.

        Raises:
            ValueError: there is no goal, and the policy was trained with goals only.
        """
        obs = read_observations(batch.obs, self.obs_layout, self.obs.dim, self.device)
        goals = None if self.goals is None else self.goals.current(batch.obs, len(obs))
        memory = None if state is None else Batch(state)
        past = Past(len(obs), self.obs.dim, self.act.dim, self.settings, memory)
        past.see(obs.cpu().numpy())
        rows = past.need_plan
        if len(rows):
            goal = None if goals is None else self.goal_context(goals[torch.from_numpy(rows)])
            if goal is None and self.goals is not None and not self.settings.goal_dropout:
                raise ValueError(
                    "The policy must have a goal, because all its training windows had one (`goal_dropout` "
                    "0). Received none; set one by `reach`."
                )
            box = cast(gym.spaces.Box, self.action_space)
            raw = self.act.inverse(self.sample(self._read(past, rows), goal)).cpu().numpy()
            first, last = self.settings.history, self.settings.history + self.settings.execution_horizon
            past.plan(rows, raw[:, first:last].clip(box.low, box.high))
        return cast(ActStateBatchProtocol, Batch(act=past.act(), state=past.as_batch()))

    def _read(self, past: Past, rows: np.ndarray) -> ScoreInputs:
        """Return the normalized windows of these environments."""
        n, horizon = len(rows), self.settings.horizon
        future = np.zeros((n, horizon, self.act.dim), np.float32)
        act = np.concatenate([past.actions[rows], future], 1)
        valid = np.concatenate([past.valid[rows, :-1], np.ones((n, horizon), bool)], 1)
        tensors = (torch.from_numpy(part).to(self.device) for part in (past.obs[rows], act, valid))
        return self.window(*tensors)
