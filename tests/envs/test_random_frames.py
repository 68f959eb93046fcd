"""Frames of environments under random actions: episodes, actions, image sizes and seeds."""

import gymnasium as gym
import numpy as np
import pytest
from dial_env import Dial

from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.random_frames import PRETRAINING_SEED_OFFSET, collect_random_frames


@pytest.fixture
def dials(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spaces = {"Dial-v0": gym.spaces.Discrete(3, start=2), "DialBox-v0": gym.spaces.Box(-1, 1, (2, 2))}
    spaces["DialPair-v0"] = gym.spaces.MultiBinary(2)
    for name, space in spaces.items():
        gym.register(name, Dial, kwargs={"action_space": space})
    yield
    for name in spaces:
        del gym.registry[name]


@pytest.mark.parametrize(
    ("env", "act"), [("Dial-v0", (np.int64, ())), ("DialBox-v0", (np.float32, (4,))), ("DialPair-v0", None)]
)
def test_collected_frames_hold_episodes_and_actions(dials, tmp_path, env, act):
    def collect() -> FrameStore:
        return collect_random_frames(env, 12, tmp_path / "store", seed=10_000, image_size=(10, 12))

    store = collect()
    assert store.lengths.tolist() == [6, 6, 3]  # five steps have six frames
    assert np.flatnonzero(store.arrays["terminated"]).tolist() == [4, 10]
    assert np.flatnonzero(store.arrays["truncated"]).tolist() == [13]
    if act is None:
        assert "act" not in store.arrays
    else:
        assert (store.arrays["act"].dtype, store.arrays["act"].shape[1:]) == act
        assert store.arrays["act"].min() < store.arrays["act"].max()
        assert act[1] or set(store.arrays["act"].tolist()) <= {0, 1, 2}  # choices begin at 0
    assert np.array_equal(collect().frames, store.frames)


class Seen(Dial):
    """Shows the dial among other things, and draws nothing."""

    observation_space = gym.spaces.Dict(
        {"camera": gym.spaces.Box(0, 255, (20, 24, 3), np.uint8), "dial": gym.spaces.Box(-1, 1, (2,))}
    )

    def __init__(self) -> None:
        super().__init__(gym.spaces.Discrete(2))

    def reset(self, *, seed=None, options=None):
        dial, info = super().reset(seed=seed)
        return {"camera": Dial.render(self), "dial": dial}, info

    def step(self, action):
        dial, *rest = super().step(action)
        return {"camera": Dial.render(self), "dial": dial}, *rest

    def render(self):
        raise AssertionError("nobody need draw")


def test_an_image_among_observations_is_not_rendered(dials, tmp_path):
    gym.register("Seen-v0", Seen)
    store = collect_random_frames("Seen-v0", 3, tmp_path / "store", seed=0, image_size=(8, 8))
    del gym.registry["Seen-v0"]
    assert store.frames.shape == (4, 20, 24, 3)
    assert store.frames[:, 19, 0, 0].tolist() == [0, 40, 80, 120]


def test_atari_is_collected_in_the_encoders_colors(tmp_path):
    pytest.importorskip("ale_py")
    store = collect_random_frames(
        "ALE/Pong-v5", 16, tmp_path / "store", seed=0, image_size=(42, 36), gray=True
    )
    assert store.frames.shape[1:] == (42, 36, 1)
    assert "ram" in store.arrays


def test_no_encoder_learns_from_the_episodes_that_it_is_probed_on(tmp_path):
    pytest.importorskip("ale_py")
    seed = 0
    pretraining = {"seed": seed + PRETRAINING_SEED_OFFSET, "image_size": (210, 160), "gray": True}
    learned = collect_random_frames("ALE/Pong-v5", 64, tmp_path / "pretrain", **pretraining)
    play = AtariSettings(n_envs=8)
    probed = collect_atari("pong", 64, seed, tmp_path / "probe", play, progress=False)
    assert not np.array_equal(learned.arrays["act"], probed.arrays["act"])
