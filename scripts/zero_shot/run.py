"""Command `rlpriors zero-shot`: a policy over skills, and its evaluation on goals and rewards.

`zero_shot`  the command
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import SuccessorFeatureAgent, SuccessorFeaturePolicy, load_skills, save_skills
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.device import resolve_device
from rlpriors.encoders.record import EncoderRecord
from rlpriors.envs.encoded_env import EncodedEnvs
from rlpriors.rewards import load_reward
from rlpriors.scripts.origin import describe_data, record_origin
from rlpriors.scripts.zero_shot.evaluation import EnvMaker, evaluate_goals, evaluate_skill
from rlpriors.scripts.zero_shot.settings import ZeroShotRunSettings
from rlpriors.training.offline import train_offline
from rlpriors.training.reward_learning import pipeline
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_inputs import check_run_inputs
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker

__all__ = ["zero_shot"]


def zero_shot(
    settings: ZeroShotRunSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tracker: Sequence[Tracker] = ("tensorboard",),
) -> Path:
    """Learn a policy over skills, evaluate it on goals and rewards, and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/zero-shot-<env>-<features>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.

    Raises:
        ValueError: a setting, the data or a reward do not fit the environment.
        CheckpointError: a folder or a checkpoint is missing or damaged, or of other data.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    say = partial(Console(highlight=False, markup=False, soft_wrap=True).print)
    sample = settings.env_maker()()  # an unknown environment leaves no folder
    action_space = sample.action_space
    sample.close()
    rewards = {name: load_reward(name, device) for name in settings.reward}
    pixels = settings.load_pixels(device, settings.seed)
    for reward_name, reward in rewards.items():
        _check_encoder(f"`reward` {reward_name}", reward, pixels)
    name = f"zero-shot-{settings.env_name}-{settings.features}-seed{settings.seed}"
    agent_settings = settings.agent_settings()
    run = create_or_resume_run(folder or Path("runs") / name, settings, resume=resume)
    tracking = RunTracker(run, tracker)
    tracking.overview(settings, "zero-shot")
    if pixels is not None:
        check_run_inputs(run, {"encoder": pixels.encoder.fingerprint().digest})
    source = settings.data or settings.collect
    data = pipeline.stored(run, "data", partial(settings.read, "--data", source, settings.seed, pixels))
    say(f"Data: {data.n_steps} steps of {source}.")
    if settings.skills is not None:
        policy = load_skills(settings.skills, device=device)
        _check_encoder("`skills`", policy, pixels)
        policy.check_data(data)
    else:
        policy = SuccessorFeaturePolicy.fit(
            data,
            action_space,
            task_keys=settings.task_keys or None,
            settings=agent_settings,
            device=device,
            seed=settings.seed,
        )
        policy.obs_encoder = settings.encoder_record(pixels, settings.seed)
        agent = SuccessorFeatureAgent(
            policy=policy, optim=AdamOptimizerFactory(lr=settings.lr), seed=settings.seed
        )
        train_offline(
            agent,
            to_buffer(data),
            folder=run,
            name="skills",
            n_updates=settings.updates,
            batch_size=settings.batch_size,
            epoch_updates=settings.checkpoint_every,
            resume=resume,
            tracker=tracking,
        )
        save_skills(policy, run / "skills")
    make = partial(settings.make_vectors, pixels, policy.obs_keys)
    results: dict[str, Any] = {"env": settings.env, "features": policy.settings.features}
    if settings.n_goals:
        results |= _goals(policy, data, make, settings.n_goals, settings.radius, settings.seed)
        say(
            f"Goals: {results['goal_success']:.0%} of {settings.n_goals} reached within {settings.radius:g} "
            f"standard deviations; random actions {results['random_goal_success']:.0%}."
        )
    for number, (name, reward) in enumerate(rewards.items()):
        skill = policy.infer_z(reward=reward, data=data, seed=settings.seed)
        scores = [
            evaluate_skill(
                policy,
                make,
                z,
                (reward, None),
                n_episodes=settings.n_episodes,
                seed=settings.seed + 1000 * (number + 1),
            )
            for z in (skill, None)
        ]
        (learned, true), (random_learned, random_true) = scores
        results[f"reward:{name}"] = {
            "learned_return": learned,
            "random_learned_return": random_learned,
            "true_return": true,
            "random_true_return": random_true,
        }
        say(
            f"Reward {name}: learned return {learned:.2f}, random actions {random_learned:.2f}; true return "
            f"{true:.2f}, random actions {random_true:.2f}."
        )
    write_json(run / "results.json", results)
    if settings.skills is None:
        record_origin(
            "zero-shot",
            settings,
            {run / "skills": {key: value for key, value in results.items() if key.endswith("success")}},
            env=settings.env,
            env_args=settings.env_arguments(),
            data={"data": describe_data(source, data)},
        )
    tracking.results(settings, results)
    tracking.close()
    say(str(run))
    return run


def _check_encoder(name: str, model: Any, pixels: EncodedEnvs | None) -> None:
    """Raise a ValueError if a saved model has recorded another encoder than that of the observations."""
    record: EncoderRecord | None = getattr(model, "obs_encoder", None)
    if record is None:
        return
    if pixels is None:
        raise ValueError(
            f"{name} must receive features of the encoder {record.name!r}. Received observations without an "
            "encoder; give the same --encoder."
        )
    record.check(pixels.encoder.fingerprint(), name)


def _goals(
    policy: SuccessorFeaturePolicy, data: EpisodeStore, make: EnvMaker, n: int, radius: float, seed: int
) -> dict[str, float]:
    """Return the fractions of `n` random observations that the policy and random actions reach."""
    goals = data.obs[np.random.default_rng((seed, 1)).integers(len(data.obs), size=n)]
    distances = [evaluate_goals(policy, make, goals, seed=seed, random=by) for by in (False, True)]
    success, random = (float((distance <= radius).mean()) for distance in distances)
    return {"goal_success": success, "random_goal_success": random}
