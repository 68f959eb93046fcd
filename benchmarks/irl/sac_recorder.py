"""SAC learning to run, with all it has lived through kept.

`RecordSettings`  what is done
`RunnerLearner`   learns, can be stopped, and acts
`Acted`           episodes without noise, and their returns
"""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.modelfree.sac import SAC, AutoAlpha
from tianshou.data import Batch, Collector, CollectStats
from tianshou.env import DummyVectorEnv
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors.agents.online.factory import AlgorithmSettings, make_algorithm
from rlpriors.data.buffers import FastVectorReplayBuffer, from_buffer
from rlpriors.data.episodes import EpisodeStore

__all__ = ["Acted", "RecordSettings", "RunnerLearner"]

TEST_SEED = 1_000_000  # apart from the training episodes' seeds
TOGETHER = 50  # steps between two rounds of updates


@dataclass(frozen=True)
class RecordSettings:
    """What is recorded.  The defaults take 25 minutes on one core."""

    env: Literal["HalfCheetah-v5", "Hopper-v5"]
    """Which runner."""
    seed: int = 0
    """Seed of everything."""
    env_steps: int = 300_000
    """Steps to learn for."""
    update_per_step: float = 0.5
    """Updates for each step; an update takes ten times as long as a step."""
    minutes: float = 25.0
    """Stop learning after this long, whatever was reached."""
    random_steps: int = 5_000
    """Steps of even random actions before learning begins."""
    every: int = 5_000
    """Steps between evaluations, each followed by a checkpoint; a multiple of 50."""
    hidden: tuple[int, ...] = (256, 256)
    """Widths of the actor and of each critic."""
    lr: float = 1e-3
    """Learning rate of all of them."""
    batch_size: int = 128
    """Transitions of an update."""
    test_episodes: int = 5
    """Episodes of an evaluation."""
    expert_episodes: int = 16
    """Episodes written of the expert."""
    replay_steps: int = 40_000
    """Steps written of the replay, about."""
    medium: float = 0.4
    """The replay ends where an evaluation first reaches this part of the expert's return."""

    def __post_init__(self) -> None:
        counts = ("random_steps", "batch_size", "test_episodes", "expert_episodes", "replay_steps")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
        for name in ("minutes", "lr", "update_per_step"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be above 0. Received {getattr(self, name)}.")
        if self.every < 1 or self.every % TOGETHER or self.env_steps < 1 or self.env_steps % self.every:
            raise ValueError(
                f"`every` must be a multiple of {TOGETHER}, and `env_steps` of `every`. "
                f"Received {self.every} and {self.env_steps}."
            )
        if not 0 < self.medium <= 1:
            raise ValueError(f"`medium` must be in (0, 1]. Received {self.medium}.")


class RunnerLearner:
    """SAC with its experience, and a history of evaluations; all of it can be kept and taken up again.

    Taken up, it begins a new episode and draws new random numbers: it learns on, but not bit for bit
    what it would have learned.

    Example:
        >>> learner = RunnerLearner(RecordSettings(env="Hopper-v5"), lambda: gym.make("Hopper-v5"))
        >>> learner.settings.env
        'Hopper-v5'
    """

    def __init__(self, settings: RecordSettings, make_env: Callable[[], gym.Env[Any, Any]]) -> None:
        self.settings, self.make_env = settings, make_env
        env = make_env()
        learner = make_algorithm(
            env.observation_space,
            env.action_space,
            AlgorithmSettings("sac", hidden=settings.hidden, lr=settings.lr),
            device="cpu",  # with networks and batches this small a GPU only adds its calls
            seed=settings.seed,
        )
        env.close()
        assert isinstance(learner, SAC)
        assert isinstance(learner.alpha, AutoAlpha)
        self.sac: SAC[Any] = learner
        self.alpha = learner.alpha
        self.buffer = FastVectorReplayBuffer(settings.env_steps, 1, random_seed=settings.seed)
        self.steps = 0
        self.seconds = 0.0
        self.curve: list[list[float]] = []  # [steps, mean return] of each evaluation
        self.best: dict[str, Any] = {}  # the policy of the best evaluation
        self._start()

    def _start(self) -> None:
        seed = self.settings.seed + self.steps
        np.random.seed(seed % 2**32)  # noqa: NPY002 (Tianshou's collector draws from it)
        torch.manual_seed(seed)
        envs = DummyVectorEnv([self.make_env])
        envs.seed(seed)
        envs.action_space[0].seed(seed)
        self.collector = Collector[CollectStats](self.sac, envs, self.buffer)
        self.collector.reset(reset_buffer=False)

    def learn(self, n_steps: int) -> None:
        """Act and update `n_steps` times, random at first."""
        began = time.monotonic()
        for _ in range(n_steps // TOGETHER):
            random = self.steps < self.settings.random_steps
            with policy_within_training_step(self.sac.policy):
                self.collector.collect(n_step=TOGETHER, random=random)
                self.steps += TOGETHER
                for _ in range(0 if random else round(TOGETHER * self.settings.update_per_step)):
                    self.sac.update(self.buffer, self.settings.batch_size)
        returns = self.act(self.settings.test_episodes, TEST_SEED).returns
        self.curve.append([self.steps, float(returns.mean())])
        if returns.mean() >= max(score for _, score in self.curve):
            self.best = deepcopy(self.sac.policy.state_dict())
        self.seconds += time.monotonic() - began

    def act(self, n_episodes: int, seed: int) -> "Acted":
        """Episodes of the policy without its noise."""
        envs = DummyVectorEnv([self.make_env] * n_episodes)
        envs.seed(seed)
        buffer = FastVectorReplayBuffer(n_episodes * 1000, n_episodes)  # 1000: these runners' time limit
        collector = Collector[CollectStats](self.sac, envs, buffer)
        collector.reset()
        with torch.no_grad():
            stats = collector.collect(n_episode=n_episodes)
        envs.close()
        return Acted(np.asarray(stats.returns), buffer)

    def experience(self, buffer: Any) -> EpisodeStore:
        """The episodes of a buffer, with actions as the environment was given them."""
        return from_buffer(buffer, map_action=self.sac.policy.map_action)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        size = len(self.buffer)
        kept = {
            name: torch.as_tensor(np.asarray(self.buffer._meta[name][:size]))
            for name in ("obs", "act", "rew", "terminated", "truncated", "done", "obs_next")
        }
        return {
            "sac": self.sac.state_dict(),
            "alpha": self.alpha._optim.state_dict(),
            "buffer": kept,
            "steps": self.steps,
            "seconds": self.seconds,
            "curve": self.curve,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` told."""
        self.sac.load_state_dict(state["sac"])
        self.alpha._optim.load_state_dict(state["alpha"])
        self.steps, self.seconds = int(state["steps"]), float(state["seconds"])
        self.curve, self.best = state["curve"], state["best"]
        for row in range(len(state["buffer"]["rew"])):
            step = {name: column[row].numpy()[None] for name, column in state["buffer"].items()}
            self.buffer.add(Batch(**step), buffer_ids=[0])
        self._start()


class Acted(NamedTuple):
    """Episodes in a collector's buffer, and their returns."""

    returns: np.ndarray
    buffer: FastVectorReplayBuffer
