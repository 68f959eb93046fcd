"""Experts and replay of MuJoCo's runners, made by SAC from nothing and kept as small files.

    python -m benchmarks.irl.record_locomotion --env HalfCheetah-v5

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
from dataclasses import asdict
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from benchmarks.irl.sac_recorder import RecordSettings, RunnerLearner
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.data.episodes import EpisodeStore
from rlpriors.training.run_folder import create_or_resume_run, write_json

__all__ = ["main", "medium_replay", "record"]

EXPERT_SEED = 2_000_000  # apart from the seeds of training and of the evaluations


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
    run = create_or_resume_run(
        folder or Path("runs") / f"record-{settings.env}-seed{settings.seed}", settings, resume=resume
    )
    learner = RunnerLearner(settings, partial(gym.make, settings.env))
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


def write(learner: RunnerLearner, output: Path) -> Path:
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
        "command": "python -m benchmarks.irl.record_locomotion " + shlex.join(sys.argv[1:]),
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
