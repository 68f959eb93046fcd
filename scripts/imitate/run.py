"""Imitation from pixels, with a learned representation or without: `rlpriors imitate`.

EIRLI (arXiv 2205.07886) found that learned representations help imitation little over cloning with
well chosen augmentation.  So each number here has its controls: cloning alone, with and without it.
"""

import json
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from tianshou.env import DummyVectorEnv
from torch.utils.tensorboard import SummaryWriter

from rlpriors.agents import save_policy
from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.checkpoint import load_resume
from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.device import resolve_device
from rlpriors.encoders import ImageEncoder, encoder_spec, load_encoder
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.scripts.demonstrate.run import play, random_player, returns_of
from rlpriors.scripts.imitate.methods import clone, encode_store, make_algorithm, score, train_gail
from rlpriors.scripts.imitate.settings import ImitateSettings
from rlpriors.scripts.pretrain.run import find_recipe
from rlpriors.training.collapse_monitor import looks
from rlpriors.training.representation import learn_encoder
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.wrappers.tianshou.encode_observation import TianshouEncodeObservation

__all__ = ["imitate", "random_frames", "stacked_env"]

MOST_ENVS = 10
LOOKED_AT = 512  # frames that collapse is measured on, as many as `rlpriors pretrain` takes


def imitate(settings: ImitateSettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Imitate demonstrations from pixels and return the run's folder.

    It holds the policy in `policy` (its encoder in `policy/encoder`; that of GAIL in `encoder`) and what it
    is worth in `results.json`: the environment's own return, and the same between random play (0) and the
    demonstrations (1).

    Args:
        settings: what is done.
        folder: where; `runs/imitate-<env>-<mode>-<method>-seed<seed>` by default.
        resume: go on with the run that was stopped there.

    Raises:
        ValueError: environment, demonstrations, method and encoder do not go together.
        CheckpointError: the state to resume from is damaged or another method's.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    world = PixelEnvSpec(settings.env, settings.size, settings.steps)
    uses_method = settings.mode != "scratch" and settings.method != "none"
    recipe = find_recipe(settings.method, settings.method_options()) if uses_method else None
    demos = _demonstrations(settings)
    with closing(world.make()) as sample:
        space = sample.action_space
        _check(demos, sample, settings)
    states = np.random.SeedSequence(settings.seed).generate_state(7)
    net, head, training, playing, judging, learning, control = (int(s) for s in states)
    encoder = _encoder(settings, device, net)
    n_actions = int(space.n) if isinstance(space, gym.spaces.Discrete) else None
    stores = [demos]
    if recipe is not None and settings.frames is not None:
        stores.append(FrameStore.open(settings.frames))
    plays = recipe is not None and settings.frames is None and settings.random_steps > 0
    prepare = partial(make_algorithm, encoder, recipe, stores, settings, n_actions=n_actions, seed=learning)
    # Where nothing has to be played first, what cannot be learned leaves no folder.
    learner = None if plays else prepare()

    started = time.monotonic()
    what = settings.mode + (f"-{settings.method}" if settings.mode != "scratch" else "")
    plain = "" if settings.augment or settings.mode == "gail" else "-plain"
    usual = Path("runs") / f"imitate-{world.name}-{what}{plain}-seed{settings.seed}"
    run = create_or_resume_run(folder or usual, settings, resume=resume)
    if plays:
        stores.append(random_frames(world, settings.random_steps, run / "random", playing))
        learner = prepare()
    if learner is not None and settings.mode != "joint":
        state, logs = run / "representation.resume.pt", run / "tensorboard" / "representation"
        if resume and state.exists():
            learner.resume(load_resume(state, device))
        every = settings.checkpoint_every
        look = looks(learner, every=every, sample=LOOKED_AT)
        learn_encoder(learner, state=state, logs=logs, checkpoint_every=every, look=look)
    encoder.freeze()
    if settings.mode == "gail":
        returns = _gail(world, encoder, demos, settings, run, (head, training, judging), resume)
    else:
        auxiliary = learner if settings.mode == "joint" else None
        policy = clone(encoder, auxiliary, demos, space, settings, run, seeds=(head, training), resume=resume)
        policy.save(run / "policy")
        make = partial(stacked_env, world, settings.stack)
        with closing(DummyVectorEnv([make] * min(MOST_ENVS, settings.episodes))) as envs:
            returns = score(policy, envs, settings.episodes, judging)
    results = _results(returns, demos, world, settings, control)
    results["seconds"] = round(time.monotonic() - started, 1)
    write_json(run / "results.json", results)
    with SummaryWriter(str(run / "tensorboard" / "test")) as writer:
        writer.add_scalar("test/return", results["return"], settings.updates)
    _report(results, run)
    return run


def random_frames(world: PixelEnvSpec, steps: int, folder: Path, seed: int) -> FrameStore:
    """Whole episodes of random play, at least `steps` steps, in a new store or the one that is there."""
    if folder.exists():
        return FrameStore.open(folder)
    done = 0
    with FrameWriter(folder) as writer:
        for episode in play(world, random_player(seed), steps, seed):
            writer.add(episode)
            done += len(episode.rew)
            if done >= steps:
                break
    return writer.store


def stacked_env(world: PixelEnvSpec, stack: int) -> gym.Env[Any, Any]:
    """The environment as a policy of stacked frames sees it."""
    env = world.make()
    if stack == 1:
        return env
    return gym.wrappers.FrameStackObservation(env, stack, padding_type="reset")


def _demonstrations(settings: ImitateSettings) -> FrameStore:
    whole, n = FrameStore.open(settings.demos), settings.demo_episodes
    if n is None or n == whole.n_episodes:
        return whole
    if n > whole.n_episodes:
        raise ValueError(f"`demo_episodes` must be at most {whole.n_episodes}, all of them. Received {n}.")
    rows = int(whole.lengths[:n].sum())
    arrays = {name: array[:rows] for name, array in whole.arrays.items()}
    return FrameStore(whole.folder, whole.frames[:rows], whole.lengths[:n], arrays)


def _check(demos: FrameStore, env: gym.Env[Any, Any], settings: ImitateSettings) -> None:
    """Refuse what would fail in the middle of a run."""
    still = np.flatnonzero(demos.lengths < 2)
    if len(still):
        raise ValueError(
            "`demos` must hold episodes of at least one step, which have two frames. Received one frame in "
            f"episode {still[0]} of {settings.demos}; record them without it."
        )
    buffer = PixelBuffer(demos, settings.stack)  # says if there are no actions
    seen, wanted = demos.frames.shape[1:], env.observation_space.shape
    if seen != wanted:
        raise ValueError(
            f"`demos` must hold frames of {wanted}, as {settings.env} shows them at `size` {settings.size}. "
            f"Received {seen} in {settings.demos}; give `size` {seen[0]}, or record them anew."
        )
    if getattr(env.action_space, "start", 0) != 0:
        raise ValueError(
            f"`env` must number its actions from 0. Received {env.action_space} of {settings.env}; shift "
            "them by gymnasium.wrappers.TransformAction."
        )
    buffer.check_actions(env.action_space)


def _encoder(settings: ImitateSettings, device: torch.device, seed: int) -> ImageEncoder:
    spec = encoder_spec(settings.encoder)
    own = spec.source == "network"
    return load_encoder(
        settings.encoder,
        weights="none" if own and settings.weights == "auto" else settings.weights,
        input_size=(settings.size, settings.size) if own else None,
        device=device,
        seed=seed,
        progress=False,
    )


def _gail(
    world: PixelEnvSpec,
    encoder: ImageEncoder,
    demos: FrameStore,
    settings: ImitateSettings,
    run: Path,
    seeds: tuple[int, int, int],
    resume: bool,
) -> np.ndarray:
    encoder.save(run / "encoder")
    encoded = encode_store(demos, encoder, settings.stack)
    bare = DummyVectorEnv([world.make] * settings.n_envs)
    envs = TianshouEncodeObservation(bare, encoder, stack=settings.stack, device=encoder.device)
    with closing(bare):
        spaces = envs.single_observation_space, bare.action_space[0]
        policy, learner = train_gail(envs, *spaces, encoded, settings, run, seeds=seeds[:2], resume=resume)
        save_policy(policy, learner, run / "policy")
        return score(policy.eval(), envs, settings.episodes, seeds[2])


def _results(
    returns: np.ndarray, demos: FrameStore, world: PixelEnvSpec, settings: ImitateSettings, seed: int
) -> dict[str, Any]:
    """Returns, and where they lie between random play and the demonstrations."""
    shown = returns_of(demos)
    told = settings.demos / "demonstrations.json"
    if told.exists() and json.loads(told.read_text())["settings"]["steps"] == settings.steps:
        random = float(json.loads(told.read_text())["random"]["mean"])
    else:
        episodes = play(world, random_player(seed), settings.episodes, seed)
        random = float(np.mean([episode.rew.sum() for episode in episodes]))
    expert = None if shown is None else float(shown.mean())
    room = None if expert is None or expert <= random else expert - random
    return {
        "env": settings.env,
        "mode": settings.mode,
        "method": "none" if settings.mode == "scratch" else settings.method,
        "augment": settings.augment and settings.mode != "gail",  # which sees frozen encodings
        "seed": settings.seed,
        "return": float(returns.mean()),
        "return_error": float(returns.std() / np.sqrt(len(returns))),
        "returns": [float(r) for r in returns],
        "expert_return": expert,
        "random_return": random,
        "normalized": None if room is None else (float(returns.mean()) - random) / room,
    }


def _report(results: dict[str, Any], run: Path) -> None:
    say = Console(highlight=False, soft_wrap=True).print
    say(
        f"return {results['return']:.2f} ± {results['return_error']:.2f}; random play "
        f"{results['random_return']:.2f}, demonstrations "
        + ("unknown" if results["expert_return"] is None else f"{results['expert_return']:.2f}")
    )
    if results["normalized"] is not None:
        say(f"normalized {results['normalized']:.2f}: 0 is random play, 1 the demonstrations")
    elif results["expert_return"] is not None:
        say("not normalized: the demonstrations are worth no more than random play")
    say(f"The policy: {run / 'policy'}", markup=False)
