"""TianshouEncodeObservation: step by step the numbers of EncodeObservation, and inside a Collector."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ClosedEnvironmentError
from gymnasium.wrappers import AtariPreprocessing
from noise_env import Forwards, NoiseEnv, assert_close, small_encoder
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, SubprocVectorEnv

from rlpriors.spaces import wrapped_spaces
from rlpriors.wrappers import EncodeObservation
from rlpriors.wrappers.tianshou.encode_observation import TianshouEncodeObservation
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

# From Python 3.12 on, the workers' fork warns where torch has threads; they run no torch here.
forking = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

N = 3


def check_equal(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert sorted(a) == sorted(b)
        for key in a:
            check_equal(a[key], b[key])
    else:
        assert_close(a, b)


class Stay(Policy):
    """Always the same action."""

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        assert batch.obs.dtype == np.float32
        return Batch(act=np.zeros(len(batch.obs), np.int64), state=state)


@pytest.mark.parametrize(
    ("kind", "show", "keep"),
    [
        pytest.param(DummyVectorEnv, "HWC", False, id="dummy"),
        pytest.param(DummyVectorEnv, "HWC", True, id="pixels"),
        pytest.param(DummyVectorEnv, "dict", False, id="dict"),
        pytest.param(SubprocVectorEnv, "dict", False, id="subproc", marks=forking),
    ],
)
def test_any_subset_gets_the_encodings_of_single_environments(kind: Any, show: str, keep: bool) -> None:
    encoder = small_encoder()
    venv = kind([lambda: NoiseEnv(show)] * N)
    venv = TianshouEncodeObservation(venv, encoder, stack=3, fuse="flare", keep_pixels=keep)
    options = {"stack": 3, "fuse": "flare", "keep_pixels": keep}
    singles = [EncodeObservation(NoiseEnv(show), small_encoder(), **options) for _ in range(N)]
    forwards = Forwards(encoder)
    obs, _ = venv.reset(seed=3)
    for i, single in enumerate(singles):
        check_equal(obs[i], single.reset(seed=3)[0])
    rng, ended = np.random.default_rng(0), 0
    for step in range(20):
        ids = rng.permutation(N)[: rng.integers(1, N + 1)]
        forwards.images.clear()
        obs, _, terminated, truncated, infos = venv.step(
            np.zeros(len(ids), np.int64), ids if step % 2 else ids.tolist()
        )
        assert len(forwards.images) == 1
        assert [info["env_id"] for info in infos] == ids.tolist()
        for row, i in enumerate(ids.tolist()):
            expected, _, *done, _ = singles[i].step(0)
            check_equal(obs[row], expected)  # at an end: stacked on the frames that led to it
            assert singles[i].observation_space.contains(obs[row])
            assert [terminated[row], truncated[row]] == done
            if any(done):
                again, _ = venv.reset([i] if step % 2 else i)
                check_equal(again[0], singles[i].reset()[0])
                ended += 1
    assert ended > 3
    venv.close()


def test_environments_that_answer_late() -> None:
    encoder = small_encoder()
    venv = TianshouEncodeObservation(DummyVectorEnv([NoiseEnv] * N, wait_num=2), encoder, stack=2)
    singles = [EncodeObservation(NoiseEnv(), encoder, stack=2) for _ in range(N)]
    venv.reset(seed=3)
    for single in singles:
        single.reset(seed=3)
    obs, _, _, _, infos = venv.step(np.zeros(N, np.int64), np.arange(N))
    answered = {int(info["env_id"]): one for info, one in zip(infos, obs, strict=True)}
    while len(answered) < N:
        obs, _, _, _, infos = venv.step(None)
        answered.update({int(info["env_id"]): one for info, one in zip(infos, obs, strict=True)})
    for i, single in enumerate(singles):
        assert_close(answered[i], single.step(0)[0])


def test_a_collector_stores_encodings() -> None:
    encoder = small_encoder()
    forwards = Forwards(encoder)
    venv = TianshouEncodeObservation(DummyVectorEnv([NoiseEnv] * N), encoder, stack=2)
    buffer = VectorReplayBuffer(90, N)
    collector = Collector(Stay(action_space=NoiseEnv().action_space), venv, buffer)
    collector.reset(gym_reset_kwargs={"seed": 0})
    collector.collect(n_step=60)
    assert len(buffer) == 60
    assert buffer.obs.shape == (90, 1024)
    assert sum(forwards.images) == 60 + N + int(buffer[:].done.sum())  # each frame once
    stored = buffer[:]
    assert stored.done.sum() > 5
    # Each observation begins with the frame that the one before ended with.
    assert_close(stored.obs_next[:, :512], stored.obs[:, 512:])
    starts = np.concatenate([[True], stored.done[:-1]]) | (np.arange(60) % 20 == 0)
    assert_close(stored.obs[starts][:, :512], stored.obs[starts][:, 512:])
    assert not np.allclose(stored.obs[~starts][:, :512], stored.obs[~starts][:, 512:], atol=1e-3)


def test_a_reward_outside_of_it_reads_encodings() -> None:
    def brightness(obs, act, obs_next, terminated):
        return obs_next.mean(1)

    venv = TianshouEncodeObservation(DummyVectorEnv([NoiseEnv] * N), small_encoder())
    assert wrapped_spaces(venv).observation.shape == (512,)
    assert wrapped_spaces(venv).action == gym.spaces.Discrete(2)
    learned = TianshouLearnedReward(venv, brightness, device="cpu")
    learned.reset(seed=0)
    obs, rewards, *_ = learned.step(np.zeros(N, np.int64))
    assert_close(rewards, obs.mean(1))


def test_atari_in_a_collector() -> None:
    ale_py = pytest.importorskip("ale_py", reason="ale_py (the extra `atari`) is not installed")
    gym.register_envs(ale_py)

    def make() -> gym.Env[Any, Any]:
        return AtariPreprocessing(gym.make("PongNoFrameskip-v4"))

    venv = DummyVectorEnv([make] * 2)
    venv = TianshouEncodeObservation(venv, "nature-cnn", weights="none", device="cpu", stack=4)
    buffer = VectorReplayBuffer(20, 2)
    collector = Collector(Stay(action_space=gym.spaces.Discrete(6)), venv, buffer)
    collector.reset()
    collector.collect(n_step=20)
    assert buffer.obs.shape == (20, 2048)
    assert_close(buffer.obs_next[:9, :1536], buffer.obs[:9, 512:])
    collector.close()


def test_closing_lets_go_of_the_encoder() -> None:
    venv = TianshouEncodeObservation(DummyVectorEnv([NoiseEnv] * N), small_encoder())
    venv.reset(seed=0)
    venv.close()
    assert venv.observation_encoder.encoder is None
    with pytest.raises(ClosedEnvironmentError):
        venv.observation_encoder.read(np.arange(N))


def test_what_it_refuses() -> None:
    venv = DummyVectorEnv([lambda: gym.make("CartPole-v1")])
    with pytest.raises(ValueError, match="must hold an image"):
        TianshouEncodeObservation(venv, small_encoder())
    with pytest.raises(TypeError, match="output"):
        TianshouEncodeObservation(DummyVectorEnv([NoiseEnv]), small_encoder(), output="torch")


@pytest.mark.cuda
def test_on_cuda_the_numbers_are_the_same(cuda_device: str) -> None:
    received = []
    for device in ("cpu", cuda_device):
        venv = TianshouEncodeObservation(
            DummyVectorEnv([NoiseEnv] * N), small_encoder(device=device), stack=2
        )
        venv.reset(seed=0)
        received.append(venv.step(np.zeros(N, np.int64))[0])
        assert not torch.is_tensor(received[-1])
    np.testing.assert_allclose(*received, rtol=1e-2, atol=1e-3)
