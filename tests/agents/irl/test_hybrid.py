"""Hybrid training: the agent's rollouts become negatives, its rewards move, and a stopped run resumes."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.data import Batch, VectorReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors.agents import AlgorithmSettings, DiffusionIRL, HybridIRL, HybridIRLOnPolicy, HybridSettings
from rlpriors.agents import make_algorithm as make_agent
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import from_buffer

BOX = gym.spaces.Box(-1, 1, (1,))
SHORT = HybridSettings(update_interval=2, n_reward_updates=3, batch_size=8)


def filled_buffer(steps: int = 20, value: float = 0.3) -> VectorReplayBuffer:
    """Return a buffer of two environments whose agent stays at `value`."""
    buffer = VectorReplayBuffer(200, 2)
    for t in range(steps):
        step = {
            "obs": np.full((2, 1), value, np.float32),
            "act": np.zeros((2, 1), np.float32),
            "rew": np.zeros(2),
            "terminated": np.zeros(2, bool),
            "truncated": np.full(2, t == steps - 1),
            "obs_next": np.full((2, 1), value, np.float32),
        }
        buffer.add(Batch(**step), buffer_ids=[0, 1])
    return buffer


@pytest.fixture
def hybrid(walks, make_algorithm):
    """Hybrid training on a line, with demonstrations that go to the right."""

    def make(name: str = "sac", settings: HybridSettings | None = SHORT, reference="rollouts"):
        demonstrations = walks(n=10, dim=1, drift=0.5, seed=1)
        irl = make_algorithm(DiffusionIRL, walks(dim=1), reference=reference)
        agent = make_agent(BOX, BOX, AlgorithmSettings(name, hidden=(8,)), device="cpu", seed=0)
        kind = HybridIRLOnPolicy if name == "ppo" else HybridIRL
        return kind(agent, irl=irl, demonstrations=demonstrations, settings=settings)

    return make


def update(algorithm, buffer, n: int = 1) -> None:
    with policy_within_training_step(algorithm.policy):
        for _ in range(n):
            if isinstance(algorithm, HybridIRLOnPolicy):
                algorithm.update(buffer, 16, 1)
            else:
                algorithm.update(buffer, 16)


def test_rollouts_are_negatives_and_the_reward_moves(hybrid) -> None:
    algorithm, buffer = hybrid(), filled_buffer()
    before = [p.clone() for p in algorithm.irl.online.parameters()]
    update(algorithm, buffer, 4)
    assert int(algorithm.irl.updates) == 6  # three in every second of four policy updates
    windows = algorithm.irl.reference.stores[0]
    assert (windows.store.obs == np.float32(0.3)).all()
    assert any(not torch.equal(p, q) for p, q in zip(before, algorithm.irl.online.parameters(), strict=True))
    # The agent learned from the averaged reward after the last round.
    with torch.no_grad():
        obs = torch.full((1, 1), 0.3)
        expected = float(algorithm.irl.reward(obs, 0 * obs, obs, torch.zeros(1, dtype=torch.bool)))
    paid = buffer.rew[buffer.rew != 0]
    assert len(paid)
    assert np.isclose(paid, expected, atol=1e-6).any()


def test_the_reward_learns_to_prefer_the_demonstrations(hybrid) -> None:
    algorithm = hybrid(settings=HybridSettings(update_interval=1, n_reward_updates=20, batch_size=32))
    update(algorithm, filled_buffer(value=-0.5), 3)
    x = np.array([[-0.5], [0.8]], np.float32)
    away, ahead = algorithm.irl.reward.score(x, 0 * x, x)
    assert ahead > away


def test_on_policy(hybrid) -> None:
    algorithm = hybrid("ppo", settings=None)
    assert algorithm.settings == HybridSettings(update_interval=1)
    update(algorithm, filled_buffer(), 2)
    assert int(algorithm.irl.updates) == 20


def test_a_round_waits_for_an_episode_as_long_as_a_window(hybrid) -> None:
    algorithm = hybrid()
    update(algorithm, filled_buffer(steps=5))
    assert int(algorithm.irl.updates) == 0


def test_short_episodes_are_left_out_without_a_message(hybrid, caplog) -> None:
    algorithm, buffer = hybrid(), filled_buffer()
    short = filled_buffer(steps=3, value=0.9)
    for time in range(3):
        buffer.add(short[np.array([time, time])], buffer_ids=[0, 1])
    assert from_buffer(buffer, policy=algorithm.policy).lengths.tolist() == [20, 3, 20, 3]
    update(algorithm, buffer)
    windows = algorithm.irl.reference.stores[0]
    assert (windows.store.obs == np.float32(0.3)).all()
    assert "shorter than a window" not in caplog.text


def test_a_stopped_run_resumes_equal(hybrid, tmp_path) -> None:
    buffer = filled_buffer()
    whole, first = hybrid(), hybrid()

    update(whole, buffer, 4)
    update(first, buffer, 2)
    save_resume(tmp_path / "resume", first.resume_state())
    second = hybrid()
    second.resume(load_resume(tmp_path / "resume"))
    assert int(second.irl.updates) == 3
    update(second, buffer, 2)
    for a, b in zip(whole.irl.reward.parameters(), second.irl.reward.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(CheckpointError):
        hybrid(settings=HybridSettings(update_interval=3)).resume(load_resume(tmp_path / "resume"))


def test_what_is_refused(hybrid, walks) -> None:
    with pytest.raises(
        ValueError, match=r'`irl` must have "rollouts" among its negatives\. Received \[\'data\'\]'
    ):
        hybrid(reference=walks(dim=1))
    with pytest.raises(ValueError, match=r"`n_reward_updates` must be at least 1\. Received 0"):
        HybridSettings(n_reward_updates=0)
