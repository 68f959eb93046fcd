"""A point on a line that moves by its action, as an environment and as an exact world model."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from rlpriors.agents import WorldModel, WorldModelSettings

END, MOST_STEPS = 2.5, 5
OBS_SPACE = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
ACT_SPACE = gym.spaces.Box(-1, 1, (1,), np.float32)


class Line(gym.Env[np.ndarray, np.ndarray]):
    """Start at 0, move by the action, and terminate beyond 2.5; at most five steps."""

    observation_space, action_space = OBS_SPACE, ACT_SPACE

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.x, self.time = np.zeros(1, np.float32), 0
        return self.x, {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.x, self.time = self.x + np.asarray(action, np.float32), self.time + 1
        terminated = bool(self.x[0] > END)
        return self.x, float(self.x[0]), terminated, self.time == MOST_STEPS and not terminated, {}


def position(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Reward of the line: the position after the step."""
    return obs_next[:, 0]


def line_model(factors: tuple[float, ...] = (1.0, 1.0), *, head: str = "mse") -> WorldModel:
    """Return a world in which member i moves by factor i times the action; factors 1 are the line itself."""
    settings = WorldModelSettings(
        obs_dim=1, act_dim=1, hidden=(), n_members=len(factors), terminates=True, head=head
    )  # type: ignore[arg-type]
    model = WorldModel(settings, OBS_SPACE, ACT_SPACE)
    with torch.no_grad():
        for part in (*model.dynamics.parameters(), *model.ends.parameters()):
            part.zero_()
        model.dynamics.weights[0][:, 1, 0] = torch.tensor(factors)
        model.ends.weights[0][:, 2, 0] = 10.0
        model.ends.biases[0][:] = -10.0 * END
    return model
