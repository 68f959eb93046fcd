"""Wrapper of a `gymnasium.vector` environment whose actions are skills of a policy.

`VectorSkillAction`  twin of `SkillAction` with one batched call of the policy per environment step
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.core import ActType, ObsType
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from rlpriors.types import SkillPolicy
from rlpriors.wrappers.env_kind import check_env_kind, check_full_batch
from rlpriors.wrappers.skill_action import SkillRunner
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.vector.generic_wrapper import GenericVectorWrapper
from rlpriors.wrappers.vector.step_info import check_rows, to_numpy

__all__ = ["VectorSkillAction"]


class VectorSkillAction(GenericVectorWrapper[ObsType, np.ndarray, ObsType, ActType, np.ndarray]):
    """Wrapper of a vector environment whose actions are skills, followed for at most `horizon` steps.

    `policy` and `horizon` are those of `SkillAction`.  All environments step together, and a vector
    environment cannot pause a part of them, so a step ends early for all when an episode ends in one.  Each
    environment's rewards are summed over exactly its own steps, and episodes end as in the environment, in
    each autoreset mode.  The info is that of the last environment step, with "skill_steps"; an "env_reward"
    in it is summed, too.

    Raises:
        ValueError: `horizon` is below 1, or the environment does not return all its environments.
        TypeError: `env` is not a vector environment of Gymnasium, or `policy` no `SkillPolicy`.
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.

    Example:
        >>> import gymnasium as gym
        >>> class Still:
        ...     skill_dim = 3
        ...     def act_by(self, obs, skill):
        ...         return np.zeros((len(obs), 1), np.float32)
        >>> envs = VectorSkillAction(gym.make_vec("Pendulum-v1", num_envs=2), Still(), horizon=5)
        >>> _ = envs.reset(seed=0)
        >>> envs.step(envs.action_space.sample())[4]["skill_steps"]
        array([5, 5])
    """

    def __init__(
        self, env: VectorEnv[ObsType, ActType, np.ndarray], policy: SkillPolicy, horizon: int = 10
    ) -> None:
        check_env_kind(env, "SkillAction", "Vector")
        super().__init__(env)
        check_full_batch(env)
        self.runner = SkillRunner(policy, horizon)
        self.single_action_space = self.runner.space
        self.action_space = batch_space(self.runner.space, env.num_envs)
        self._obs: Any = None
        self._guard = StepGuard(env.num_envs)

    def reset(
        self, *, seed: int | Any | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, Any]:
        """Reset all environments, or those of `options["reset_mask"]`."""
        mask = np.broadcast_to((options or {}).get("reset_mask", True), self.num_envs)
        self._guard.check(~mask)
        with self._guard.reset(mask):
            self._obs, info = self.env.reset(seed=seed, options=options)
            check_rows(_n_rows(self._obs), self.num_envs)
        return self._obs, info

    def step(self, actions: np.ndarray) -> tuple[ObsType, np.ndarray, Any, Any, Any]:
        with self._guard.step():
            skills = self.runner.skills(actions)
            total, env_total = np.zeros(self.num_envs), np.zeros(self.num_envs)
            steps, ended = 0, False
            while steps < self.runner.horizon and not ended:
                act: Any = self.runner.act(self._obs, skills)
                self._obs, rewards, terminated, truncated, info = self.env.step(act)
                total += to_numpy(rewards)
                env_total += _env_rewards(info, self.num_envs)
                ended = bool((to_numpy(terminated) | to_numpy(truncated)).any())
                steps += 1
        return self._obs, total, terminated, truncated, _with_steps(info, env_total, steps)


def _n_rows(obs: Any) -> int:
    while isinstance(obs, Mapping):
        obs = next(iter(obs.values()))
    return len(obs)


def _env_rewards(info: Any, n_envs: int) -> np.ndarray:
    """Return the environments' own rewards in an info; 0 where there are none."""
    if isinstance(info, Mapping):
        return np.broadcast_to(to_numpy(info.get("env_reward", 0.0)), n_envs)
    return np.array([float(one.get("env_reward", 0.0)) for one in info])


def _with_steps(info: Any, env_total: np.ndarray, steps: int) -> Any:
    """Return a copy of an info with the number of steps, and with summed rewards if it holds rewards."""
    n_envs = len(env_total)
    if isinstance(info, Mapping):
        summed = {"env_reward": env_total} if "env_reward" in info else {}
        every = {"skill_steps": np.full(n_envs, steps), "_skill_steps": np.ones(n_envs, np.bool_)}
        return {**info, **summed, **every}
    return [
        {**one, **({"env_reward": reward} if "env_reward" in one else {}), "skill_steps": steps}
        for one, reward in zip(info, env_total, strict=True)
    ]
