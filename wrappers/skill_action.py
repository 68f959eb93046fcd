"""Wrapper whose actions are skills of a policy, each followed for several steps.

`SkillAction`    for a single environment; `vector` and `tianshou` hold the twins for many
`SkillRunner`    actions of a policy for skills, shared by the wrappers
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.core import ObsType
from jaxtyping import Float

from rlpriors.settings import fit_value
from rlpriors.types import SkillPolicy
from rlpriors.wrappers.env_kind import check_env_kind
from rlpriors.wrappers.step_guard import StepGuard

__all__ = ["SkillAction", "SkillRunner"]


class SkillRunner:
    """Actions of a policy for skills in a box, and the number of steps of a skill.

    The actions of the box are directions: they are scaled to vectors of length sqrt(dim), on which the
    policy was trained.  The zero vector stays zero.

    Raises:
        TypeError: `policy` is no `SkillPolicy`.
        ValueError: `horizon` is below 1.

    Example:
        >>> class Still:
        ...     skill_dim = 3
        ...     def act_by(self, obs, skill):
        ...         return np.zeros((len(obs), 1), np.float32)
        >>> SkillRunner(Still(), horizon=5).skills([[2.0, 1.0, 2.0], [0.0, 0.0, 0.0]]).round(2)
        array([[1.15, 0.58, 1.15],
               [0.  , 0.  , 0.  ]], dtype=float32)
    """

    def __init__(self, policy: SkillPolicy, horizon: int) -> None:
        if not isinstance(policy, SkillPolicy):
            raise TypeError(
                "`policy` must be a SkillPolicy, with `skill_dim` and `act_by`. Received a "
                f"{type(policy).__name__}; load one by `rlpriors.agents.load_skills`."
            )
        horizon = fit_value("horizon", horizon, int)
        if horizon < 1:
            raise ValueError(f"`horizon` must be at least 1. Received {horizon}.")
        self.policy, self.horizon = policy, horizon
        self.space = gym.spaces.Box(-1.0, 1.0, (policy.skill_dim,), np.float32)

    def skills(self, actions: Any) -> Float[np.ndarray, "batch dim"]:
        """Return the skills of actions, one row each.

        Raises:
            ValueError: actions have another shape, or are not finite.
        """
        rows = np.asarray(actions.cpu() if hasattr(actions, "cpu") else actions, np.float32)
        if rows.ndim != 2 or rows.shape[1:] != self.space.shape or not np.isfinite(rows).all():
            raise ValueError(
                f"`action` must be {self.space.shape[0]} finite numbers for each environment. Received shape "
                f"{rows.shape}; act in `env.action_space`."
            )
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows * np.float32(np.sqrt(rows.shape[1])) / np.maximum(norms, 1e-8))

    def act(self, obs: Any, skills: Float[np.ndarray, "batch dim"]) -> np.ndarray:
        """Return the actions of the policy for a batch of observations."""
        return self.policy.act_by(obs, skills)


class SkillAction(gym.Wrapper[ObsType, np.ndarray, ObsType, Any], gym.utils.RecordConstructorArgs):
    """Wrapper whose action is a skill of a frozen policy, followed for at most `horizon` steps.

    Any agent learns to choose among skills, as a planner over fixed behaviors.  The reward of a step is the
    sum over its environment steps.  A step ends early with its episode.  The info is that of the last
    environment step, with the number of environment steps as "skill_steps"; an "env_reward" in it is summed,
    too.

    The policy is an argument, so a spec of this wrapper is not serializable.

    Args:
        env: environment of the policy's observations and actions.
        policy: policy over skills, such as a `SuccessorFeaturePolicy`.
        horizon: largest number of environment steps of a skill.

    Raises:
        ValueError: `horizon` is below 1.
        TypeError: `env` is a vector environment, or `policy` no `SkillPolicy`.
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.

    Example:
        >>> class Still:
        ...     skill_dim = 3
        ...     def act_by(self, obs, skill):
        ...         return np.zeros((len(obs), 1), np.float32)
        >>> env = SkillAction(gym.make("Pendulum-v1"), Still(), horizon=5)
        >>> _ = env.reset(seed=0)
        >>> env.action_space, env.step(np.ones(3, np.float32))[4]["skill_steps"]
        (Box(-1.0, 1.0, (3,), float32), 5)
    """

    def __init__(self, env: gym.Env[ObsType, Any], policy: SkillPolicy, horizon: int = 10) -> None:
        check_env_kind(env, "SkillAction", "")
        gym.utils.RecordConstructorArgs.__init__(self, policy=policy, horizon=horizon, _disable_deepcopy=True)
        gym.Wrapper.__init__(self, env)
        self.runner = SkillRunner(policy, horizon)
        self.action_space = self.runner.space
        self._obs: Any = None
        self._guard = StepGuard(1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        with self._guard.reset(0):
            self._obs, info = self.env.reset(seed=seed, options=options)
        return self._obs, info

    def step(self, action: np.ndarray) -> tuple[ObsType, float, bool, bool, dict[str, Any]]:
        with self._guard.step():
            skills = self.runner.skills(np.asarray(action)[None])
            total, env_total, steps, ended = 0.0, 0.0, 0, False
            while steps < self.runner.horizon and not ended:
                act = self.runner.act(add_batch(self._obs), skills)[0]
                self._obs, reward, terminated, truncated, info = self.env.step(act)
                total += float(reward)
                env_total += float(info.get("env_reward", 0.0))
                ended = bool(terminated or truncated)
                steps += 1
        summed = {"env_reward": np.float64(env_total)} if "env_reward" in info else {}
        return self._obs, total, terminated, truncated, {**info, **summed, "skill_steps": steps}


def add_batch(obs: Any) -> Any:
    """Return an observation as a batch of one."""
    if isinstance(obs, Mapping):
        return {key: add_batch(leaf) for key, leaf in obs.items()}
    return np.asarray(obs)[None]
