"""Command `rlpriors plan`: plans by a saved prior and a saved reward, executed in an environment.

`plan`  the command
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from tianshou.env import DummyVectorEnv

from rlpriors.agents.diffusion.prior_files import load_prior
from rlpriors.device import resolve_device
from rlpriors.diffusion import PlannerSettings
from rlpriors.evaluation.rewards.return_correlation import episode_returns
from rlpriors.rewards import load_reward
from rlpriors.scripts.plan.settings import PlanSettings
from rlpriors.training.rollout import evaluate_policy
from rlpriors.training.run_folder import create_or_resume_run, write_json

__all__ = ["plan"]


def plan(settings: PlanSettings, *, folder: Path | None = None) -> Path:
    """Execute plans in an environment, and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/plan-<env>-seed<seed>` by default.

    Raises:
        ValueError: the prior or the reward does not fit the environment.
        CheckpointError: a folder is missing or damaged.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    sample = settings.env_maker()()
    action_space = sample.action_space
    sample.close()
    policy = load_prior(
        settings.prior,
        action_space=action_space,
        planner=PlannerSettings(n_candidates=settings.n_candidates, n_steps=settings.n_steps),
        device=device,
        seed=settings.seed,
    )
    reward = None if settings.reward is None else load_reward(settings.reward, device)
    policy.reward = reward
    pixels = settings.recorded_pixels([policy.obs_encoder, getattr(reward, "obs_encoder", None)], device)
    make, keys = settings.env_maker(), policy.obs_keys
    if pixels is not None:  # observations are vectors then
        make, keys = partial(pixels.make, settings.env, keys, **settings.env_arguments()), None
    default_folder = Path("runs") / f"plan-{settings.env_name}-seed{settings.seed}"
    run = create_or_resume_run(folder or default_folder, settings, resume=False)
    envs = DummyVectorEnv([make] * settings.n_episodes)
    try:
        episodes = evaluate_policy(policy, envs, settings.n_episodes, seed=settings.seed, obs_keys=keys)
    finally:
        envs.close()
    episodes.save(run / "episodes.safetensors")
    returns = {"true_return": episode_returns(None, episodes)}
    if reward is not None:
        returns["learned_return"] = episode_returns(reward, episodes)
    results: dict[str, Any] = {"env": settings.env, "seed": settings.seed, "episodes": settings.n_episodes}
    say = Console(highlight=False, markup=False, soft_wrap=True).print
    for kind, values in returns.items():
        results |= {kind: float(values.mean()), f"{kind}_error": float(values.std() / np.sqrt(len(values)))}
        say(f"{kind.replace('_', ' ')}: {results[kind]:.2f} ± {results[f'{kind}_error']:.2f}")
    write_json(run / "results.json", results)
    say(str(run))
    return run
