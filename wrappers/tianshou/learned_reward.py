"""A learned reward in place of those of a Tianshou vector environment.

`TianshouLearnedReward`  works under any Tianshou collector, and so for any of its algorithms
`wrapped_space`          the space of one environment inside, wrappers included
`env_ids`                the environments that a call is about
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.error import ResetNeeded
from tianshou.env import BaseVectorEnv, VectorEnvWrapper

from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource

__all__ = ["EnvIds", "TianshouLearnedReward", "env_ids", "wrapped_space"]

EnvIds = int | list[int] | np.ndarray | None


class TianshouLearnedReward(VectorEnvWrapper):
    """`LearnedReward` for Tianshou's vector environments: one batched call in the main process.

    That makes it quicker than a wrapper inside each environment, lets the reward live on a GPU and
    keeps torch out of forked workers.  The environments' own rewards stay in each step's
    `info["env_reward"]`.  Tianshou resets nothing by itself, so the last step of an episode is judged
    by its true last observation.

    The actions that are judged are those the environment gets.  A replay buffer holds the policy's
    instead; `policy.map_action` leads from these to those.

    `reward`, `device`, `scale` and `obs_keys` are those of `LearnedReward`.

    Raises:
        ValueError: the reward does not fit the environments' spaces.
        CheckpointError: the folder holds no reward.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.env import DummyVectorEnv
        >>> def height(obs, act, obs_next, terminated):
        ...     return obs_next[:, 0]
        >>> venv = DummyVectorEnv([lambda: gym.make("Pendulum-v1")] * 2)
        >>> venv = TianshouLearnedReward(venv, height, device="cpu")
        >>> _ = venv.reset(seed=0)
        >>> obs, rew, _, _, info = venv.step(np.zeros((2, 1)))
        >>> bool(np.allclose(rew, obs[:, 0])), "env_reward" in info[0]
        (True, True)
    """

    def __init__(
        self,
        venv: BaseVectorEnv,
        reward: RewardSource,
        *,
        device: str | torch.device = "auto",
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        super().__init__(venv)
        spaces = (wrapped_space(venv, "observation_space"), wrapped_space(venv, "action_space"))
        self.judge = RewardAdapter(reward, *spaces, device=device, scale=scale, obs_keys=obs_keys)
        # By environment: steps may be asked for some of them only, and with `wait_num` they return
        # in another order than they were asked for.
        self._last: dict[int, np.ndarray] = {}
        self._acted: dict[int, np.ndarray] = {}

    def reset(self, env_id: EnvIds = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        obs, info = self.venv.reset(env_id, **kwargs)
        self._last.update(zip(env_ids(self, env_id), self._observe(obs), strict=True))
        return obs, info

    def step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        if action is not None:
            asked = env_ids(self, id)
            missing = [i for i in asked if i not in self._last]
            if missing:
                raise ResetNeeded(f"Call `reset` before `step`: environments {missing} have not begun.")
            self._acted.update(zip(asked, self.judge.act(action), strict=True))
        obs, env_rew, terminated, truncated, infos = self.venv.step(action, id)
        ready = [int(info["env_id"]) for info in infos]
        seen = self._observe(obs)
        last = np.stack([self._last[i] for i in ready])
        acted = np.stack([self._acted[i] for i in ready])
        rew = self.judge(last, acted, seen, terminated)
        self._last.update(zip(ready, seen, strict=True))
        told = np.empty(len(ready), object)
        told[:] = [{"env_reward": float(r), **info} for r, info in zip(env_rew, infos, strict=True)]
        return obs, rew, terminated, truncated, told

    def _observe(self, obs: np.ndarray) -> np.ndarray:
        if obs.dtype == object:  # Tianshou stacks Dict observations as dictionaries
            return np.stack([self.judge.observe(one) for one in obs])
        return self.judge.observe(obs, batch_dims=1)


def env_ids(venv: BaseVectorEnv, env_id: EnvIds) -> list[int]:
    """The numbers of the environments that `env_id` names; None is all of them."""
    if env_id is None:
        return list(range(len(venv)))
    return [int(i) for i in np.atleast_1d(env_id)]


def wrapped_space(venv: BaseVectorEnv, name: str) -> Any:
    """The "observation_space" or "action_space" that one environment shows, its wrappers included.

    A wrapper around all of them that changes a space tells the new one as `single_observation_space`.
    """
    while isinstance(venv, VectorEnvWrapper):
        if f"single_{name}" in vars(venv):
            return vars(venv)[f"single_{name}"]
        venv = venv.venv
    worker = venv.workers[0]
    # A dummy worker answers for the bare environment and would hide what its wrappers change.
    env = getattr(worker, "env", None)
    return worker.get_env_attr(name) if env is None else getattr(env, name)
