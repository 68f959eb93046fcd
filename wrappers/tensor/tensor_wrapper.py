"""Base of the wrappers of environments whose results are torch tensors.

`TensorWrapper`  wrapper with the attributes of a vector environment, over an environment of any class
"""

from typing import Any

import gymnasium as gym
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from rlpriors.wrappers.tensor.environment import find_attribute, find_device, find_mode, gymnasium_space
from rlpriors.wrappers.vector.autoreset import AutoresetTracker

__all__ = ["TensorWrapper"]


class TensorWrapper(VectorEnv[Any, Any, Any]):
    """Wrapper of an environment that steps `num_envs` copies as one batch of tensors on one device.

    The environment has `num_envs`, `single_observation_space` and `single_action_space`, itself or inside
    its wrappers; it need not be a `VectorEnv`.  Other attributes are those of the environment.

    Args:
        env: the environment.
        device: device of its tensors; "auto" reads its attribute `device`.
        autoreset_mode: moment of resets, for an environment that does not declare it.
        single_observation_space: space of one observation, for an environment whose own space declares
            other data types or bounds than its tensors have (cameras in Isaac Lab and mjlab).

    Raises:
        TypeError: `env` lacks these attributes.
        ValueError: device or autoreset mode are unknown.

    Example:
        >>> class Still(VectorEnv):
        ...     num_envs, device = 2, "cpu"
        ...     metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        ...     single_observation_space = gym.spaces.Box(-1, 1, (3,))
        ...     single_action_space = gym.spaces.Discrete(2)
        >>> env = TensorWrapper(Still())
        >>> env.device, env.observation_space.shape, env.autoreset_mode.name
        (device(type='cpu'), (2, 3), 'SAME_STEP')
    """

    def __init__(
        self,
        env: Any,
        device: str | torch.device = "auto",
        autoreset_mode: AutoresetMode | None = None,
        single_observation_space: gym.Space[Any] | None = None,
    ) -> None:
        names = ("num_envs", "single_observation_space", "single_action_space")
        missing = [name for name in names if find_attribute(env, name) is None]
        if missing:
            raise TypeError(
                f"`env` must step many environments as one batch of tensors, with the attributes {names}. "
                f"Received a {type(env).__name__} without {missing}; use the wrappers without Tensor for it."
            )
        self.env = env
        self.device = find_device(env, device)
        self.num_envs = int(find_attribute(env, "num_envs"))
        self.autoreset_mode = find_mode(env, autoreset_mode)
        self.metadata = {**(getattr(env, "metadata", None) or {}), "autoreset_mode": self.autoreset_mode}
        self.render_mode, self.spec = find_attribute(env, "render_mode"), find_attribute(env, "spec")
        space = (
            find_attribute(env, names[1]) if single_observation_space is None else single_observation_space
        )
        self.single_observation_space = gymnasium_space(space, names[1])
        self.single_action_space = gymnasium_space(find_attribute(env, names[2]), names[2])
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.autoreset = AutoresetTracker(self, self.device)

    @property
    def unwrapped(self) -> Any:
        """Environment without wrappers."""
        return getattr(self.env, "unwrapped", self.env)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "env" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        return getattr(self.env, name)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None, env_ids: Any = None) -> Any:
        """Reset all environments, or those of `env_ids` or `options`."""
        return self._reset_env(seed, options, env_ids)

    def step(self, actions: Any) -> Any:
        """Step all environments with one batch of actions."""
        return self.env.step(actions)

    def render(self) -> Any:
        """Return what the environment renders."""
        return self.env.render()

    def close(self, **kwargs: Any) -> None:
        """Close the environments."""
        if "env" in vars(self):  # not after an error in the constructor
            self.env.close(**kwargs)

    def __del__(self) -> None:
        """Leave the environments open: others may hold them."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {self.env!r}>"

    def _reset_env(self, seed: Any, options: dict[str, Any] | None, env_ids: Any) -> tuple[Any, Any]:
        selected = {} if env_ids is None else {"env_ids": env_ids}  # not every environment takes it
        obs, info = self.env.reset(seed=seed, options=options, **selected)
        return obs, info
