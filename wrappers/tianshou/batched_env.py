"""Base of Tianshou vector environments over one environment that steps a batch.

`BatchedEnv`  base without workers: spaces, attributes, seeds, and the arguments of a step
"""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from tianshou.env import BaseVectorEnv

from rlpriors.wrappers.env_kind import check_full_batch
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tianshou.vector_env import EnvIds, resolve_env_ids

__all__ = ["BatchedEnv"]


class BatchedEnv(BaseVectorEnv):
    """Base of Tianshou vector environments over one batched environment, in this process, without workers.

    Subclasses implement `reset`, `step`, `set_env_attr` and `render`.

    Raises:
        ValueError: the environment returns only some of its rows at each step.

    Example:
        >>> import gymnasium as gym
        >>> envs = BatchedEnv(gym.make_vec("Pendulum-v1", 3))
        >>> envs.seed(0), [space.shape for space in envs.action_space]
        ([None, None, None], [(1,), (1,), (1,)])
        >>> envs.close()
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        # Without `super().__init__`, which would create a worker for each environment.
        check_full_batch(env)
        self._batch: Any = env
        self.env_num = self.wait_num = env.num_envs
        self.timeout, self.is_async, self.is_closed = None, False, False
        self.waiting_conn, self.waiting_id, self.ready_id = [], [], list(range(env.num_envs))
        self.single_observation_space = env.single_observation_space
        self.single_action_space = env.single_action_space
        self._action_spaces = [deepcopy(env.single_action_space) for _ in self.ready_id]
        self._guard = StepGuard(env.num_envs)

    def get_env_attr(self, key: str, id: EnvIds = None) -> list[Any]:
        """Return an attribute of the environments `id`, one for each; None where the environment lacks it."""
        self._assert_is_not_closed()
        ids = resolve_env_ids(self, id)
        if key == "action_space":
            return [self._action_spaces[i] for i in ids]
        name = "single_observation_space" if key == "observation_space" else key
        return [getattr(self._batch, name, None)] * len(ids)

    def seed(self, seed: int | list[int] | None = None) -> list[list[int] | None]:
        """Seed the action spaces, from which collectors draw random actions."""
        each = [seed] * len(self) if seed is None else seed
        for i, space in enumerate(self._action_spaces):
            space.seed(each + i if isinstance(each, int | np.integer) else each[i])
        return [None] * len(self)

    def close(self) -> None:
        """Close the environments."""
        self._assert_is_not_closed()
        self._batch.close()
        self.is_closed = True

    def _read_step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds
    ) -> tuple[list[int], np.ndarray]:
        """Return the indices of the stepped environments and an action for each.

        Raises:
            ValueError: there is not one action for each environment.
        """
        self._assert_is_not_closed()
        if action is None:
            raise ValueError("`action` must hold an action for each environment. Received None.")
        ids = resolve_env_ids(self, id)
        actions = action.detach().cpu().numpy() if isinstance(action, torch.Tensor) else np.asarray(action)
        if len(actions) != len(ids):
            raise ValueError(
                f"`action` must hold an action for each of {len(ids)} environments. Received {len(actions)}."
            )
        return ids, actions
