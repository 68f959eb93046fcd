"""Rewards from preferences in the targets of SAC and DQN, by hand."""

import numpy as np
import pytest
import torch
from homing_pairs import ramp, true_preferences
from line_env import dqn, sac, seeded
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors.agents.online.relabel import Relabel
from rlpriors.agents.preferences.fit import learn_from_preferences
from rlpriors.data.buffers import to_buffer
from rlpriors.rewards import RewardModel, load_reward

GAMMA = 0.9


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> RewardModel:
    """Reward of a line on which larger observations are better, saved and loaded."""
    data = ramp(16)
    reward = learn_from_preferences(data, true_preferences(data, 100, 4), n_updates=100, device="cpu")
    return load_reward(reward.save(tmp_path_factory.mktemp("reward")), "cpu")


def steps() -> ReplayBuffer:
    """Create a buffer of observations 0 to 5 with environment rewards of 100 and an end after 3."""
    buffer = ReplayBuffer(10)
    for i in range(6):
        buffer.add(
            Batch(
                obs=np.array([float(i)]), act=np.array([0.5]), rew=100.0, obs_next=np.array([i + 1.0]),
                terminated=i == 3, truncated=False,
            )
        )  # fmt: skip
    return buffer


def targets(algorithm: Relabel) -> np.ndarray:
    torch.manual_seed(0)
    buffer, indices = steps(), np.array([0, 2, 3, 5])
    with policy_within_training_step(algorithm.policy):
        batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    return batch.returns.flatten().numpy()


@pytest.mark.parametrize("make", [sac, dqn])
def test_three_step_targets_contain_the_learned_rewards(make, learned: RewardModel) -> None:
    algorithm = seeded(make, n_step=3)
    nothing = Relabel(algorithm, lambda obs, act, obs_next, end: torch.zeros(len(obs)))
    difference = targets(Relabel(algorithm, learned)) - targets(nothing)
    obs = np.arange(6.0)[:, None]
    r = learned.score(obs, np.full((6, 1), 0.5), obs + 1).astype(np.float64)
    assert np.ptp(r) > 0.1
    # From 0: three steps; from 2 and 3: up to the end at 3; from 5: the last step of the buffer.
    expected = [r[0] + GAMMA * r[1] + GAMMA**2 * r[2], r[2] + GAMMA * r[3], r[3], r[5]]
    np.testing.assert_allclose(difference, expected, rtol=1e-4, atol=1e-4)


def test_a_relabeled_data_set_holds_the_learned_rewards(learned: RewardModel) -> None:
    data = ramp(4)
    buffer = to_buffer(data.relabel(learned))
    rows = data.transitions()
    expected = learned.score(rows.obs.numpy(), rows.act.numpy(), rows.obs_next.numpy())
    assert np.array_equal(buffer.rew.astype(np.float32), expected)
