"""From frames to an encoder, from the command line: `rlpriors pretrain`.

`pretrain`        trains, with a progress bar, TensorBoard and checkpoints, and publishes the encoder
`find_recipe`     a method by its name, with options
`collect_frames`  an environment's frames under random actions
`processes`       several devices, where torchrun started this
"""

import inspect
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from torch import distributed
from tqdm import tqdm

from rlpriors.checkpoint import load_resume
from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.device import resolve_device
from rlpriors.encoders import ImageEncoder, encoder_spec, load_encoder
from rlpriors.representation import RECIPES, Recipe, RepresentationLearner, TrainingSettings
from rlpriors.representation.methods import EIRLI_NAMES
from rlpriors.scripts.pretrain.settings import PretrainSettings
from rlpriors.scripts.visualize import make_env
from rlpriors.training.collapse_monitor import looks
from rlpriors.training.representation import learn_encoder
from rlpriors.training.run_folder import create_or_resume_run, write_json

__all__ = ["collect_frames", "find_recipe", "pretrain", "processes"]

APART = 10_000
"""Added to the seed of frames, so that no encoder learns from episodes that `rlpriors probe` plays."""

RESUME = "resume.pt"


def pretrain(settings: PretrainSettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Train an encoder and return the run's folder, in which it is published as "encoder".

    Args:
        settings: what is done.
        folder: where; `runs/pretrain-<method>-<encoder>-<data>-seed<seed>` by default.
        resume: go on with the run that was stopped there.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    recipe = find_recipe(settings.method, settings.method_options())
    with processes(settings.device) as (device, rank):
        encoder = make_encoder(settings, device)
        learner = None
        if settings.env is None:  # before the run is begun: what cannot work leaves no folder
            stores = [FrameStore.open(path) for path in settings.data]
            learner = make_algorithm(encoder, recipe, stores, settings)
        run = folder or default_folder(settings)
        if rank == 0:
            if settings.env is not None:
                make_env(settings.env, (8, 8)).close()
            run = create_or_resume_run(run, settings, resume=resume)
        run = Path(_from_first(str(run)))
        if learner is None:
            if rank == 0:
                collect_frames(settings, encoder.spec.channels, _size(settings, encoder), run / "frames")
            _from_first("collected")
            learner = make_algorithm(encoder, recipe, [FrameStore.open(run / "frames")], settings)
        if resume and (run / RESUME).exists():
            learner.resume(load_resume(run / RESUME, device))
        train(learner, settings, run if rank == 0 else None)
        _from_first("trained")
    return run


def find_recipe(method: str, options: Mapping[str, Any]) -> Recipe:
    """The method of that name, ours or that of EIRLI's class, with options.

    Raises:
        ValueError: there is no such method or option, or an option is out of its bounds.
    """
    ours = EIRLI_NAMES.get(method, method)
    if ours not in RECIPES:
        close = get_close_matches(method, [*RECIPES, *EIRLI_NAMES], n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(f"`method` must be one of {', '.join(RECIPES)}. Received {method!r}.{hint}")
    known = list(inspect.signature(RECIPES[ours]).parameters)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"`options` of {method} must be among {known}. Received {unknown}.")
    return RECIPES[ours](**options)


def make_encoder(settings: PretrainSettings, device: torch.device) -> ImageEncoder:
    """What is to be trained, from where it starts."""
    weights = settings.weights
    if weights == "auto" and encoder_spec(settings.encoder).source == "network":
        weights = "none"  # nobody publishes these
    return load_encoder(
        settings.encoder,
        weights=weights,
        device=device,
        input_size=settings.input_size,
        readout=settings.readout,
        compile=settings.compile,
        seed=settings.seed,
    )


def make_algorithm(
    encoder: ImageEncoder, recipe: Recipe, stores: list[FrameStore], settings: PretrainSettings
) -> RepresentationLearner:
    """What trains it."""
    training = TrainingSettings(
        updates=settings.updates,
        batch_size=settings.batch_size,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        amp=settings.amp,
        one_store=settings.one_store,
        resident=settings.resident,
        seed=settings.seed,
    )
    return RepresentationLearner(encoder, recipe, stores, training)


def collect_frames(
    settings: PretrainSettings, channels: int, size: tuple[int, int], folder: Path
) -> FrameStore:
    """Frames of `settings.env` under random actions, in a new store at `folder`, or the one there already.

    Atari games are played as `rlpriors.envs.atari.collect` does it.  Environments without images are rendered
    at `size`, MuJoCo's without what costs most.

    Raises:
        ValueError: there is no such environment.
    """
    assert settings.env is not None
    if settings.env.startswith("ALE/"):
        from rlpriors.envs.atari.collect import AtariSettings, collect

        playing = AtariSettings(gray=channels == 1, size=size, environments=min(8, settings.env_steps))
        return collect(settings.env, settings.env_steps, settings.seed + APART, folder, playing)
    if folder.exists():
        return FrameStore.open(folder)
    env = make_env(settings.env, size)
    env.action_space.seed(settings.seed + APART)
    obs, _ = env.reset(seed=settings.seed + APART)
    with FrameWriter(folder) as writer, tqdm(total=settings.env_steps, desc="frames", unit="step") as bar:
        for step in range(settings.env_steps):
            action = env.action_space.sample()
            after, rew, terminated, truncated, _ = env.step(action)
            truncated = truncated or step + 1 == settings.env_steps
            row = {"rew": np.float32(rew), "terminated": terminated, "truncated": truncated}
            row |= _act(env.action_space, action)
            writer.append(np.asarray(obs), **row)
            obs = after
            if terminated or truncated:  # the last frame, from which no step was taken
                writer.append(np.asarray(obs), **{name: np.zeros_like(value) for name, value in row.items()})
                writer.end_episode()
                obs, _ = env.reset()
            bar.update()
    env.close()
    return writer.store


def train(learner: RepresentationLearner, settings: PretrainSettings, run: Path | None) -> None:
    """Make the updates that are left; `run` is None in all processes but the first, which writes."""
    wanted, started, first = settings.updates, time.monotonic(), learner.updates
    if run is None:
        while learner.updates < wanted:
            learner.update()
        return
    last = learn_encoder(
        learner,
        state=run / RESUME,
        logs=run / "tensorboard",
        checkpoint_every=settings.checkpoint_every,
        log_every=settings.log_every,
        look=looks(learner, every=settings.look_every, sample=settings.sample),
    )
    encoder = learner.finish()
    encoder.save(run / "encoder")
    rate = (wanted - first) * learner.batch_size * learner.parts / (time.monotonic() - started)
    if wanted > first:
        write_json(run / "results.json", {**last, "updates": wanted, "windows_per_second": round(rate, 1)})
    say = Console(highlight=False, soft_wrap=True).print
    say(f"{encoder.spec.name}, trained by {settings.method} ({learner.recipe.source}). To use it:\n")
    say("    from rlpriors.wrappers import EncodeObservation")
    say(f'    env = EncodeObservation(env, "{run / "encoder"}")\n', markup=False)
    say(f"In TensorBoard: tensorboard --logdir {run / 'tensorboard'}")
    say(str(run / "encoder"))


def default_folder(settings: PretrainSettings) -> Path:
    """Named by what is learned, from what."""
    source = settings.env or "-".join(path.name for path in settings.data[:3])
    encoder = Path(settings.encoder).name
    name = re.sub(r"[^\w.]+", "-", f"{settings.method}-{encoder}-{source}-seed{settings.seed}")
    return Path("runs") / f"pretrain-{name.strip('-').lower()}"


@contextmanager
def processes(device: str) -> Iterator[tuple[torch.device, int]]:
    """This process's device and number; where torchrun started several, they find each other first.

    Each takes the GPU of its number on its machine where there are any, and the CPU elsewhere.
    """
    if not distributed.is_torchelastic_launched():
        yield resolve_device(device), 0
        return
    mine = f"cuda:{os.environ['LOCAL_RANK']}" if device in ("auto", "cuda") else device
    resolved = resolve_device(mine if torch.cuda.is_available() else device)
    if resolved.type == "cuda":
        torch.cuda.set_device(resolved)
    # A day, as the first process may collect frames meanwhile.
    distributed.init_process_group("nccl" if resolved.type == "cuda" else "gloo", timeout=timedelta(days=1))
    try:
        yield resolved, distributed.get_rank()
    finally:
        distributed.destroy_process_group()


def _from_first(word: str) -> str:
    """What the first process says, when all have come here."""
    if not distributed.is_initialized():
        return word
    words = [word]
    distributed.broadcast_object_list(words, src=0)
    return words[0]


def _size(settings: PretrainSettings, encoder: ImageEncoder) -> tuple[int, int]:
    return settings.size or encoder.spec.input_size


def _act(space: gym.Space[Any], action: Any) -> dict[str, Any]:
    if isinstance(space, gym.spaces.Discrete):
        return {"act": np.int64(action) - space.start}
    if isinstance(space, gym.spaces.Box):
        return {"act": np.asarray(action, np.float32).reshape(-1)}
    return {}  # no method reads others
