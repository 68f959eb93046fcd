"""Expert and replay data of Hopper and HalfCheetah, recorded from SAC that is trained from scratch.

    python -m benchmarks.irl.record_locomotion --env HalfCheetah-v5

`record`         training, two data files and a summary
`medium_replay`  experience of a run before it reaches a medium return

Two files are written.  `<env>-expert.safetensors` contains whole episodes of the trained policy without
noise.  `<env>-replay.safetensors` contains whole episodes from the training, with noise, up to 40 % of the
expert's return, evenly subsampled: the "medium-replay" of D4RL (arXiv 2004.07219, section 5).
`EpisodeStore.load` reads both.  Observations and actions are stored as float16, rewards as float32.

SAC is Tianshou's (Haarnoja et al. 2018, arXiv 1812.05905) with a learned entropy coefficient.
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

from benchmarks.irl.sac_recorder import RecordSettings, SACRecorder
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.data.episodes import EpisodeStore
from rlpriors.training.run_folder import create_or_resume_run, write_json

__all__ = ["main", "medium_replay", "record"]

EXPERT_SEED = 2_000_000  # differs from all seeds of training and evaluations


def medium_replay(experience: EpisodeStore, until: int, n_steps: int) -> EpisodeStore:
    """Return about `n_steps` steps of whole episodes that end within the first `until` steps, evenly spread.

    Raises:
        ValueError: no episode ends by then, or `n_steps` is below the length of an episode.
    """
    ends = experience.step_starts + experience.lengths
    last = ends - 1
    whole = np.flatnonzero((experience.terminated[last] | experience.truncated[last]) & (ends <= until))
    if not len(whole):
        raise ValueError(
            f"`until` must be at least {ends[0]}, the end of the first episode. Received {until}."
        )
    fraction = min(1.0, n_steps / experience.lengths[whole].sum())
    quota = np.floor(fraction * np.arange(len(whole) + 1) + 1e-9)  # selected among the first ones
    chosen = whole[np.diff(quota) > 0]
    if not len(chosen):
        raise ValueError(
            f"`n_steps` must be at least {experience.lengths[whole].sum() // len(whole) + 1}, for one of "
            f"{len(whole)} episodes. Received {n_steps}."
        )
    return experience.subset(chosen)


def record(
    settings: RecordSettings,
    *,
    output: Path = Path("benchmarks/data"),
    folder: Path | None = None,
    resume: bool = False,
) -> Path:
    """Train, write the two data files and `<env>.json`, and return the path of the last.

    Args:
        settings: settings of the recording.
        output: folder of the files.
        folder: folder of the run; runs/record-<env>-seed<seed> by default.
        resume: resume the interrupted run in `folder`.
    """
    torch.set_num_threads(1)
    run = create_or_resume_run(
        folder or Path("runs") / f"record-{settings.env}-seed{settings.seed}", settings, resume=resume
    )
    recorder = SACRecorder(settings, partial(gym.make, settings.env))
    checkpoint = run / "recorder.resume.pt"
    if resume and checkpoint.exists():
        recorder.restore(load_resume(checkpoint))
    with (
        SummaryWriter(str(run / "tensorboard"), purge_step=recorder.steps + 1) as writer,
        tqdm(total=settings.env_steps, initial=recorder.steps, desc=settings.env, unit="step") as bar,
    ):
        while recorder.steps < settings.env_steps and recorder.seconds < 60 * settings.minutes:
            recorder.learn(settings.evaluation_interval)
            save_resume(checkpoint, recorder.state())
            writer.add_scalar("test/return", recorder.curve[-1][1], recorder.steps)
            bar.update(settings.evaluation_interval)
            bar.set_postfix({"return": round(recorder.curve[-1][1])})
            write_json(run / "curve.json", {"steps_and_return": recorder.curve})
    return write_files(recorder, output)


def write_files(recorder: SACRecorder, output: Path) -> Path:
    """Write the data files and the summary of a training."""
    settings, env = recorder.settings, recorder.settings.env.lower()
    recorder.sac.policy.load_state_dict(recorder.best)
    evaluation = recorder.evaluate(settings.expert_episodes, EXPERT_SEED + settings.seed)
    expert = recorder.experience(evaluation.buffer)
    score = float(evaluation.returns.mean())
    until = next(
        (int(steps) for steps, mean in recorder.curve if mean >= settings.medium * score), recorder.steps
    )
    replay = medium_replay(recorder.experience(recorder.buffer), until, settings.replay_steps)
    files = {
        name: store.save(output / f"{env}-{name}.safetensors", dtype="float16")
        for name, store in (("expert", expert), ("replay", replay))
    }
    summary = {
        "command": "python -m benchmarks.irl.record_locomotion " + shlex.join(sys.argv[1:]),
        "settings": asdict(settings),
        "env_steps": recorder.steps,
        "seconds_of_learning": round(recorder.seconds),
        "evaluations": recorder.curve,
        "expert": {**_summary(expert), "return_of_each": [round(float(r), 1) for r in evaluation.returns]},
        "replay": {**_summary(replay), "from_the_first_steps": until},
        "bytes": {name: path.stat().st_size for name, path in files.items()},
        "dtype": "float16 observations and actions, float32 rewards",
    }
    path = output / f"{env}.json"
    write_json(path, summary)
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
    """Run the command."""
    import tyro

    def run(
        settings: tyro.conf.OmitArgPrefixes[RecordSettings],
        output: Path = Path("benchmarks/data"),
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        """Train SAC, then write episodes of the expert and of the training.

        Args:
            settings: settings of the recording.
            output: folder of the files.
            folder: folder of the run; runs/record-<env>-seed<seed> by default.
            resume: resume an interrupted run.
        """
        print(record(settings, output=output, folder=folder, resume=resume))

    tyro.cli(run)


if __name__ == "__main__":
    main()
