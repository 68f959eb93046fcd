"""Experts and replay of MuJoCo's runners, made by SAC from nothing and kept as small files.

    python -m rlpriors.scripts.record_locomotion --env HalfCheetah-v5

`RecordSettings`      what is done
`record`              learn, then write the two files and how they came about
`medium_replay`       the part of a run's experience from before it was good

Two files are written: `<env>-expert.safetensors`, whole episodes of the learned policy without noise,
and `<env>-replay.safetensors`, whole episodes that the learner made with noise on its way to 40 % of
the expert's return, thinned evenly: the "medium-replay" of D4RL (arXiv 2004.07219, section 5).  Both
are read by `EpisodeStore.load`; observations and actions are stored as float16, rewards as float32.

SAC is Tianshou's (Haarnoja et al. 2018, arXiv 1812.05905) with a tuned entropy.
"""

import shlex
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.modelfree.sac import SAC, AutoAlpha
from tianshou.data import Batch, Collector, CollectStats
from tianshou.env import DummyVectorEnv
from tianshou.utils.torch_utils import policy_within_training_step
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from rlpriors.agents.learners import LearnerSettings, make_learner
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.data.buffers import FastVectorReplayBuffer, from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.scripts.runs import open_run, write_json

__all__ = ["RecordSettings", "main", "medium_replay", "record"]

EXPERT_SEED, TEST_SEED = 2_000_000, 1_000_000  # apart from the training episodes' seeds
TOGETHER = 50  # steps between two rounds of as many updates


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


class _Learner:
    """SAC with its experience, and a history of evaluations; all of it can be kept and taken up again.

    Taken up, it begins a new episode and draws new random numbers: it learns on, but not bit for bit
    what it would have learned.
    """

    def __init__(self, settings: RecordSettings, make_env: Callable[[], gym.Env[Any, Any]]) -> None:
        self.settings, self.make_env = settings, make_env
        env = make_env()
        learner = make_learner(
            env.observation_space,
            env.action_space,
            LearnerSettings("sac", hidden=settings.hidden, lr=settings.lr),
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

    def act(self, n_episodes: int, seed: int) -> "_Acted":
        """Episodes of the policy without its noise."""
        envs = DummyVectorEnv([self.make_env] * n_episodes)
        envs.seed(seed)
        buffer = FastVectorReplayBuffer(n_episodes * 1000, n_episodes)  # 1000: these runners' time limit
        collector = Collector[CollectStats](self.sac, envs, buffer)
        collector.reset()
        with torch.no_grad():
            stats = collector.collect(n_episode=n_episodes)
        envs.close()
        return _Acted(np.asarray(stats.returns), buffer)

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


class _Acted(NamedTuple):
    """Episodes in a collector's buffer, and their returns."""

    returns: np.ndarray
    buffer: FastVectorReplayBuffer


def medium_replay(experience: EpisodeStore, until: int, n_steps: int) -> EpisodeStore:
    """About `n_steps` steps of whole episodes that ended within the first `until` steps, evenly thinned.

    Raises:
        ValueError: no episode ended by then.
    """
    ends = experience.step_starts + experience.lengths
    last = ends - 1
    whole = np.flatnonzero((experience.terminated[last] | experience.truncated[last]) & (ends <= until))
    if not len(whole):
        raise ValueError(
            f"`until` must leave a whole episode. Received {until} steps, and the first episode ends "
            f"after {ends[0]}."
        )
    share = min(1.0, n_steps / experience.lengths[whole].sum())
    quota = np.floor(share * np.arange(len(whole) + 1) + 1e-9)  # how many of the first ones are kept
    chosen = whole[np.diff(quota) > 0]
    if not len(chosen):
        raise ValueError(
            f"`n_steps` must be enough for one of {len(whole)} episodes. Received {n_steps}; ask for at "
            f"least {experience.lengths[whole].sum() // len(whole) + 1}."
        )
    return experience.subset(chosen)


def record(
    settings: RecordSettings,
    *,
    output: Path = Path("benchmarks/data"),
    folder: Path | None = None,
    resume: bool = False,
) -> Path:
    """Learn, and write the two files and `<env>.json`; returns the path of the last.

    Args:
        settings: what is done.
        output: where the files go.
        folder: where the run is kept; runs/record-<env>-seed<seed> by default.
        resume: go on with the run that was stopped there.
    """
    torch.set_num_threads(1)
    run = open_run(
        folder or Path("runs") / f"record-{settings.env}-seed{settings.seed}", settings, resume=resume
    )
    learner = _Learner(settings, partial(gym.make, settings.env))
    checkpoint = run / "learner.resume.pt"
    if resume and checkpoint.exists():
        learner.restore(load_resume(checkpoint))
    with (
        SummaryWriter(str(run / "tensorboard"), purge_step=learner.steps + 1) as writer,
        tqdm(total=settings.env_steps, initial=learner.steps, desc=settings.env, unit="step") as bar,
    ):
        while learner.steps < settings.env_steps and learner.seconds < 60 * settings.minutes:
            learner.learn(settings.every)
            save_resume(checkpoint, learner.state())
            writer.add_scalar("test/return", learner.curve[-1][1], learner.steps)
            bar.update(settings.every)
            bar.set_postfix({"return": round(learner.curve[-1][1])})
            write_json(run / "curve.json", {"steps_and_return": learner.curve})
    return write(learner, output)


def write(learner: _Learner, output: Path) -> Path:
    """The files of what was learned."""
    settings, env = learner.settings, learner.settings.env.lower()
    learner.sac.policy.load_state_dict(learner.best)
    acted = learner.act(settings.expert_episodes, EXPERT_SEED + settings.seed)
    expert = learner.experience(acted.buffer)
    score = float(acted.returns.mean())
    until = next((int(steps) for steps, at in learner.curve if at >= settings.medium * score), learner.steps)
    replay = medium_replay(learner.experience(learner.buffer), until, settings.replay_steps)
    files = {
        name: store.save(output / f"{env}-{name}.safetensors", dtype="float16")
        for name, store in (("expert", expert), ("replay", replay))
    }
    about = {
        "command": "python -m rlpriors.scripts.record_locomotion " + shlex.join(sys.argv[1:]),
        "settings": asdict(settings),
        "env_steps": learner.steps,
        "seconds_of_learning": round(learner.seconds),
        "evaluations": learner.curve,
        "expert": {**_summary(expert), "return_of_each": [round(float(r), 1) for r in acted.returns]},
        "replay": {**_summary(replay), "from_the_first_steps": until},
        "bytes": {name: path.stat().st_size for name, path in files.items()},
        "dtype": "float16 observations and actions, float32 rewards",
    }
    path = output / f"{env}.json"
    write_json(path, about)
    return path


def _summary(store: EpisodeStore) -> dict[str, int | float]:
    returns = np.add.reduceat(store.rew, store.step_starts)
    return {
        "episodes": store.n_episodes,
        "steps": store.n_steps,
        **{
            f"return_{name}": round(float(getattr(returns, name)()), 1)
            for name in ("mean", "min", "max", "std")
        },
    }


def main() -> None:
    """The command line of `record`."""
    import tyro

    def run(
        settings: tyro.conf.OmitArgPrefixes[RecordSettings],
        output: Path = Path("benchmarks/data"),
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Learn to run by SAC, then keep the expert's episodes and the learner's own.

        Args:
            settings: what is done.
            output: where the files go.
            folder: where the run is kept; runs/record-<env>-seed<seed> by default.
            resume: go on with a run that was stopped.
        """
        print(record(settings, output=output, folder=folder, resume=resume))

    tyro.cli(run)


if __name__ == "__main__":
    main()
