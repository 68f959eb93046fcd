"""Environments, raters and the reward model of the self-play benchmark.

`RockPaperScissors`    game of one step
`UprightPole`          CartPole with episodes of a fixed length
`beats`                rule of rock, paper, scissors
`turned`               intransitive rule on true returns
`Recorder`             labeler that stores the answers of another one
`OnlineBradleyTerry`   reward model that learns from all stored answers
"""

from collections.abc import Sequence
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from rlpriors.preferences import Clip, Label, OracleLabeler
from rlpriors.rewards import MLPReward, RewardSettings

__all__ = ["STEPS", "OnlineBradleyTerry", "Recorder", "RockPaperScissors", "UprightPole", "beats", "turned"]

STEPS = 100
"""Steps of an episode with the pole."""
TURN = 25.0
"""Difference of true returns above which the intransitive rater prefers the worse episode."""


class RockPaperScissors(gym.Env[Any, Any]):
    """Episodes of one step; the rewards are the moves, which the rater reads."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a game."""
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """End the game with the move as its reward."""
        return np.ones(1, np.float32), float(action), True, False, {}


class UprightPole(gym.Wrapper[Any, Any, Any, Any]):
    """CartPole with episodes of `STEPS` steps, in which a fallen pole rests, with reward 0."""

    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1", max_episode_steps=-1))
        self._steps, self._last = 0, np.zeros(4, np.float32)
        self._is_down = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start with an upright pole."""
        self._steps, self._is_down = 0, False
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Push the cart, or do nothing if the pole is down."""
        self._steps += 1
        earned: SupportsFloat = 0.0
        if not self._is_down:
            self._last, earned, self._is_down, _, _ = self.env.step(action)
        return self._last.copy(), float(earned), False, self._steps >= STEPS, {}


def beats(first: Clip, second: Clip) -> float:
    """Return 1 if the first move beats the second, -1 if it loses, 0 for a draw."""
    return float([0, 1, -1][int(first.rew[0] - second.rew[0]) % 3])


def turned(first: Clip, second: Clip) -> float:
    """Return the difference of true returns, negated if it is large: an intransitive preference."""
    difference = float(first.rew.sum() - second.rew.sum())
    return difference if abs(difference) <= TURN else -difference


class Recorder:
    """Labeler that stores the answers of another one."""

    def __init__(self, labeler: OracleLabeler) -> None:
        self.labeler = labeler
        self.pairs: list[tuple[Clip, Clip, int]] = []

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label:
        label = self.labeler(task, first, second)
        if label.value != -1:
            self.pairs.append((first, second, label.value))
        return label


class OnlineBradleyTerry(nn.Module):
    """Reward model that trains on all stored pairs whenever it scores and there are new ones.

    The probability that an episode wins is the logistic function of the difference of its mean rewards.
    """

    def __init__(self, recorder: Recorder, settings: RewardSettings, updates: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = MLPReward(settings)
        self.recorder, self.updates, self.n_fitted = recorder, updates, 0
        self.discrete_space = self.model.discrete_space
        self.optim = torch.optim.Adam(self.model.parameters(), lr=3e-3)
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        """Return the rewards, after a training if there are new pairs."""
        if len(self.recorder.pairs) > self.n_fitted:
            with torch.enable_grad():
                self.fit()
        rewards: Tensor = self.model(obs, act, obs_next, terminated)
        return rewards

    def fit(self) -> None:
        """Train on random batches of all pairs."""
        pairs = self.recorder.pairs
        self.n_fitted = len(pairs)
        for _ in range(self.updates):
            chosen = torch.randint(len(pairs), (64,), generator=self.generator).tolist()
            means = [self._mean([pairs[i][side] for i in chosen]) for side in (0, 1)]
            first_wins = torch.tensor([1.0 - pairs[i][2] for i in chosen])
            loss = nn.functional.binary_cross_entropy_with_logits(means[0] - means[1], first_wins)
            self.optim.zero_grad()
            loss.backward()
            self.optim.step()

    def _mean(self, clips: Sequence[Clip]) -> Tensor:
        obs = torch.as_tensor(np.stack([clip.obs for clip in clips]), dtype=torch.float32)
        act = torch.as_tensor(np.stack([clip.act for clip in clips]), dtype=torch.float32)[..., None]
        return self.model.from_features(self.model.features(obs[:, :-1], act, obs[:, 1:])).mean(1)
