"""Verdict on one reward.

`Cell`      environment, seed and way to spoil
`run_cell`  verdict, and the checks that are not good
"""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from benchmarks.own_data.cells import Task, learn
from benchmarks.own_data.demonstrations import record
from benchmarks.verdicts.spoil import SPOILS, Spoil
from rlpriors.agents import load_prior
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.random_data import collect_random
from rlpriors.evaluation.rewards.verdict import Finding
from rlpriors.rewards import load_reward
from rlpriors.scripts.learn_reward.settings import LearnRewardSettings
from rlpriors.scripts.train_policy.run import train_policy
from rlpriors.scripts.train_policy.settings import TrainPolicySettings
from rlpriors.training.reward_learning.choices import split
from rlpriors.training.reward_learning.evaluation import check_demonstrations, evaluate_reward
from rlpriors.training.reward_learning.policy_stage import DemonstrationSets, load_demonstrations
from rlpriors.training.run_folder import write_json

__all__ = ["Cell", "run_cell"]

FILE = "verdict.json"
N_QUIET = 20_000
BEFORE = ("range", "dynamics", "scale", "lengths", "demonstrations", "coverage")
"""Checks that do not depend on the learned reward."""


class Cell(NamedTuple):
    """Environment, seed and way to spoil."""

    env: str
    seed: int
    spoil: str
    """Key of `SPOILS`; empty for a reward that is not spoiled."""


def run_cell(task: Task, cell: Cell, good: Path, folder: Path) -> dict[str, Any]:
    """Return the verdict of a spoiled cell, its stage and the level of each check.

    A cell ends before the training if a check of the demonstrations is bad.  A spoiled reward takes the place
    of the reward in the folder of a good run; its agreement with rewards of halves and seeds is not computed.

    Args:
        task: environment and expert.
        cell: the cell.
        good: folder of the cell of `benchmarks.own_data` with the same environment and seed.
        folder: folder of the cell; a cell that was stopped starts again.
    """
    file = folder / FILE
    if file.exists():
        return dict(json.loads(file.read_text()))
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    spoil = SPOILS[cell.spoil]
    run = partial(_spoil_reward, good=good) if spoil.reward is not None else _spoil_inputs
    content = run(task, cell, spoil, folder)
    write_json(file, content)
    return content


def _spoil_inputs(task: Task, cell: Cell, spoil: Spoil, folder: Path) -> dict[str, Any]:
    demos = folder / "demos.npz"
    record(demos, task.make(), task.act, 20, seed=1000 * cell.seed)
    if spoil.demonstrations is not None:
        arrays: dict[str, Any] = spoil.demonstrations(dict(np.load(demos)))
        np.savez(demos, **arrays)
    arguments = spoil.arguments
    if spoil.quiet_data:
        _record_quiet(folder / "quiet.safetensors", task, cell.seed)
        arguments = (*arguments, "--data", str(folder / "quiet.safetensors"))
    settings = LearnRewardSettings(env=task.env_id, demos=str(demos), seed=cell.seed)
    seed = int(np.random.SeedSequence(cell.seed).generate_state(5)[0]) % 2**31  # as the command
    source = str(folder / "quiet.safetensors") if spoil.quiet_data else settings.collect
    stores = (settings.read(flag, name, seed) for flag, name in (("--demos", str(demos)), ("--data", source)))
    levels = _levels(check_demonstrations(*stores))
    if "bad" in levels.values():
        return {"stage": "demonstrations", "levels": levels}
    run, _, _ = learn(task.env_id, demos, cell.seed, folder / "run", *arguments)
    return {"stage": "all", "levels": json.loads((run / "results.json").read_text())["levels"]}


def _spoil_reward(task: Task, cell: Cell, spoil: Spoil, folder: Path, *, good: Path) -> dict[str, Any]:
    assert spoil.reward is not None
    run = good / "run"
    sets = load_demonstrations(run / "reward")
    assert sets is not None
    assert sets.held_out is not None
    data = EpisodeStore.load(run / "data.safetensors")
    seeds = [int(s) % 2**31 for s in np.random.SeedSequence(cell.seed).generate_state(5)]
    known, other = split(data, LearnRewardSettings.held_out / 2, seeds[2])
    assert other is not None
    reward = spoil.reward(load_reward(run / "reward", "cpu"), sets.shown, known)
    DemonstrationSets(*sets).save(folder)
    path = reward.save(folder / "reward")
    layout = load_prior(run / "prior", device="cpu").layout
    length = layout.horizon * layout.stride
    findings = evaluate_reward(reward, sets.held_out, other, length=length, seed=seeds[4]).findings
    settings = TrainPolicySettings(reward=path, env=task.env_id, seed=cell.seed, device="cpu", n_episodes=30)
    policy = train_policy(settings, folder=folder / "policy")
    earlier = json.loads((run / "results.json").read_text())["levels"]
    levels = {name: level for name, level in earlier.items() if name in BEFORE} | _levels(findings)
    trained = json.loads((policy / "results.json").read_text())["levels"]
    return {"stage": "all", "levels": levels | trained}


def _record_quiet(path: Path, task: Task, seed: int) -> None:
    """Write episodes in which an agent hardly acts: small actions, or one action in each episode."""
    data = collect_random(lambda: _Quiet(task.make()), N_QUIET, seed=seed, progress=False)
    EpisodeStore.from_episodes(
        (data.episode(number) for number in range(data.n_episodes)), action_space=task.make().action_space
    ).save(path)


class _Quiet(gym.Wrapper[Any, Any, Any, Any]):
    """Environment with a tenth of the actions, or with the first action only."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        space = env.action_space
        if isinstance(space, gym.spaces.Box):
            self.action_space = gym.spaces.Box(space.low / 10, space.high / 10, dtype=np.float32)
        else:
            self.action_space = gym.spaces.Discrete(1)


def _levels(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {finding.name: finding.level for finding in findings}
