"""TianshouLearnedReward: step by step the numbers of LearnedReward, and inside a Collector."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, SubprocVectorEnv, VectorEnvNormObs
from walk_env import CountingReward, WalkEnv

from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.wrappers import LearnedReward
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

# From Python 3.12 on, the workers' fork warns where torch has threads; they run no torch here.
forking = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

N = 3


class Constant(Policy):
    """Always drifts the same way."""

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        return Batch(act=np.full((len(batch.obs), 2), 0.5, np.float32), state=state)


@pytest.mark.parametrize(
    ("make", "keys"),
    [
        pytest.param(lambda: DummyVectorEnv([WalkEnv] * N), None, id="dummy"),
        pytest.param(lambda: SubprocVectorEnv([WalkEnv] * N), None, id="subproc", marks=forking),
        pytest.param(lambda: DummyVectorEnv([lambda: WalkEnv(as_dict=True)] * N), ("xy", "far"), id="dict"),
    ],
)
def test_any_subset_gets_the_numbers_of_single_environments(make, keys) -> None:
    counted = CountingReward()
    venv = TianshouLearnedReward(make(), counted, device="cpu", scale=0.5, obs_keys=keys)
    singles = [
        LearnedReward(
            WalkEnv(as_dict=keys is not None), CountingReward(), device="cpu", scale=0.5, obs_keys=keys
        )
        for _ in range(N)
    ]
    _, infos = venv.reset(seed=3)
    assert [info["env_reward"] for info in infos] == [0.0] * N
    for single in singles:
        single.reset(seed=3)
    rng, ended = np.random.default_rng(0), 0
    for step in range(60):
        ids = rng.permutation(N)[: rng.integers(1, N + 1)]
        actions = rng.uniform(-1, 1, (len(ids), 2)).astype(np.float32)
        _, rewards, terminated, truncated, infos = venv.step(actions, ids if step % 2 else ids.tolist())
        assert counted.batches.pop() == len(ids)
        assert not counted.batches  # one call a step
        assert [info["env_id"] for info in infos] == ids.tolist()
        for row, i in enumerate(ids.tolist()):
            _, expected, *done, info = singles[i].step(actions[row])
            assert rewards[row] == pytest.approx(expected, rel=1e-5)
            assert infos[row]["env_reward"] == info["env_reward"]
            assert [terminated[row], truncated[row]] == done
            if any(done):
                singles[i].reset()
                venv.reset([i] if step % 2 else i)
                ended += 1
    assert ended > 5
    venv.close()


def test_environments_that_answer_late() -> None:
    # With wait_num, steps come back when they are ready and not with the actions of this call.
    counted = CountingReward()
    venv = TianshouLearnedReward(DummyVectorEnv([WalkEnv] * N, wait_num=2), counted, device="cpu")
    singles = [LearnedReward(WalkEnv(), CountingReward(), device="cpu") for _ in range(N)]
    venv.reset(seed=3)
    for single in singles:
        single.reset(seed=3)
    sent = np.arange(2 * N, dtype=np.float32).reshape(N, 2) / 10
    _, rewards, _, _, infos = venv.step(sent, np.arange(N))
    answered = {int(info["env_id"]): reward for info, reward in zip(infos, rewards, strict=True)}
    while len(answered) < N:
        _, rewards, _, _, infos = venv.step(None)
        answered.update({int(info["env_id"]): reward for info, reward in zip(infos, rewards, strict=True)})
    for i, single in enumerate(singles):
        assert answered[i] == pytest.approx(single.step(sent[i])[1], rel=1e-5)


def test_a_collector_stores_the_learned_reward_and_keeps_the_true_one() -> None:
    counted = CountingReward()
    venv = TianshouLearnedReward(DummyVectorEnv([WalkEnv] * N), counted, device="cpu")
    buffer = VectorReplayBuffer(300, N)
    policy = Constant(action_space=WalkEnv().action_space)
    collector = Collector(policy, venv, buffer)
    collector.reset()
    collector.collect(n_step=120)
    assert len(buffer) == 120
    assert len(counted.batches) == 40
    stored = buffer[:]
    obs, act, later = (
        torch.as_tensor(x, dtype=torch.float32) for x in (stored.obs, stored.act, stored.obs_next)
    )
    expected = CountingReward()(obs, act, later, torch.as_tensor(stored.terminated))
    np.testing.assert_allclose(stored.rew, expected, rtol=1e-5)
    np.testing.assert_allclose(stored.info.env_reward, stored.obs_next[:, 0])  # the reward of WalkEnv
    # At an end obs_next is the true last observation: far out where it was terminated.
    assert stored.terminated.sum() > 5
    assert (np.abs(stored.obs_next[stored.terminated]).max(1) > 3).all()


def test_spaces_are_those_of_the_wrapped_environments(tmp_path: Path) -> None:
    # DummyVectorEnv.observation_space is that of the unwrapped environment: a Dict.
    def flat() -> gym.Env:
        return gym.wrappers.FlattenObservation(WalkEnv(as_dict=True))

    folder = MLPReward(RewardSettings(4, 2)).save(tmp_path)
    venv = TianshouLearnedReward(VectorEnvNormObs(DummyVectorEnv([flat] * 2)), folder, device="cpu")
    venv.reset(seed=0)
    assert venv.step(np.zeros((2, 2), np.float32))[1].shape == (2,)


def test_discrete_actions_as_arrays_or_tensors() -> None:
    received = []

    def look(obs, act, obs_next, terminated):
        received.append(act.tolist())
        return torch.zeros(len(act))

    venv = TianshouLearnedReward(DummyVectorEnv([lambda: gym.make("CartPole-v1")] * 2), look, device="cpu")
    venv.reset(seed=0)
    venv.step(np.array([1, 0]))
    venv.step(np.array([1]), id=1)
    assert received == [[[1.0], [0.0]], [[1.0]]]
    assert venv.reward_adapter.read_actions(torch.tensor([1, 0])).tolist() == [[1.0], [0.0]]


def test_a_reward_that_does_not_fit_is_noticed_at_once(tmp_path: Path) -> None:
    folder = MLPReward(RewardSettings(3, 2)).save(tmp_path)
    venv = DummyVectorEnv([lambda: WalkEnv(as_dict=True)])
    with pytest.raises(ValueError, match=r"order of the observation leaves \('far' \(2,\), 'xy'"):
        TianshouLearnedReward(venv, folder, device="cpu")


def test_a_step_before_the_reset_is_refused() -> None:
    venv = TianshouLearnedReward(DummyVectorEnv([WalkEnv] * N), CountingReward(), device="cpu")
    venv.reset(1, seed=0)
    with pytest.raises(
        ResetNeeded, match=r"Call `reset` before `step`: environments \[0, 2\] have no current observation"
    ):
        venv.step(np.zeros((N, 2)))
