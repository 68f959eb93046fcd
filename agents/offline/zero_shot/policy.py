"""Policy over skills, which follows a reward, reaches a goal or imitates without further training.

`SuccessorFeaturePolicy`  policy pi(s, z) with its features and successor features
`FEATURES`                classes of features by name
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ModelOutputBatchProtocol, ObsBatchProtocol
from torch import Tensor, nn

from rlpriors.agents.observation_reader import ObservationReader
from rlpriors.agents.offline.zero_shot.action_codes import ActionCodes
from rlpriors.agents.offline.zero_shot.base import TaskFeatures
from rlpriors.agents.offline.zero_shot.fixed import IdentityFeatures, RandomFeatures
from rlpriors.agents.offline.zero_shot.forward_backward import BackwardFeatures
from rlpriors.agents.offline.zero_shot.goals import GoalReader, leaf_entries
from rlpriors.agents.offline.zero_shot.hilp import HilbertFeatures
from rlpriors.agents.offline.zero_shot.latent_prediction import OneStepFeatures, TDJEPAFeatures
from rlpriors.agents.offline.zero_shot.networks import SuccessorTwins, build_encoder
from rlpriors.agents.offline.zero_shot.settings import FeatureName, ZeroShotSettings
from rlpriors.agents.offline.zero_shot.skills import (
    RewardedSteps,
    draw_rewards,
    skill_of_demonstrations,
    skill_of_reward,
)
from rlpriors.agents.validation import check_actions_of, check_sizes, read_observations
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.types import RewardFn

__all__ = ["FEATURES", "SuccessorFeaturePolicy"]

FEATURES: dict[FeatureName, type[TaskFeatures]] = {
    "hilp": HilbertFeatures,
    "td-jepa": TDJEPAFeatures,
    "forward-backward": BackwardFeatures,
    "one-step": OneStepFeatures,
    "random": RandomFeatures,
    "identity": IdentityFeatures,
}


class SuccessorFeaturePolicy(ObservationReader, Policy):
    """Policy pi(s, z) over skills z, with the features and successor features that it was trained with.

    `follow` sets the skill that it acts by, and `reach` a goal.  `infer_z` computes the skill of a reward, a
    goal or demonstrations.  Actions are in units of the environment.

    Args:
        action_space: bounded Box with one axis, or a Discrete, for which the policy takes the action with
            the highest value.
        obs: normalizer of observations.
        settings: settings of features and networks.
        task_entries: indices of the entries of an observation that tasks depend on; None for all.
        observation_space: as in Tianshou's policies; not needed to act.
        obs_keys: leaves of a dictionary observation that the policy reads.
        goal_key: leaf of a dictionary observation that holds the goal of each step, for `reach(None)`.
        device: device of the networks.
        seed: random seed of the initial weights.

    Raises:
        ValueError: the action space is of another kind, or an entry is no index of an observation.

    Example:
        >>> policy = SuccessorFeaturePolicy(
        ...     action_space=gym.spaces.Box(-1, 1, (1,)), obs=Normalizer.identity(3), device="cpu",
        ...     settings=ZeroShotSettings(dim=4, hidden=(8,)))
        >>> policy.follow(policy.infer_z(goal=np.zeros(3)))
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

    skill: Tensor
    """Skill that the policy acts by, unless it reaches a goal."""

    def __init__(
        self,
        *,
        action_space: gym.Space[Any],
        obs: Normalizer,
        settings: ZeroShotSettings | None = None,
        task_entries: Sequence[int] | None = None,
        observation_space: gym.Space[Any] | None = None,
        obs_keys: Sequence[str] | None = None,
        goal_key: str | None = None,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        settings = ZeroShotSettings() if settings is None else settings
        codes = ActionCodes(action_space)
        if codes.discrete and settings.bc_weight:
            raise ValueError(
                f"`bc_weight` must be 0 for Discrete actions. Received {settings.bc_weight}; it pulls Box "
                "actions toward those of the data."
            )
        super().__init__(
            action_space=action_space,
            observation_space=observation_space,
            action_scaling=False,
            action_bound_method=None,
        )
        self.settings, self.codes, self.obs = settings, codes, obs
        self.goals = GoalReader(obs, task_entries, goal_key)
        self.set_layout(obs_keys, None)
        self.device = resolve_device(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            features = FEATURES[settings.features](obs.dim, self.goals.entries, codes.dim, settings)
            sizes = features.state_dim, features.dim
            self.features = features
            self.successor = SuccessorTwins(*sizes, codes.dim, features.dim, settings.hidden)
            self.actor: nn.Module = (
                nn.Identity() if codes.discrete else build_encoder(sum(sizes), settings.hidden, codes.dim)
            )
        self.register_buffer("skill", torch.zeros(features.dim))
        self.to(self.device)

    @classmethod
    def fit(
        cls,
        data: EpisodeStore,
        action_space: gym.Space[Any],
        *,
        task_keys: Sequence[str] | None = None,
        **arguments: Any,
    ) -> "SuccessorFeaturePolicy":
        """Create an untrained policy with the normalizer of `data`; `arguments` go to the class.

        `task_keys` are the leaves of the data's observations that tasks depend on, such as
        `("achieved_goal",)`; by default all.

        Raises:
            ValueError: a leaf is not one of the data, or observations are images.
        """
        if data.obs.ndim > 2:
            raise ValueError(
                f"`data` must have vectors for observations. Received shape {data.obs.shape[1:]}; encode "
                "images once, by `rlpriors encode` or `encode_dataset`."
            )
        if task_keys is not None:
            arguments["task_entries"] = leaf_entries(data.obs_layout, task_keys)
        normalizer = Normalizer.gaussian(data.obs.reshape(len(data.obs), -1))
        policy = cls(action_space=action_space, obs=normalizer, **arguments)
        policy.record_layout(data)
        return policy

    @property
    def skill_dim(self) -> int:
        """Number of entries of a skill."""
        return self.features.dim

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions fit the policy."""
        check_sizes(data, obs=self.obs.dim, act=1 if self.codes.discrete else self.codes.dim)
        self.record_layout(data)
        check_actions_of("act", data, self.action_space)

    # ------------------------------------------------------------ tasks

    @torch.no_grad()
    def infer_z(
        self,
        *,
        goal: Any = None,
        obs: Any = None,
        reward: RewardFn | None = None,
        data: EpisodeStore | None = None,
        demonstrations: EpisodeStore | None = None,
        samples: int = 10_000,
        seed: int = 0,
    ) -> Float[Tensor, " dim"]:
        """Compute the skill of a task: a goal, a reward or demonstrations.

        Args:
            goal: observation to reach, or the task's entries of one.
            obs: current observation; directions of hilp start there, and at the mean of the data by default.
            reward: reward of transitions in raw units, which is scored on `data`.
            data: episodes with the rewards of the task, if `reward` is None.
            demonstrations: episodes of the behavior to imitate.
            samples: largest number of transitions of `data` that are used, drawn with `seed`.
            seed: random seed of the transitions.

        Returns:
            The skill, a vector of length sqrt(dim), or 0 if the task is constant.

        Raises:
            ValueError: there is not exactly one of `goal`, `reward` or `data`, and `demonstrations`.
        """
        given = [goal is not None, reward is not None or data is not None, demonstrations is not None]
        if sum(given) != 1 or (reward is not None and data is None):
            raise ValueError(
                "`goal`, `reward` with `data`, or `demonstrations` must be given, exactly one of the three. "
                f"Received goal: {given[0]}, reward: {reward is not None}, data: {data is not None}, "
                f"demonstrations: {given[2]}. `data` alone holds the rewards of the task."
            )
        if goal is not None:
            start = None if obs is None else self._read_one(obs)
            return self.features.directions(self.goals(goal), start)[0]
        if demonstrations is not None:
            self.check_data(demonstrations)
            rows = torch.from_numpy(demonstrations.obs).float().flatten(1).to(self.device)
            return skill_of_demonstrations(self.features, self.obs(rows))
        assert data is not None
        self.check_data(data)
        steps = RewardedSteps(*(part.to(self.device) for part in draw_rewards(data, reward, samples, seed)))
        return skill_of_reward(self.features, steps._replace(obs=self.obs(steps.obs)))

    def follow(self, skill: Float[Tensor, " dim"]) -> None:
        """Act by one skill from now on.

        Raises:
            ValueError: the skill has another size, or is not finite.
        """
        if skill.shape != self.skill.shape or not skill.isfinite().all():
            raise ValueError(
                f"`skill` must be {len(self.skill)} finite numbers. Received shape {tuple(skill.shape)}; "
                "compute it by `infer_z`."
            )
        self.skill.copy_(skill)
        self.goals.clear()

    def reach(self, goal: Any | None = None) -> None:
        """Act toward a goal from now on: an observation, or the task's entries of one.

        With None the goal of each step is the leaf `goal_key` of the observation.  Several goals are one for
        each environment.  The skill of hilp is computed anew at every step.

        Raises:
            ValueError: `goal` is None and the policy has no `goal_key`, or a goal has another size.
        """
        self.goals.set(goal)

    # ------------------------------------------------------------ actions

    def best_actions(
        self, state: Float[Tensor, "batch state"], skill: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch code"]:
        """Return the encoded actions of the policy; differentiable for a Box."""
        if not self.codes.discrete:
            out: Tensor = self.actor(torch.cat([state, skill], -1))
            return out.tanh()
        codes = torch.eye(self.codes.dim, device=state.device)
        states, skills = (part[:, None].expand(-1, len(codes), -1) for part in (state, skill))
        successor = self.successor.lower(states, skills, codes.expand(len(state), -1, -1))
        return codes[(successor * skills).sum(-1).argmax(1)]

    @torch.no_grad()
    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Any = None, **kwargs: Any
    ) -> ModelOutputBatchProtocol:
        """Return the action of each environment (`act`, raw) and its code (`logits`)."""
        obs = self.obs(read_observations(batch.obs, self.obs_layout, self.obs.dim, self.device))
        goals = self.goals.current(batch.obs, len(obs))
        skills = self.skill.expand(len(obs), -1) if goals is None else self.features.directions(goals, obs)
        code = self.best_actions(self.features.state(obs), skills)
        return cast(ModelOutputBatchProtocol, Batch(logits=code, act=self.codes.decode(code), state=None))

    @torch.no_grad()
    def act_by(self, obs: Any, skill: Float[np.ndarray, "batch dim"]) -> np.ndarray:
        """Return the raw actions of skills, one for each row of raw observations."""
        rows = self.obs(read_observations(obs, self.obs_layout, self.obs.dim, self.device))
        skills = torch.as_tensor(skill, dtype=torch.float32, device=self.device)
        return self.codes.decode(self.best_actions(self.features.state(rows), skills))

    def _read_one(self, obs: Any) -> Tensor:
        if isinstance(obs, Mapping):
            rows: Any = {key: np.asarray(leaf)[None] for key, leaf in obs.items()}
        else:
            rows = np.array(obs, np.float32).reshape(1, -1)
        normalized: Tensor = self.obs(read_observations(rows, self.obs_layout, self.obs.dim, self.device))
        return normalized
