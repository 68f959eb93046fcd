"""Environment of tensors with a camera and a state, and the same environment for Gymnasium.

`DriftEnvs`   batch of tensors on one device, with the conventions of Isaac Lab, mjlab and ManiSkill
`DriftEnv`    one environment of the batch, with numpy arrays
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

SIZE = 44
SPACE = gym.spaces.Dict(
    camera=gym.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8), state=gym.spaces.Box(-np.inf, np.inf, (2,))
)
LIMIT = 6
"""Steps until an episode is truncated; environment i terminates beyond the position 2."""


class DriftEnvs:
    """Points that drift by their actions; starts depend on the environment and the number of its episodes.

    `final_key` is the key of final observations in the info, which hold a row for each environment; None for
    an environment that returns none.  Results share their memory between steps, as in simulators.
    """

    is_vector_env = True

    def __init__(
        self,
        num_envs: int = 3,
        device: Any = "cpu",
        mode: AutoresetMode = AutoresetMode.SAME_STEP,
        final_key: str | None = "final_obs",
        first: int = 0,
    ) -> None:
        self.num_envs, self.device, self.mode, self.final_key = num_envs, device, mode, final_key
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space = SPACE
        self.single_action_space = gym.spaces.Box(-1, 1, (2,))
        self.index = torch.arange(first, first + num_envs, device=device)
        self.episode = torch.zeros(num_envs, dtype=torch.long, device=device)
        self.time, self.state = torch.zeros_like(self.episode), torch.zeros(num_envs, 2, device=device)
        self.done = torch.zeros(num_envs, dtype=torch.bool, device=device)
        axes = [torch.arange(n, device=device) for n in SPACE["camera"].shape]
        self.grid = 7 * axes[0][:, None, None] + 13 * axes[1][:, None] + 29 * axes[2]
        self.rewards = torch.zeros(num_envs, device=device)
        self.closed = False

    @property
    def unwrapped(self) -> "DriftEnvs":
        return self

    def observe(self) -> dict[str, Tensor]:
        shade = (40 * self.state[:, 0]).round().long() + 11 * self.time
        camera = ((self.grid + shade[:, None, None, None]) % 256).to(torch.uint8)
        return {"camera": camera, "state": self.state.clone()}

    def start(self, rows: Tensor) -> None:
        starts = (((3 * self.index + 5 * self.episode) % 7) - 3) * 0.25
        self.state = torch.where(rows[:, None], starts[:, None].expand(-1, 2), self.state)
        self.time = torch.where(rows, 0, self.time)
        self.episode = self.episode + rows

    def reset(self, *, seed: Any = None, options: Any = None, env_ids: Any = None) -> Any:
        rows = torch.ones_like(self.done)
        if options is not None and "reset_mask" in options:
            rows = options["reset_mask"]
        elif env_ids is not None:
            rows = torch.zeros_like(self.done).index_fill(0, env_ids, True)
        self.start(rows)
        self.done = self.done & ~rows
        return self.observe(), {}

    def step(self, actions: Tensor) -> Any:
        only_reset = self.done if self.mode == AutoresetMode.NEXT_STEP else torch.zeros_like(self.done)
        moved = self.state + actions + 0.1 * self.index[:, None]
        self.state, self.time = torch.where(only_reset[:, None], self.state, moved), self.time + 1
        self.start(only_reset)
        terminated = ~only_reset & (self.state.abs() > 2).any(1)
        truncated = ~only_reset & ~terminated & (self.time >= LIMIT)
        self.done = terminated | truncated
        self.rewards.copy_(torch.where(only_reset, 0.0, self.state[:, 0]))  # the same memory at each step
        info = {"success": terminated.clone()}
        obs = self.observe()
        if self.mode == AutoresetMode.SAME_STEP:
            if self.final_key is not None:
                info[self.final_key] = obs
            self.start(self.done)
            obs = self.observe()
        return obs, self.rewards, terminated, truncated, info

    def close(self) -> None:
        self.closed = True


class DriftEnv(gym.Env[Any, np.ndarray]):
    """Environment number `index` of `DriftEnvs`."""

    def __init__(self, index: int = 0) -> None:
        self.row = DriftEnvs(1, mode=AutoresetMode.DISABLED, first=index)
        self.observation_space, self.action_space = SPACE, self.row.single_action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        obs, _ = self.row.reset()
        return {name: leaf[0].numpy() for name, leaf in obs.items()}, {}

    def step(self, action):
        obs, reward, terminated, truncated, _ = self.row.step(torch.as_tensor(action)[None])
        obs = {name: leaf[0].numpy() for name, leaf in obs.items()}
        return obs, float(reward), bool(terminated), bool(truncated), {}
