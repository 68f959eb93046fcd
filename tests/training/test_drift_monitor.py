"""Drift of real trainings, on a reward that pays for going past the demonstrations and on a good one."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from line_env import TWO, Line
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.checkpoint import CheckpointError
from rlpriors.data import Episode, EpisodeStore
from rlpriors.evaluation.rollouts.demonstration_distance import DemonstrationDistance
from rlpriors.training.drift_monitor import DriftMonitor
from rlpriors.training.online import OnlineSettings, train_online

SETTINGS = OnlineSettings(
    env_steps=1600, n_envs=4, random_steps=160, collect_steps=8, update_per_step=0.5, checkpoint_every=800
)


def demonstrations() -> EpisodeStore:
    """Episodes that go right to 0.5 and stay around it."""
    episodes = []
    for start in (-0.15, 0.0, 0.15):
        x, path, acts = start, [start], []
        for _ in range(10):
            acts.append(int(x < 0.5))
            x += 0.4 * acts[-1] - 0.2
            path.append(x)
        episodes.append(Episode(np.array(path)[:, None], np.array(acts), *np.zeros((3, 10))))
    return EpisodeStore.from_episodes(episodes, action_space=TWO)


def past_the_goal(obs, act, obs_next, terminated):
    return obs_next[:, 0]


def near_the_goal(obs, act, obs_next, terminated):
    return -(obs_next[:, 0] - 0.5).abs()


def make_monitor() -> DriftMonitor:
    return DriftMonitor(DemonstrationDistance(demonstrations(), demonstrations()))


def train(reward, folder=None, monitor=None, *, resume=False, settings=SETTINGS) -> DriftMonitor:
    monitor = make_monitor() if monitor is None else monitor
    env = Line(TWO)
    algorithm = make_algorithm(
        env.observation_space,
        TWO,
        AlgorithmSettings("dqn", hidden=(32,), lr=3e-3, gamma=0.9),
        device="cpu",
        seed=0,
    )
    train_online(
        algorithm,
        lambda: Line(TWO),
        reward=reward,
        folder=folder,
        settings=settings,
        resume=resume,
        progress=False,
        monitor=monitor,
    )
    return monitor


def test_a_policy_that_exploits_its_reward_is_found(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        monitor = train(past_the_goal, tmp_path)
    finding = monitor.finding()
    assert finding.level == "bad"
    assert [r.getMessage() for r in caplog.records if "moves away from the demonstrations" in r.getMessage()]
    assert monitor.distances[-20:].mean() > 1.5 * monitor.distances[:20].mean()
    events = EventAccumulator(str(tmp_path / "tensorboard/policy")).Reload()
    curve = [event.value for event in events.Scalars("diagnostics/demonstration_distance")]
    assert np.mean(curve) > 1.5 * monitor.distances[:20].mean()  # which are random, and not in the curve


def test_a_policy_that_follows_the_demonstrations_is_not(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        monitor = train(near_the_goal, tmp_path)
    assert monitor.finding().level == "good"
    assert monitor.finding().value == "none"
    assert not caplog.records
    assert monitor.learned_returns[-20:].mean() > monitor.learned_returns[:20].mean()
    assert monitor.distances[-20:].mean() < monitor.distances[:20].mean()


def test_a_resumed_run_has_the_episodes_from_before(tmp_path):
    first = train(past_the_goal, tmp_path, settings=replace(SETTINGS, env_steps=800))
    resumed = train(past_the_goal, tmp_path, resume=True)
    n = len(first.distances)
    assert len(resumed.distances) == pytest.approx(2 * n, abs=8)
    np.testing.assert_array_equal(resumed.distances[:n], first.distances)
    np.testing.assert_array_equal(resumed.learned_returns[:n], first.learned_returns)
    assert resumed.finding().level == "bad"


def test_states_of_other_forms():
    monitor = make_monitor()
    monitor.add(1.0, 2.0)
    monitor.load_state({})  # of an earlier version
    assert monitor.distances.shape == (0,)
    with pytest.raises(CheckpointError, match="must be two columns"):
        monitor.load_state({"episodes": torch.zeros(3, 2)})
