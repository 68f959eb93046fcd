"""Wrapper of a Tianshou vector environment whose actions are skills of a policy.

`TianshouSkillAction`  twin of `SkillAction` with one batched call of the policy per environment step
"""

from typing import Any

import numpy as np
import torch
from tianshou.env import BaseVectorEnv

from rlpriors.types import SkillPolicy
from rlpriors.wrappers.env_kind import check_env_kind
from rlpriors.wrappers.skill_action import SkillRunner
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tianshou.vector_env import EnvIds, WrappedSpacesEnv, object_array, resolve_env_ids

__all__ = ["TianshouSkillAction"]


class TianshouSkillAction(WrappedSpacesEnv):
    """Wrapper of a Tianshou vector environment whose actions are skills, followed for `horizon` steps.

    `policy` and `horizon` are those of `SkillAction`.  An environment whose episode ends stops there, and
    the others continue to the end of their skill.  Rewards are summed, also the "env_reward" of an info, and
    each info has the number of environment steps as "skill_steps".

    Raises:
        ValueError: `horizon` is below 1, or the environments step asynchronously.
        TypeError: `venv` is not a vector environment of Tianshou, or `policy` no `SkillPolicy`.
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.env import DummyVectorEnv
        >>> class Still:
        ...     skill_dim = 3
        ...     def act_by(self, obs, skill):
        ...         return np.zeros((len(obs), 1), np.float32)
        >>> venv = TianshouSkillAction(DummyVectorEnv([lambda: gym.make("Pendulum-v1")] * 2), Still(), 5)
        >>> _ = venv.reset(seed=0)
        >>> venv.action_space[0], venv.step(np.ones((2, 3)))[4][1]["skill_steps"]
        (Box(-1.0, 1.0, (3,), float32), 5)
    """

    def __init__(self, venv: BaseVectorEnv, policy: SkillPolicy, horizon: int = 10) -> None:
        check_env_kind(venv, "SkillAction", "Tianshou", "venv")
        super().__init__(venv)
        if getattr(venv, "is_async", False):
            raise ValueError(
                "`venv` must step all its environments together. Received an asynchronous one; leave out "
                "`wait_num` and `timeout`."
            )
        self.runner = SkillRunner(policy, horizon)
        self.single_action_space = self.runner.space
        self._obs: dict[int, Any] = {}
        self._guard = StepGuard(len(venv))

    def reset(self, env_id: EnvIds = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        env_ids = resolve_env_ids(self, env_id)
        with self._guard.reset(env_ids):
            obs, infos = self.venv.reset(env_id, **kwargs)
            self._obs.update(zip(env_ids, obs, strict=True))
        return obs, infos

    def step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        env_ids = resolve_env_ids(self, id)
        with self._guard.step(env_ids):
            skills = dict(zip(env_ids, self.runner.skills(action), strict=True))
            rows: dict[int, tuple[float, float, int, bool, bool, dict[str, Any]]] = {
                i: (0.0, 0.0, 0, False, False, {}) for i in env_ids
            }
            running = env_ids
            for _ in range(self.runner.horizon):
                if not running:
                    break
                act = self.runner.act(
                    _batch([self._obs[i] for i in running]), np.stack([skills[i] for i in running])
                )
                results = zip(running, *self.venv.step(act, running), strict=True)
                for i, obs, rew, terminated, truncated, info in results:
                    total, own, steps, *_ = rows[i]
                    own += float(info.get("env_reward", 0.0))
                    rows[i] = total + float(rew), own, steps + 1, bool(terminated), bool(truncated), info
                    self._obs[i] = obs
                running = [i for i in running if not (rows[i][3] or rows[i][4])]
        total, own, steps, terminated, truncated, infos = zip(*(rows[i] for i in env_ids), strict=True)
        infos = tuple(
            {**info, **({"env_reward": np.float64(r)} if "env_reward" in info else {}), "skill_steps": n}
            for info, r, n in zip(infos, own, steps, strict=True)
        )
        obs = _stack([self._obs[i] for i in env_ids])
        return obs, np.array(total), np.array(terminated), np.array(truncated), object_array(infos)


def _stack(rows: list[Any]) -> np.ndarray:
    """Batch observations as Tianshou does: an array, or an array of dictionaries."""
    return object_array(rows) if isinstance(rows[0], dict) else np.stack(rows)


def _batch(rows: list[Any]) -> Any:
    """Batch observations for a policy: an array, or a dictionary of arrays."""
    if isinstance(rows[0], dict):
        return {key: _batch([row[key] for row in rows]) for key in rows[0]}
    return np.stack(rows)
