"""The main job from nothing: data, prior, reward and what the reward is worth, in a U-shaped maze.

A few demonstrations go to a goal that nothing but them knows.  From them and a diffusion model of
what a point in this maze can do, `DiffusionIRL` learns a reward; planning by that reward in the
real simulator then reaches the goal from anywhere and stays there.
"""

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from tianshou.algorithm.optim import AdamOptimizerFactory, TorchOptimizerFactory
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from rlpriors.agents import (
    CosineSchedule,
    DiffuserPolicy,
    DiffusionIRL,
    TrajectoryDiffusion,
    TrajectoryLayout,
    check_support,
)
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.device import resolve_device
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.envs.maze.point_maze import OBS_KEYS, PointMazeTask, make_task
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardModel, RewardSettings
from rlpriors.scripts.demo.report import Outcome, print_report, reward_quality, write_figures
from rlpriors.scripts.demo.settings import DemoSettings, RewardInputs
from rlpriors.training.offline import train_offline
from rlpriors.training.rollout import evaluate_policy
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.types import RewardFn

__all__ = ["demo"]

HORIZON, STRIDE = 32, 4  # a window of 128 steps, longer than the way across the maze
EPISODE_STEPS = 300
EARLY = 60  # demonstration windows start before this step: later ones only show the goal


def demo(settings: DemoSettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Run the demo and return the run's folder.

    Args:
        settings: what is done.
        folder: where; `runs/demo-seed<seed>` by default.
        resume: go on with the run that was stopped there.
    """
    started = time.monotonic()
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    task = make_task(settings.goal, EPISODE_STEPS)
    run = create_or_resume_run(folder or Path("runs") / f"demo-seed{settings.seed}", settings, resume=resume)
    say = Console().print
    say(f"A reward from {settings.demonstrations} demonstrations; it reads: {settings.reward_inputs}.")

    data_seed, demo_seed, net_seed, eval_seed = (
        int(s) for s in np.random.SeedSequence(settings.seed).generate_state(4)
    )
    data = task.data(settings.data_episodes, data_seed, settings.workers)
    demonstrations = task.demonstrations(settings.demonstrations, demo_seed)

    torch.manual_seed(net_seed)  # the networks' first weights
    policy = make_policy(data, task, device, settings.seed)
    train_prior(policy, data, settings, run, resume)

    support = check_support(policy, data, demonstrations, max_start=EARLY)
    say(f"The prior covers {support.coverage:.0%} of the demonstrations.")
    # Made once: MuJoCo holds about 12 MB for each environment and frees little of it.
    envs = DummyVectorEnv([task.env_factory] * settings.episodes)
    outcomes = {"unguided": evaluate(policy, task, envs, None, 1, eval_seed)}
    outcomes["oracle"] = evaluate(policy, task, envs, task.oracle(), 16, eval_seed)
    if outcomes["oracle"].stay < 0.8:
        logging.getLogger(__name__).warning(
            "Even the true reward makes the prior stay at the goal in only %.0f %% of episodes: a learned "
            "one cannot do better. Train the prior longer, or on data that rests at goals.",
            100 * outcomes["oracle"].stay,
        )

    reward = make_reward(policy.frames, settings.reward_inputs).to(device)
    irl = DiffusionIRL(
        policy=policy,
        reward=reward,
        optim=AdamOptimizerFactory(lr=5e-3).with_lr_scheduler_factory(
            CosineSchedule(settings.reward_updates, final=0.1)
        ),
        base=data,
        max_start=EARLY,
        seed=settings.seed,
    )
    train_offline(
        irl,
        to_buffer(demonstrations),
        folder=run,
        name="reward",
        n_updates=settings.reward_updates,
        batch_size=64,
        epoch_updates=settings.checkpoint_every,
        resume=resume,
    )
    learned = irl.reward
    assert isinstance(learned, RewardModel)
    learned.save(run / "reward")
    outcomes["guided"] = evaluate(policy, task, envs, learned, 1, eval_seed)
    outcomes["best_of_16"] = evaluate(policy, task, envs, learned, 16, eval_seed)

    quality = reward_quality(learned, task, data, seed=eval_seed)
    results: dict[str, Any] = {
        "seed": settings.seed,
        "seconds": round(time.monotonic() - started, 1),
        "reward_inputs": settings.reward_inputs,
        **{f"{kind}_{name}": getattr(o, kind) for kind in ("stay", "reach") for name, o in outcomes.items()},
        **quality,
        "coverage": support.coverage,
    }
    write_figures(run, policy, learned, task, outcomes, eval_seed)
    write_json(run / "results.json", results)
    print_report(results, run)
    return run


def make_policy(data: EpisodeStore, task: PointMazeTask, device: torch.device, seed: int) -> DiffuserPolicy:
    """A planning policy with an untrained denoiser, for windows as the data has them."""
    frames = TrajectoryLayout.fit(data, HORIZON, STRIDE)
    env = task.env_factory()
    policy = DiffuserPolicy(
        denoiser=build_denoiser("mlp", horizon=HORIZON, dim=frames.dim),
        process=DiffusionProcess(NoiseSchedule(50)),
        frames=frames,
        action_space=env.action_space,
        planner=PlannerSettings(n_candidates=16, n_steps=8),
        execute=4,
        obs_keys=OBS_KEYS,
        device=device,
        seed=seed,
    )
    env.close()
    return policy


def train_prior(
    policy: DiffuserPolicy, data: EpisodeStore, settings: DemoSettings, run: Path, resume: bool
) -> None:
    """Learn what trajectories are possible."""
    optim = TorchOptimizerFactory(torch.optim.AdamW, lr=2e-3, weight_decay=1e-4)
    schedule = CosineSchedule(settings.prior_updates, warm_up=min(200, settings.prior_updates // 2))
    train_offline(
        TrajectoryDiffusion(
            policy=policy, optim=optim.with_lr_scheduler_factory(schedule), seed=settings.seed
        ),
        to_buffer(data),
        folder=run,
        name="prior",
        n_updates=settings.prior_updates,
        batch_size=128,
        epoch_updates=settings.checkpoint_every,
        resume=resume,
    )


def make_reward(frames: TrajectoryLayout, inputs: RewardInputs) -> MLPReward:
    """An untrained reward that reads what it may."""
    return MLPReward(
        RewardSettings(
            obs_dim=frames.obs_dim,
            act_dim=frames.act.dim,
            inputs=("obs", "act") if inputs == "observation-action" else ("obs",),
            obs_index=(0, 1) if inputs == "position" else None,
            obs_keys=OBS_KEYS,
        ),
        frames.normalizer,
    )


def evaluate(
    policy: DiffuserPolicy,
    task: PointMazeTask,
    envs: BaseVectorEnv,
    reward: RewardFn | None,
    n_candidates: int,
    seed: int,
) -> Outcome:
    """Act in the simulator by plans for `reward`, each the best of `n_candidates`."""
    usual = policy.reward, policy.planner
    policy.reward, policy.planner = reward, replace(policy.planner, n_candidates=n_candidates)
    episodes = evaluate_policy(policy, envs, len(envs), seed=seed, env_seed=seed, obs_keys=OBS_KEYS)
    policy.reward, policy.planner = usual
    return Outcome(
        reach=float(task.reached(episodes).mean()),
        stay=float(task.stayed(episodes).mean()),
        episodes=episodes,
    )
