"""Online training of a policy, on the environment's reward or on a learned one.

`train_online`    Tianshou's trainers with both returns logged, and checkpoints
`OnlineSettings`  lengths, environments and updates of a run
`OnlineResult`    steps, seconds and episodes of a finished run
"""

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Algorithm, OnPolicyAlgorithm
from tianshou.data import Collector, ReplayBuffer
from tianshou.env import BaseVectorEnv, DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams
from tianshou.utils import LazyLogger
from tqdm import tqdm

from rlpriors.agents.resumable import restore_training, training_state
from rlpriors.agents.validation import check_spaces
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import FastVectorReplayBuffer
from rlpriors.training.buffer_state import dump_buffer, load_buffer
from rlpriors.training.drift_monitor import DriftMonitor
from rlpriors.training.episode_statistics import EnvReturnStats, RecordEpisodeReturns
from rlpriors.training.online_settings import OnlineResult, OnlineSettings
from rlpriors.training.reward_state import OnlineInputs, load_statistics, updating_normalizers
from rlpriors.training.rollout import EnvSource, temporary_seed
from rlpriors.training.run_logger import RunLogger
from rlpriors.training.tracking.episode_film import EpisodeFilm
from rlpriors.training.tracking.run_tracker import RunTracker, Trackers, use_tracker
from rlpriors.training.tracking.writer import RunWriter
from rlpriors.types import RewardFn
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

__all__ = ["OnlineResult", "OnlineSettings", "train_online"]


def train_online(
    algorithm: Algorithm[Any, Any],
    env: EnvSource,
    *,
    reward: RewardFn | None = None,
    folder: Path | None = None,
    name: str = "policy",
    settings: OnlineSettings = OnlineSettings(),  # noqa: B008 (frozen)
    seed: int = 0,
    resume: bool = False,
    progress: bool = True,
    tracker: Trackers = "tensorboard",
    monitor: DriftMonitor | None = None,
    film: EpisodeFilm | None = None,
) -> OnlineResult:
    """Train `algorithm` online; the trained policy is `algorithm.policy`.

    With a learned `reward` the agent never receives the environment's reward.  One batched call computes
    the reward of every step of all environments, and the true return is only recorded.  Scalars go to
    `<folder>/tensorboard/<name>`: `policy/learned_return` is the return that the agent receives, and
    `policy/true_return` is the environment's return; without a learned reward both are `policy/return`.

    Every `checkpoint_every` steps the state goes to `<folder>/<name>.resume.pt`, and an off-policy
    buffer to `<folder>/<name>.buffer.pt`.  Resuming restores networks, target networks,
    optimizers, counts, the stored steps and the statistics of a `NormalizedReward` that is `updating`.
    It does not restore unfinished episodes, which are reset, or random generators, which get a seed of
    their own after each checkpoint.  A resumed run is therefore statistically equivalent to a run without
    a stop, and not equal to it.  With `exact_resume` each run resets its environments and generators at
    every checkpoint, and a resumed run equals the other bit by bit on the CPU.

    All randomness comes from `seed`; the state of Tianshou's global generators is restored at the end.

    Args:
        algorithm: Tianshou's algorithm or a wrapper of it, off-policy or on-policy, such as
            `make_algorithm` returns.
        env: function that makes one environment with Box observations, or `n_envs` vector environments,
            which stay open.
        reward: reward of transitions in raw units; None for the environment's own.
        folder: folder of logs and checkpoints; None for neither.
        name: name of this run's files in the folder.
        settings: lengths, environments and updates.
        seed: seed of environments, actions and batches.
        resume: continue from the checkpoint in the folder, if there is one.
        progress: show a progress bar.
        tracker: destination of returns and losses, by its name or several names, or a whole run's tracker.
        monitor: distance of visited states to demonstrations, logged as `diagnostics/demonstration_distance`;
            it warns if the policy drifts away from them while its learned return rises.
        film: films of the policy at checkpoints, which need a `folder`.

    Raises:
        ValueError: the policy or the reward does not fit the environment's spaces, or `resume` has no
            `folder`.
        CheckpointError: the state to resume from is damaged, another algorithm's, or of another reward or
            other settings.
    """
    if resume and folder is None:
        raise ValueError("`resume` needs the `folder` of the run. Received None.")
    inner = env if isinstance(env, BaseVectorEnv) else DummyVectorEnv([env] * settings.n_envs)
    envs: BaseVectorEnv = inner
    check_spaces(algorithm.policy, inner)
    if reward is not None:
        device = next(iter(algorithm.policy.parameters())).device
        envs = TianshouLearnedReward(inner, reward, device=device, scale=settings.reward_scale)
    episodes = RecordEpisodeReturns(envs, monitor)
    started = time.monotonic()
    with ExitStack() as stack:
        if inner is not env:
            stack.callback(inner.close)
        opened = None if folder is None else stack.enter_context(use_tracker(tracker, folder))
        run = _OnlineRun(algorithm, episodes, folder, name, settings, reward, opened, monitor, film)
        if resume:
            run.restore()
        with tqdm(total=settings.env_steps, desc=name, unit="step", disable=not progress) as bar:
            while run.env_steps < settings.env_steps:
                # A resumed run must not repeat the random draws of the first part.
                with temporary_seed(np.random.SeedSequence((seed, run.env_steps)), run.envs):
                    run.train(bar)
    return OnlineResult(run.env_steps, time.monotonic() - started, run.envs.finished)


class _OnlineRun:
    """State of one run: environments, buffer, counts and checkpoint files."""

    def __init__(
        self,
        algorithm: Algorithm[Any, Any],
        envs: RecordEpisodeReturns,
        folder: Path | None,
        name: str,
        settings: OnlineSettings,
        reward: RewardFn | None,
        tracker: RunTracker | None,
        monitor: DriftMonitor | None,
        film: EpisodeFilm | None,
    ) -> None:
        if len(envs) != settings.n_envs:
            raise ValueError(
                f"`n_envs` must be the number of environments, {len(envs)}. Received {settings.n_envs}."
            )
        self.algorithm, self.envs, self.folder, self.name = algorithm, envs, folder, name
        self.settings, self.reward, self.rewards = settings, reward, updating_normalizers(reward)
        self.tracker, self.film = tracker, film
        self.inputs, self.monitor = OnlineInputs(reward, settings), monitor
        self.on_policy = isinstance(algorithm, OnPolicyAlgorithm)
        self.env_steps = 0
        self.transitions: dict[str, np.ndarray] = {}

    @property
    def files(self) -> tuple[Path, Path]:
        """Paths of the state and of the buffer."""
        assert self.folder is not None
        return self.folder / f"{self.name}.resume.pt", self.folder / f"{self.name}.buffer.pt"

    def restore(self) -> None:
        state_file, buffer_file = self.files
        if not state_file.exists():
            return
        device = next(iter(self.algorithm.policy.parameters())).device
        state = load_resume(state_file, device)
        if not isinstance(state.get("env_steps"), int) or "algorithm" not in state:
            raise CheckpointError(
                f"{state_file} is not a checkpoint of an online run. Delete it and start again."
            )
        resume = getattr(self.algorithm, "resume", partial(restore_training, self.algorithm))
        resume(state["algorithm"])
        load_statistics(self.rewards, state.get("reward", {}), state_file)
        self.inputs.check(state.get("inputs"))
        self.env_steps = state["env_steps"]
        if self.monitor is not None:
            self.monitor.load_state(state.get("drift", {}))
        if not self.on_policy:
            try:
                stored = load_resume(buffer_file)
            except CheckpointError as error:
                raise CheckpointError(
                    f"{buffer_file} is missing or damaged. Delete {state_file} and start again."
                ) from error
            self.transitions = {key: tensor.numpy() for key, tensor in stored.items()}

    def save(self, buffer: ReplayBuffer) -> str:
        state_file, buffer_file = self.files
        if not self.on_policy:
            # The buffer first: a stop between both writes leaves more steps than the state counts, not fewer.
            arrays = dump_buffer(buffer)
            save_resume(buffer_file, {key: torch.from_numpy(array) for key, array in arrays.items()})
        # Wrapper algorithms have more state than the wrapped algorithm.
        state = getattr(self.algorithm, "resume_state", partial(training_state, self.algorithm))
        statistics = {name: reward.statistics() for name, reward in self.rewards.items()}
        counts: dict[str, Any] = {"env_steps": self.env_steps, "inputs": self.inputs.state()}
        if self.monitor is not None:
            counts["drift"] = self.monitor.state()
            self.monitor.warn(self.env_steps)
        save_resume(state_file, {"algorithm": state(), **counts, "reward": statistics})
        return str(state_file)

    def train(self, bar: "tqdm[Any]") -> None:
        """Train to the end, or with `exact_resume` to the next checkpoint, where a resumed run begins."""
        s = self.settings
        size = s.collect_steps if self.on_policy else s.buffer_size or s.env_steps
        # Whole rows, and one more row, as a collection may end one row later.
        per_env = -(-size // s.n_envs) + 1
        buffer_seed = int(torch.randint(2**31, ()))
        buffer = FastVectorReplayBuffer(per_env * s.n_envs, s.n_envs, random_seed=buffer_seed)
        load_buffer(buffer, self.transitions)
        self.transitions = {}
        collector = Collector[EnvReturnStats](
            self.algorithm, self.envs, buffer, exploration_noise=True, collect_stats_class=EnvReturnStats
        )
        collector.reset(reset_buffer=False)
        bar.update(self.env_steps - bar.n)
        if not self.env_steps and s.random_steps and not self.on_policy:
            collector.collect(n_step=s.random_steps, random=True)
            self.env_steps = s.random_steps
            bar.update(s.random_steps)
        self._train(collector, bar)
        if self.env_steps < s.env_steps and not self.on_policy:
            self.transitions = dump_buffer(buffer)

    def _train(self, collector: Collector[EnvReturnStats], bar: "tqdm[Any]") -> None:
        s, first = self.settings, self.env_steps
        # Epochs of equal length, at most `checkpoint_every` steps: a last epoch of full length would
        # overshoot `env_steps`.
        n_collections = -(-(s.env_steps - first) // s.collect_steps)
        epochs = -(-n_collections // max(1, s.checkpoint_every // s.collect_steps))
        epoch_steps = -(-n_collections // epochs) * s.collect_steps
        epochs = 1 if s.exact_resume else epochs

        def tick(epoch: int, env_step: int) -> None:
            bar.update(first + env_step - bar.n)

        def save(epoch: int, env_step: int, gradient_step: int) -> str:
            self.env_steps = first + env_step
            if self.film is not None and writer is not None:
                self.film.add(self.algorithm.policy, self.env_steps, writer)
            return self.save(collector.buffer)

        logger: Any = LazyLogger()
        writer: RunWriter | None = None
        if self.tracker is not None:
            # Steps after the last checkpoint are logged again, and replace their first entries.
            writer = self.tracker.writer(self.name, first + 1)
            if self.film is not None:
                self.film.add(self.algorithm.policy, first, writer)
            learned = self.reward is not None
            numbers: dict[str, Any] = {"length": s.env_steps, "first": first, "learned": learned}
            logger = RunLogger(writer, "policy", collects=True, **numbers)
        common: dict[str, Any] = {
            "training_collector": collector,
            "max_epochs": epochs,
            "epoch_num_steps": epoch_steps,
            "collection_step_num_env_steps": s.collect_steps,
            "batch_size": s.batch_size,
            "training_fn": tick,
            "save_checkpoint_fn": save,
            "logger": logger,
            "show_progress": False,
            "verbose": False,
        }
        params = (
            OnPolicyTrainerParams(**common, update_step_num_repetitions=s.repeat)
            if self.on_policy
            else OffPolicyTrainerParams(**common, update_step_num_gradient_steps_per_sample=s.update_per_step)
        )
        # The collector was reset before its random steps; their last episodes continue.
        self.algorithm.create_trainer(params).run(reset_collectors=False)
        self.env_steps = first + epochs * epoch_steps
        tick(0, self.env_steps - first)
        logger.finalize()
