"""Recording of expert and replay data: selection of episodes, files and resumption."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from benchmarks.irl.record_locomotion import medium_replay, record
from benchmarks.irl.sac_recorder import RecordSettings, SACRecorder

from rlpriors.data import EpisodeStore

pytest.importorskip("mujoco", reason="needs the `maze` extra")

TINY = RecordSettings(
    "Hopper-v5",
    env_steps=150,
    random_steps=50,
    evaluation_interval=50,
    hidden=(8,),
    batch_size=8,
    test_episodes=1,
    expert_episodes=2,
    replay_steps=60,
    update_per_step=0.1,
)


def store(*lengths: int, whole: bool = True) -> EpisodeStore:
    """Episodes whose actions are their numbers."""
    ends = np.cumsum(lengths) - 1
    terminated = np.zeros(sum(lengths), bool)
    terminated[ends] = True
    terminated[-1] = whole
    return EpisodeStore(
        obs=np.zeros((sum(lengths) + len(lengths), 1)),
        act=np.repeat(np.arange(len(lengths)), lengths).astype(float),
        rew=np.ones(sum(lengths)),
        terminated=terminated,
        truncated=np.zeros(sum(lengths), bool),
        lengths=np.array(lengths),
    )


def kept(replay: EpisodeStore) -> list[int]:
    return [int(replay.episode(i).act[0]) for i in range(replay.n_episodes)]


def test_the_replay_ends_where_it_became_good() -> None:
    experience = store(3, 3, 3, 3, whole=False)
    assert kept(medium_replay(experience, until=9, n_steps=100)) == [0, 1, 2]
    assert kept(medium_replay(experience, until=8, n_steps=100)) == [0, 1]
    assert kept(medium_replay(experience, until=12, n_steps=100)) == [0, 1, 2]  # the last did not end
    with pytest.raises(ValueError, match=r"`until` must be at least 3, .* Received 2\."):
        medium_replay(experience, until=2, n_steps=100)


def test_the_replay_is_thinned_evenly() -> None:
    assert kept(medium_replay(store(*[10] * 8), until=80, n_steps=40)) == [1, 3, 5, 7]
    assert kept(medium_replay(store(*[10] * 8), until=80, n_steps=20)) == [3, 7]
    experience = store(*[int(n) for n in np.random.default_rng(0).integers(1, 60, 400)])
    replay = medium_replay(experience, experience.n_steps, 3000)
    assert abs(replay.n_steps - 3000) < 300
    quarters = np.histogram(kept(replay), bins=4, range=(0, 400))[0]
    assert quarters.max() - quarters.min() <= 1
    with pytest.raises(ValueError, match=r"`n_steps` must be at least 11, for one of 2 episodes. Received 4"):
        medium_replay(store(10, 10), until=20, n_steps=4)


def test_a_run_leaves_two_files_and_how_they_came_about(tmp_path) -> None:
    path = record(TINY, output=tmp_path / "data", folder=tmp_path / "run")
    about = json.loads(path.read_text())
    assert (path.name, about["env_steps"]) == ("hopper-v5.json", 150)
    assert [steps for steps, _ in about["evaluations"]] == [50, 100, 150]
    for name in ("expert", "replay"):
        file = tmp_path / "data" / f"hopper-v5-{name}.safetensors"
        episodes = EpisodeStore.load(file)
        assert about["bytes"][name] == file.stat().st_size
        assert (episodes.n_episodes, episodes.n_steps) == (about[name]["episodes"], about[name]["steps"])
        assert (episodes.obs.shape[1:], episodes.act.shape[1:]) == ((11,), (3,))
        assert np.abs(episodes.act).max() <= 1
        last = episodes.step_starts + episodes.lengths - 1
        assert (episodes.terminated | episodes.truncated)[last].all()
        returns = np.add.reduceat(episodes.rew, episodes.step_starts)
        assert returns.mean() == pytest.approx(about[name]["return_mean"], abs=0.06)
    assert about["expert"]["episodes"] == 2
    assert np.mean(about["expert"]["return_of_each"]) == pytest.approx(
        about["expert"]["return_mean"], abs=0.1
    )


def test_a_stopped_run_goes_on(tmp_path, monkeypatch) -> None:
    learn, calls = SACRecorder.learn, []

    def stop(self: SACRecorder, n_steps: int) -> None:
        calls.append(self.steps)
        if len(calls) == 3:
            raise KeyboardInterrupt
        learn(self, n_steps)

    monkeypatch.setattr(SACRecorder, "learn", stop)
    with pytest.raises(KeyboardInterrupt):
        record(TINY, output=tmp_path / "data", folder=tmp_path / "run")
    path = record(TINY, output=tmp_path / "data", folder=tmp_path / "run", resume=True)
    assert calls == [0, 50, 100, 100]
    assert [steps for steps, _ in json.loads(path.read_text())["evaluations"]] == [50, 100, 150]
    with pytest.raises(ValueError, match="was started with"):
        record(replace(TINY, lr=1.0), output=tmp_path, folder=tmp_path / "run", resume=True)


def test_what_is_taken_up_is_what_was_left() -> None:
    def make() -> SACRecorder:
        return SACRecorder(TINY, partial(gym.make, TINY.env))

    old, new = make(), make()
    old.learn(50)
    old.learn(50)
    new.restore(old.state())
    assert (new.steps, new.curve, new.seconds) == (100, old.curve, old.seconds)
    assert new.alpha.value == old.alpha.value != 1.0
    for left, right in zip(old.sac.parameters(), new.sac.parameters(), strict=True):
        assert torch.equal(left, right)
    assert len(new.buffer) == 100
    for name in ("obs", "act", "rew", "terminated", "done", "obs_next"):
        np.testing.assert_array_equal(old.buffer._meta[name][:100], new.buffer._meta[name][:100])
    new.learn(50)
    assert len(new.buffer) == 150


def test_the_time_limit_stops_a_run(tmp_path) -> None:
    path = record(replace(TINY, minutes=1e-6), output=tmp_path, folder=tmp_path / "run")
    assert json.loads(path.read_text())["env_steps"] == 50


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"evaluation_interval": 70}, "must be a multiple of 50 and divide `env_steps`. Received 70 and 150"),
        ({"env_steps": 120}, "Received 50 and 120"),
        ({"medium": 0.0}, r"`medium` must be in \(0, 1\]. Received 0.0"),
        ({"lr": 0.0}, "`lr` must be above 0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received 0"),
        ({"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_settings_are_checked(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **wrong)


# ---------------------------------------------------------------- the recorded files

DATA = Path(__file__).parents[3] / "benchmarks" / "data"


@pytest.mark.parametrize("about", sorted(DATA.glob("*-v5.json")), ids=lambda path: path.stem)
def test_recorded_files_hold_what_is_said_of_them(about) -> None:
    summary = json.loads(about.read_text())
    for name in ("expert", "replay"):
        episodes = EpisodeStore.load(DATA / f"{about.stem}-{name}.safetensors")
        assert (episodes.n_episodes, episodes.n_steps) == (summary[name]["episodes"], summary[name]["steps"])
        returns = np.add.reduceat(episodes.rew, episodes.step_starts)
        assert returns.mean() == pytest.approx(summary[name]["return_mean"], abs=1)
        assert np.abs(episodes.act).max() <= 1
    assert summary["replay"]["return_mean"] < 0.5 * summary["expert"]["return_mean"]
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 6e6
