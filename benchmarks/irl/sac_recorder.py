"""SAC that stores all of its experience.

`RecordSettings`      settings of a recording
`SACRecorder`         training, evaluation and resumption
`EvaluationEpisodes`  episodes without exploration noise, and their returns
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

from rlpriors.agents.online.factory import make_algorithm
from rlpriors.agents.online.settings import AlgorithmSettings
from rlpriors.data.buffers import FastVectorReplayBuffer, from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.settings import check_fields
from rlpriors.wrappers.tianshou.vector_env import WrappedSpacesEnv

__all__ = ["EvaluationEpisodes", "RecordSettings", "SACRecorder"]

TEST_SEED = 1_000_000  # differs from all seeds of training episodes
STEPS_PER_ROUND = 50  # environment steps between two rounds of updates


@dataclass(frozen=True)
class RecordSettings:
    """Settings of a recording.  The defaults take 25 minutes on one core."""

    env: Literal["HalfCheetah-v5", "Hopper-v5"]
    """Gymnasium id of the environment."""
    seed: int = 0
    """Random seed of networks, environments and sampling."""
    env_steps: int = 300_000
    """Environment steps of the training."""
    update_per_step: float = 0.5
    """Gradient updates per environment step; an update takes ten times as long as a step."""
    minutes: float = 25.0
    """Time limit of the training, in minutes."""
    random_steps: int = 5_000
    """Environment steps with uniformly random actions before the first update."""
    evaluation_interval: int = 5_000
    """Environment steps between evaluations, each followed by a checkpoint; a multiple of 50."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden layer widths of the actor and of each critic."""
    lr: float = 1e-3
    """Learning rate of actor, critics and entropy coefficient."""
    batch_size: int = 128
    """Number of transitions in an update."""
    test_episodes: int = 5
    """Number of episodes in an evaluation."""
    expert_episodes: int = 16
    """Number of episodes of the expert that are written."""
    replay_steps: int = 40_000
    """Approximate number of replay steps that are written."""
    medium: float = 0.4
    """Fraction of the expert's return; the replay ends where an evaluation first reaches it."""

    def __post_init__(self) -> None:
        check_fields(self)
        counts = ("random_steps", "batch_size", "test_episodes", "expert_episodes", "replay_steps")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
        for name in ("minutes", "lr", "update_per_step"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be above 0. Received {getattr(self, name)}.")
        interval = self.evaluation_interval
        if interval < 1 or interval % STEPS_PER_ROUND or self.env_steps < 1 or self.env_steps % interval:
            raise ValueError(
                f"`evaluation_interval` must be a multiple of {STEPS_PER_ROUND} and divide `env_steps`. "
                f"Received {interval} and {self.env_steps}."
            )
        if not 0 < self.medium <= 1:
            raise ValueError(f"`medium` must be in (0, 1]. Received {self.medium}.")


class SACRecorder:
    """SAC with all of its experience and a history of evaluations, which can be saved and restored.

    A restored recorder starts a new episode and draws new random numbers: training resumes, but is not
    bit-equal to an uninterrupted one.

    Example:
        >>> recorder = SACRecorder(RecordSettings(env="Hopper-v5"), lambda: gym.make("Hopper-v5"))
        >>> recorder.settings.env
        'Hopper-v5'
    """

    def __init__(self, settings: RecordSettings, make_env: Callable[[], gym.Env[Any, Any]]) -> None:
        self.settings, self.make_env = settings, make_env
        env = make_env()
        sac = make_algorithm(
            env.observation_space,
            env.action_space,
            AlgorithmSettings("sac", hidden=settings.hidden, lr=settings.lr),
            device="cpu",  # with networks and batches this small a GPU only adds its calls
            seed=settings.seed,
        )
        env.close()
        assert isinstance(sac, SAC)
        assert isinstance(sac.alpha, AutoAlpha)
        self.sac: SAC[Any] = sac
        self.alpha = sac.alpha
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
        envs = WrappedSpacesEnv(DummyVectorEnv([self.make_env]))
        envs.seed(seed)
        self.collector = Collector[CollectStats](self.sac, envs, self.buffer)
        self.collector.reset(reset_buffer=False)

    def learn(self, n_steps: int) -> None:
        """Train for `n_steps` environment steps; the first ones of a training are random."""
        start = time.monotonic()
        for _ in range(n_steps // STEPS_PER_ROUND):
            random = self.steps < self.settings.random_steps
            with policy_within_training_step(self.sac.policy):
                self.collector.collect(n_step=STEPS_PER_ROUND, random=random)
                self.steps += STEPS_PER_ROUND
                for _ in range(0 if random else round(STEPS_PER_ROUND * self.settings.update_per_step)):
                    self.sac.update(self.buffer, self.settings.batch_size)
        returns = self.evaluate(self.settings.test_episodes, TEST_SEED).returns
        self.curve.append([self.steps, float(returns.mean())])
        if returns.mean() >= max(score for _, score in self.curve):
            self.best = deepcopy(self.sac.policy.state_dict())
        self.seconds += time.monotonic() - start

    def evaluate(self, n_episodes: int, seed: int) -> "EvaluationEpisodes":
        """Collect episodes of the policy without its exploration noise."""
        envs = DummyVectorEnv([self.make_env] * n_episodes)
        envs.seed(seed)
        buffer = FastVectorReplayBuffer(n_episodes * 1000, n_episodes)  # 1000: the time limit
        collector = Collector[CollectStats](self.sac, envs, buffer)
        collector.reset()
        with torch.no_grad():
            stats = collector.collect(n_episode=n_episodes)
        envs.close()
        return EvaluationEpisodes(np.asarray(stats.returns), buffer)

    def experience(self, buffer: Any) -> EpisodeStore:
        """Return the episodes of a buffer, with actions in units of the environment."""
        return from_buffer(buffer, policy=self.sac.policy)

    def state(self) -> dict[str, Any]:
        """Return the state that `restore` loads."""
        size = len(self.buffer)
        columns = {
            name: torch.as_tensor(np.asarray(self.buffer._meta[name][:size]))
            for name in ("obs", "act", "rew", "terminated", "truncated", "done", "obs_next")
        }
        return {
            "sac": self.sac.state_dict(),
            "alpha": self.alpha._optim.state_dict(),
            "buffer": columns,
            "steps": self.steps,
            "seconds": self.seconds,
            "curve": self.curve,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a state that `state` returned."""
        self.sac.load_state_dict(state["sac"])
        self.alpha._optim.load_state_dict(state["alpha"])
        self.steps, self.seconds = int(state["steps"]), float(state["seconds"])
        self.curve, self.best = state["curve"], state["best"]
        for row in range(len(state["buffer"]["rew"])):
            step = {name: column[row].numpy()[None] for name, column in state["buffer"].items()}
            self.buffer.add(Batch(**step), buffer_ids=[0])
        self._start()


class EvaluationEpisodes(NamedTuple):
    """Episodes in a collector's buffer, and their returns."""

    returns: np.ndarray
    buffer: FastVectorReplayBuffer
