"""SQIL: that it imitates, and what its batches hold."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from line_env import BOX, TWO, assert_equal, dqn, filled, ppo, sac, seeded, to_the_right, train
from tianshou.data import PrioritizedReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors import checkpoint
from rlpriors.agents import SQIL
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer


def test_over_sac_it_does_what_was_demonstrated() -> None:
    assert train(SQIL(seeded(sac), to_the_right()), 500) > 1.2


def test_over_dqn_it_does_what_was_demonstrated() -> None:
    assert train(SQIL(seeded(dqn), to_the_right(action_space=TWO)), 500) > 1.2


@pytest.mark.parametrize("n_step", [1, 3])
def test_half_of_each_batch_is_demonstrated(n_step: int) -> None:
    algorithm = SQIL(seeded(sac, n_step=n_step), to_the_right(), demonstration_reward=2.0, agent_reward=-1.0)
    buffer = filled(algorithm)
    assert buffer.rew.any()
    indices = np.arange(7)
    with policy_within_training_step(algorithm.policy):
        batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    assert batch.rew.tolist() == [-1.0] * 4 + [2.0] * 3
    np.testing.assert_array_equal(batch.obs[:4], buffer.obs[:4])
    assert 0.8 <= batch.act[4:].min() <= batch.act[4:].max() <= 1.0  # 1.6 to 2.0 of at most 2
    assert batch.returns.shape == (7, 1)
    read = 4 + n_step - 1
    assert (buffer.rew[:read] == -1).all()
    assert (buffer.rew[read:60] != -1).all()


def test_the_targets_hold_the_rewards() -> None:
    """With critics that say 0 and no entropy, a target is the sum of the discounted rewards."""
    algorithm = SQIL(seeded(sac, n_step=3, alpha=0.0), to_the_right())
    for critic in (algorithm.wrapped_algorithm.critic_old, algorithm.wrapped_algorithm.critic2_old):
        for parameter in critic.parameters():
            parameter.data.zero_()
    buffer, indices = filled(algorithm), np.arange(40)
    with policy_within_training_step(algorithm.policy):
        returns = algorithm._preprocess_batch(buffer[indices], buffer, indices).returns.flatten()
    assert (returns[:20] == 0).all()
    # 1 + 0.9 + 0.81, and less at an episode's end
    assert {round(value, 2) for value in returns[20:].tolist()} <= {2.71, 1.9, 1.0}
    assert returns.max() == pytest.approx(2.71)


def test_a_single_step_and_a_buffer_of_demonstrations() -> None:
    algorithm = SQIL(seeded(sac), to_buffer(to_the_right()))
    buffer = filled(algorithm)
    with policy_within_training_step(algorithm.policy):
        batch = algorithm._preprocess_batch(buffer[np.array([3])], buffer, np.array([3]))
    assert batch.rew.tolist() == [0.0]


def test_it_resumes_bit_equal(tmp_path) -> None:
    algorithm = SQIL(seeded(sac, alpha="auto"), to_the_right(), seed=4)
    with policy_within_training_step(algorithm.policy):
        algorithm.update(filled(algorithm), 16)
    checkpoint.save_resume(tmp_path / "resume.pt", algorithm.resume_state())
    resumed = SQIL(seeded(sac, alpha="auto", seed=9), to_the_right(), seed=4)
    resumed.resume(checkpoint.load_resume(tmp_path / "resume.pt"))
    for either in (algorithm, resumed):
        buffer = filled(either)
        torch.manual_seed(2)
        with policy_within_training_step(either.policy):
            either.update(buffer, 16)
    assert_equal(resumed.resume_state(), algorithm.resume_state())
    assert int(resumed.updates) == 2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`demonstrations` must have actions of shape \(1,\).*Received \(\)"
    ):
        SQIL(seeded(sac), to_the_right(action_space=TWO))
    algorithm = SQIL(seeded(sac), to_the_right())
    buffer = PrioritizedReplayBuffer(20, alpha=0.5, beta=0.5)
    with pytest.raises(ValueError, match=r"`buffer` must sample uniformly.* a PrioritizedReplayBuffer"):
        algorithm._preprocess_batch(None, buffer, np.array([0]))


@pytest.mark.usefixtures("without_type_checks")
def test_an_on_policy_algorithm_is_refused() -> None:
    with pytest.raises(TypeError, match=r"must be an OffPolicyAlgorithm\. Received a PPO; use one, as SAC"):
        SQIL(seeded(ppo), to_the_right())


@pytest.mark.parametrize("name", ["demonstration_reward", "agent_reward"])
def test_its_two_rewards_are_finite(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be finite. Received nan; the paper's are 1 and 0"):
        SQIL(seeded(sac), to_the_right(), **{name: float("nan")})


def numbered(number: float) -> EpisodeStore:
    """An episode whose actions are all `number`."""
    return EpisodeStore.from_episodes([Episode(np.zeros((5, 1)), np.full(4, number), *np.zeros((3, 4)))])


@pytest.mark.parametrize("number", [-1, 2, 1.7, 1.0])
def test_demonstrations_of_no_action_are_refused(number: float) -> None:
    received = number if isinstance(number, int) else "float32"
    with pytest.raises(ValueError, match=rf"`demonstrations` .* Discrete\(2\), .* Received {received}"):
        SQIL(seeded(dqn), numbered(number))


def test_demonstrations_of_another_space_are_refused() -> None:
    """The actions fit, and mean something else."""
    right = to_the_right()
    assert SQIL(seeded(sac), replace(right, action_space=BOX)).demonstrations.act.max() <= 1
    wider = replace(right, action_space=gym.spaces.Box(-8, 8, (1,)))
    with pytest.raises(ValueError, match=r"The policy must have the action space of .*Box\(-8.*Box\(-2"):
        SQIL(seeded(sac), wider)
    with pytest.raises(ValueError, match=r"`demonstrations` must be actions of Box\(-2.*Received \[17"):
        SQIL(seeded(sac), replace(right, act=10 * right.act))


def test_a_buffer_of_a_collector_is_refused() -> None:
    with pytest.raises(ValueError, match="units of the actions in `buffer` must be stated"):
        SQIL(seeded(sac), filled(seeded(sac)))
