"""Command `rlpriors demo`: data, prior, reward and evaluation in a U-shaped maze.

`demo`         the command
`make_policy`  a planning policy with an untrained prior

The demonstrations go to a hidden goal.  `DiffusionIRL` learns a reward from them and from a diffusion model
of trajectories in the maze.  Planning by this reward in the simulator reaches the goal and stays there.

Prior, reward and report are the stages of `rlpriors learn-reward`, with other values: windows of a given
length, more updates of the prior, and a reward in the scale of its loss.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
from rlpriors.data.episodes import EpisodeStore
from rlpriors.device import resolve_device
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.envs.maze.point_maze import OBS_KEYS, PointMazeTask, make_task
from rlpriors.evaluation.rewards.verdict import verdict_line
from rlpriors.networks import build_denoiser
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.demo.figures import pictures_of, write_figures
from rlpriors.scripts.demo.report import Outcome, print_report, reward_quality, usage_of_reward
from rlpriors.scripts.demo.settings import DemoSettings, RewardInputs
from rlpriors.scripts.origin import describe_data, record_origin
from rlpriors.training.reward_learning.choices import WindowChoice, describe_choices
from rlpriors.training.reward_learning.demonstration_pipeline import (
    EpisodeSets,
    prior_for_demonstrations,
    reward_from_demonstrations,
)
from rlpriors.training.reward_learning.report import report_text, write_report
from rlpriors.training.rollout import evaluate_policy
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker
from rlpriors.types import RewardFn

__all__ = ["demo", "make_policy"]

HORIZON, STRIDE = 32, 4
WINDOW = WindowChoice(HORIZON, STRIDE, f"{HORIZON * STRIDE} steps, longer than a way across the maze")
MAX_EPISODE_STEPS = 300
MAIN_RESULTS = ("stay_best_of_16", "stay_guided", "stay_oracle", "spearman", "epic", "coverage")
"""Numbers in TensorBoard's tab "HParams"."""


def demo(
    settings: DemoSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tracker: Sequence[Tracker] = ("tensorboard",),
) -> Path:
    """Run the demo and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/demo-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.
    """
    started = time.monotonic()
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    task = make_task(settings.goal, MAX_EPISODE_STEPS)
    run = create_or_resume_run(folder or Path("runs") / f"demo-seed{settings.seed}", settings, resume=resume)
    tracking = RunTracker(run, tracker)
    tracking.overview(settings, "demo")
    say = partial(Console(highlight=False, markup=False, soft_wrap=True).print)
    say(f"A reward from {settings.demonstrations} demonstrations; it reads: {settings.reward_inputs}.")
    say("Stages: those of `rlpriors learn-reward`. The maze's own: data, true distance, plans.")

    data_seed, demo_seed, net_seed, eval_seed = (
        int(s) for s in np.random.SeedSequence(settings.seed).generate_state(4)
    )
    # The held-out episodes come last: those of the training do not depend on them.
    n_data, n_shown = settings.data_episodes, settings.demonstrations
    every = task.data(n_data + max(2, n_data // 20), data_seed, settings.n_workers)
    recorded = task.demonstrations(n_shown + settings.held_out, demo_seed)
    sets = EpisodeSets(
        recorded,
        every,
        shown=recorded.subset(range(n_shown)),
        held_out=recorded.subset(range(n_shown, recorded.n_episodes)),
        known=every.subset(range(n_data)),
        other=every.subset(range(n_data, every.n_episodes)),
    )
    torch.manual_seed(net_seed)  # initial weights of both networks
    untrained = make_policy(sets.known, task, device, settings.seed)
    reward = make_reward(untrained.layout, settings.reward_inputs).to(device)
    choices = describe_choices(
        WINDOW,
        (sets.shown, sets.held_out),
        (sets.known, sets.other),
        source="a scripted walk",
        reference=None,
        absorbing=False,
    )
    training: dict[str, Any] = {
        "folder": run,
        "checkpoint_every": settings.checkpoint_every,
        "seed": settings.seed,
        "eval_seed": eval_seed,
        "resume": resume,
        "tracker": tracking,
    }
    prior = prior_for_demonstrations(
        sets, WINDOW, untrained=untrained, n_updates=settings.prior_updates, say=say, **training
    )
    policy = prior.policy
    say(f"The prior covers {prior.coverage:.0%} of the demonstrations.")
    # Made once: MuJoCo holds about 12 MB for each environment and frees little of it.
    envs = DummyVectorEnv([task.env_factory] * settings.n_episodes)
    outcomes = {"unguided": evaluate(policy, task, envs, None, 1, eval_seed)}
    outcomes["oracle"] = evaluate(policy, task, envs, task.oracle(), 16, eval_seed)
    if outcomes["oracle"].stay < 0.8:
        logging.getLogger(__name__).warning(
            "Plans by the true reward stay at the goal in only %.0f %% of episodes, and a learned reward is "
            "no better. Train the prior longer, or on data that rests at goals.",
            100 * outcomes["oracle"].stay,
        )

    learned = reward_from_demonstrations(
        policy,
        sets,
        untrained=reward,
        standardize=False,  # the guidance of plans is scaled for the reward's loss
        inputs="observation-action" if settings.reward_inputs == "observation-action" else "observation",
        obs_index=reward.settings.obs_index,
        n_updates=settings.reward_updates,
        agreement_updates=settings.agreement_updates,
        pictures=partial(
            pictures_of,
            policy=policy,
            task=task,
            folder=run / "figures",
            length=settings.reward_updates,
            seed=eval_seed,
        ),
        **training,
    )
    outcomes["guided"] = evaluate(policy, task, envs, learned.reward, 1, eval_seed)
    outcomes["best_of_16"] = evaluate(policy, task, envs, learned.reward, 16, eval_seed)

    quality = reward_quality(learned.reward, task, sets.known, seed=eval_seed)
    findings = *prior.findings, *learned.findings
    text = report_text("Reward of the demo", findings, choices, usage_of_reward(run), list(learned.figures))
    write_report(run, text, learned.figures, tracking)
    level, sentence = verdict_line(findings)
    results: dict[str, Any] = {
        "seed": settings.seed,
        "seconds": round(time.monotonic() - started, 1),
        "reward_inputs": settings.reward_inputs,
        **{f"{kind}_{name}": getattr(o, kind) for kind in ("stay", "reach") for name, o in outcomes.items()},
        **quality,
        "coverage": prior.coverage,
        "verdict": level,
        "findings": {finding.name: finding.value for finding in findings},
    }
    write_figures(run, policy, learned.reward, task, outcomes, eval_seed, tracking)
    write_json(run / "results.json", results)
    record_origin(
        "demo",
        settings,
        {run / "reward": results, run / "prior": {"coverage": prior.coverage}},
        env=task.env_id,
        data={
            "demonstrations": describe_data("scripted expert", sets.shown),
            "data": describe_data("scripted walks", sets.known),
        },
    )
    tracking.results(settings, results, MAIN_RESULTS)
    tracking.close()
    print_report(results, run, sentence)
    return run


def make_policy(data: EpisodeStore, task: PointMazeTask, device: torch.device, seed: int) -> DiffuserPolicy:
    """Return a planning policy with an untrained denoiser, for windows of `data`."""
    layout = TrajectoryLayout.fit(data, HORIZON, STRIDE)
    env = task.env_factory()
    policy = DiffuserPolicy(
        denoiser=build_denoiser("mlp", horizon=HORIZON, dim=layout.dim),
        process=DiffusionProcess(NoiseSchedule(50)),
        layout=layout,
        action_space=env.action_space,
        planner=PlannerSettings(n_candidates=16, n_steps=8),
        execution_horizon=4,
        obs_keys=OBS_KEYS,
        device=device,
        seed=seed,
    )
    env.close()
    return policy


def make_reward(layout: TrajectoryLayout, inputs: RewardInputs) -> MLPReward:
    """Return an untrained reward of the chosen inputs."""
    return MLPReward(
        RewardSettings(
            obs_dim=layout.obs_dim,
            act_dim=layout.act.dim,
            inputs=("obs", "act") if inputs == "observation-action" else ("obs",),
            obs_index=(0, 1) if inputs == "position" else None,
            obs_keys=OBS_KEYS,
        ),
        layout.normalizer,
    )


def evaluate(
    policy: DiffuserPolicy,
    task: PointMazeTask,
    envs: BaseVectorEnv,
    reward: RewardFn | None,
    n_candidates: int,
    seed: int,
) -> Outcome:
    """Evaluate plans for `reward` in the simulator, each the best of `n_candidates`."""
    saved = policy.reward, policy.planner
    policy.reward, policy.planner = reward, replace(policy.planner, n_candidates=n_candidates)
    episodes = evaluate_policy(policy, envs, len(envs), seed=seed, env_seed=seed, obs_keys=OBS_KEYS)
    policy.reward, policy.planner = saved
    return Outcome(
        reach=float(task.reached(episodes).mean()),
        stay=float(task.stayed(episodes).mean()),
        episodes=episodes,
    )
