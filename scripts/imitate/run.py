"""Command `rlpriors imitate`: a policy from demonstrations as frames, with or without a representation.

`imitate`      the command
`stacked_env`  an environment with a stack of frames for observations

EIRLI (arXiv 2205.07886) found that learned representations hardly improve on cloning with well-chosen
augmentations.  Each result therefore needs its controls: cloning alone, with and without augmentation.
"""

import json
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from rich.console import Console
from tianshou.env import DummyVectorEnv

from rlpriors.agents import save_policy
from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.checkpoint import load_resume
from rlpriors.data.fingerprints import frames_fingerprint
from rlpriors.data.frames import FrameStore
from rlpriors.device import resolve_device
from rlpriors.encoders import ImageEncoder
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.envs.random_frames import collect_random_episodes
from rlpriors.envs.rollout import random_policy, rollout
from rlpriors.representation import RepresentationLearner
from rlpriors.representation.registry import find_recipe
from rlpriors.scripts.demonstrate.run import episode_returns
from rlpriors.scripts.imitate.methods import clone, encode_store, make_representation_learner, train_gail
from rlpriors.scripts.imitate.settings import GAILTrainingSettings, ImitateSettings
from rlpriors.scripts.origin import describe_frames, record_origin
from rlpriors.spaces import wrapped_spaces
from rlpriors.training.collapse_monitor import log_feature_statistics
from rlpriors.training.representation import train_encoder
from rlpriors.training.rollout import evaluate_returns
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_inputs import check_run_inputs
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker
from rlpriors.wrappers.tianshou.encode_observation import TianshouEncodeObservation

__all__ = ["imitate", "stacked_env"]

MAX_EVAL_ENVS = 10
COLLAPSE_SAMPLE_SIZE = 512  # the default of `rlpriors pretrain`


def imitate(
    settings: ImitateSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tracker: Sequence[Tracker] = ("tensorboard",),
) -> Path:
    """Imitate demonstrations from pixels and return the run's folder.

    It holds the policy in `policy`, with its encoder in `policy/encoder` (in `encoder` for GAIL), and the
    environment's return in `results.json`, also normalized between a random policy (0) and the demonstrations
    (1).

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/imitate-<env>-<mode>-<method>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.

    Raises:
        ValueError: environment, demonstrations, method and encoder do not fit.
        CheckpointError: the checkpoint is damaged or of another method.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    spec = PixelEnvSpec(settings.env, settings.image_size, settings.max_episode_steps)
    recipe = find_recipe(settings.method, settings.method_options()) if settings.uses_method else None
    demos = _load_demos(settings.demos, settings.demo_episodes)
    with closing(spec.make()) as sample:
        action_space = sample.action_space
        _check_demos(demos, sample, settings.env, settings.stack)
    states = np.random.SeedSequence(settings.seed).generate_state(7)
    encoder_seed, weights_seed, training_seed, frames_seed, eval_seed, method_seed, random_seed = (
        int(s) for s in states
    )
    size = (spec.image_size, spec.image_size) if settings.encoder.is_network else None
    encoder = settings.encoder.load(
        device=device, seed=encoder_seed, train=True, input_size=size, progress=False
    )
    stores = [demos]
    if recipe is not None and settings.frames is not None:
        stores.append(FrameStore.open(settings.frames))
    collects = recipe is not None and settings.frames is None and settings.random_steps > 0
    make_learner = partial(
        make_representation_learner,
        encoder,
        recipe,
        stores,
        settings.representation(method_seed),
        method=settings.method,
        n_actions=int(action_space.n) if isinstance(action_space, gym.spaces.Discrete) else None,
    )
    # Without frames to collect, a method that does not fit leaves no folder.
    learner = None if collects else make_learner()

    started = time.monotonic()
    run = create_or_resume_run(folder or settings.default_folder(spec.name), settings, resume=resume)
    tracking = RunTracker(run, tracker)
    tracking.overview(settings, "imitate")
    frames = [frames_fingerprint(store) for store in stores]
    check_run_inputs(run, {"encoder": encoder.fingerprint().digest, "frames": frames})
    if collects:
        stores.append(collect_random_episodes(spec, settings.random_steps, run / "random", frames_seed))
        learner = make_learner()
    if learner is not None and settings.mode != "joint":
        _train_representation(learner, run, tracking, settings.checkpoint_every, device if resume else None)
    encoder.freeze()
    if settings.mode == "gail":
        seeds = weights_seed, training_seed, eval_seed
        returns = _train_and_evaluate_gail(
            spec,
            encoder,
            demos,
            settings.gail(),
            settings.stack,
            settings.n_episodes,
            run,
            seeds,
            resume,
            tracking,
        )
    else:
        policy = clone(
            encoder,
            learner if settings.mode == "joint" else None,
            demos,
            action_space,
            settings.cloning(),
            run,
            seeds=(weights_seed, training_seed),
            resume=resume,
            tracker=tracking,
        )
        policy.save(run / "policy")
        make = partial(stacked_env, spec, settings.stack)
        with closing(DummyVectorEnv([make] * min(MAX_EVAL_ENVS, settings.n_episodes))) as envs:
            episodes = evaluate_returns(policy, envs, settings.n_episodes, seed=eval_seed)
        returns = np.array([episode.true_return for episode in episodes])
    results = {
        "env": settings.env,
        "mode": settings.mode,
        "method": "none" if settings.mode == "scratch" else settings.method,
        "augment": settings.augment and settings.mode != "gail",  # whose encoder is frozen
        "seed": settings.seed,
        **_summary(returns, demos, _random_return(spec, settings.demos, settings.n_episodes, random_seed)),
        "seconds": round(time.monotonic() - started, 1),
    }
    write_json(run / "results.json", results)
    record = partial(record_origin, "imitate", settings, data={"demonstrations": describe_frames(demos)})
    is_gail = settings.mode == "gail"
    record({run / ("encoder" if is_gail else "policy/encoder"): results}, env=settings.env)
    if is_gail:
        record({run / "reward": results})  # of features, not of observations of the environment
    tracking.results(settings, results, ("return", "normalized", "expert_return", "random_return"))
    tracking.close()
    _report(results, run)
    return run


def stacked_env(spec: PixelEnvSpec, stack: int) -> gym.Env[Any, Any]:
    """Return the environment with a stack of frames for observations, as the policy needs."""
    env = spec.make()
    if stack == 1:
        return env
    return gym.wrappers.FrameStackObservation(env, stack, padding_type="reset")


def _load_demos(folder: Path, n_episodes: int | None) -> FrameStore:
    """Open the demonstrations, and keep the first `n_episodes` of them."""
    store = FrameStore.open(folder)
    if n_episodes is None or n_episodes == store.n_episodes:
        return store
    if n_episodes > store.n_episodes:
        raise ValueError(
            f"`demo_episodes` must be at most {store.n_episodes}, all of them. Received {n_episodes}."
        )
    rows = int(store.lengths[:n_episodes].sum())
    arrays = {name: array[:rows] for name, array in store.arrays.items()}
    return FrameStore(store.folder, store.frames[:rows], store.lengths[:n_episodes], arrays)


def _check_demos(demos: FrameStore, env: gym.Env[Any, Any], env_id: str, stack: int) -> None:
    """Check that the demonstrations fit the environment, before a run begins."""
    single = np.flatnonzero(demos.lengths < 2)
    if len(single):
        raise ValueError(
            "`demos` must hold episodes of at least one step, which have two frames. Received one frame in "
            f"episode {single[0]} of {demos.folder}; record them without it."
        )
    buffer = PixelBuffer(demos, stack)  # raises if there are no actions
    frame_shape, env_shape = demos.frames.shape[1:], env.observation_space.shape
    if frame_shape != env_shape:
        raise ValueError(
            f"`demos` must hold frames of {env_shape}, the observations of {env_id} at this `image_size`. "
            f"Received {frame_shape} in {demos.folder}; set `image_size` {frame_shape[0]}, or record "
            "them again."
        )
    if getattr(env.action_space, "start", 0) != 0:
        raise ValueError(
            f"`env` must number its actions from 0. Received {env.action_space} of {env_id}; shift them by "
            "gymnasium.wrappers.TransformAction."
        )
    buffer.check_actions(env.action_space)


def _train_representation(
    learner: RepresentationLearner,
    run: Path,
    tracking: RunTracker,
    checkpoint_every: int,
    resume_device: torch.device | None,
) -> None:
    """Train the encoder by its method; a device resumes an earlier training there."""
    resume_file = run / "representation.resume.pt"
    if resume_device is not None and resume_file.exists():
        learner.resume(load_resume(resume_file, resume_device))
    train_encoder(
        learner,
        resume_file=resume_file,
        folder=run,
        checkpoint_every=checkpoint_every,
        callback=log_feature_statistics(
            learner, log_every=checkpoint_every, sample_size=COLLAPSE_SAMPLE_SIZE
        ),
        tracker=tracking,
    )


def _train_and_evaluate_gail(
    spec: PixelEnvSpec,
    encoder: ImageEncoder,
    demos: FrameStore,
    settings: GAILTrainingSettings,
    stack: int,
    n_episodes: int,
    run: Path,
    seeds: tuple[int, int, int],
    resume: bool,
    tracking: RunTracker,
) -> np.ndarray:
    """Train a policy by GAIL and return the returns of its episodes."""
    encoder.save(run / "encoder")
    encoded = encode_store(demos, encoder, stack)
    pixels = DummyVectorEnv([spec.make] * settings.n_envs)
    envs = TianshouEncodeObservation(pixels, encoder, stack=stack, device=encoder.device)
    with closing(pixels):
        spaces = wrapped_spaces(envs)
        policy, algorithm = train_gail(
            envs, *spaces, encoded, settings, run, seeds=seeds[:2], resume=resume, tracker=tracking
        )
        save_policy(policy, algorithm, run / "policy")
        episodes = evaluate_returns(policy.eval(), envs, n_episodes, seed=seeds[2])
    return np.array([episode.true_return for episode in episodes])


def _random_return(spec: PixelEnvSpec, demos: Path, n_episodes: int, seed: int) -> float:
    """Return the mean return of a random policy, as recorded with the demonstrations if that applies."""
    file = demos / "demonstrations.json"
    if file.exists():
        recorded = json.loads(file.read_text())
        if recorded["settings"]["max_episode_steps"] == spec.max_episode_steps:
            return float(recorded["random"]["mean"])
    episodes = rollout(spec.make, random_policy(seed), n_episodes, seed)
    return float(np.mean([episode.rew.sum() for episode in episodes]))


def _summary(returns: np.ndarray, demos: FrameStore, random: float) -> dict[str, Any]:
    """Return the returns, also normalized between a random policy and the demonstrations."""
    demo_returns = episode_returns(demos)
    expert = None if demo_returns is None else float(demo_returns.mean())
    gap = None if expert is None or expert <= random else expert - random
    return {
        "return": float(returns.mean()),
        "return_error": float(returns.std() / np.sqrt(len(returns))),
        "returns": [float(r) for r in returns],
        "expert_return": expert,
        "random_return": random,
        "normalized": None if gap is None else (float(returns.mean()) - random) / gap,
    }


def _report(results: dict[str, Any], run: Path) -> None:
    say = Console(highlight=False, soft_wrap=True).print
    say(
        f"return {results['return']:.2f} ± {results['return_error']:.2f}; random policy "
        f"{results['random_return']:.2f}, demonstrations "
        + ("unknown" if results["expert_return"] is None else f"{results['expert_return']:.2f}")
    )
    if results["normalized"] is not None:
        say(f"normalized {results['normalized']:.2f}: 0 is a random policy, 1 the demonstrations")
    elif results["expert_return"] is not None:
        say("not normalized: the demonstrations have no higher return than a random policy")
    say(f"The policy: {run / 'policy'}", markup=False)
