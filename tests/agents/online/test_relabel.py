"""Relabeling: rewards in the buffer that the targets read, by hand."""

import numpy as np
import pytest
import torch
from line_env import BOX, Line, dqn, filled, ppo, sac, seeded, train
from tianshou.algorithm.modelbased.icm import ICMOffPolicyWrapper
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors.agents.online.relabel import Relabel, RelabelOnPolicy
from rlpriors.rewards import MLPReward, RewardSettings


def position(obs, act, obs_next, terminated):
    return obs_next[:, 0]


def nothing(obs, act, obs_next, terminated):
    return torch.zeros(len(obs))


def steps(n: int = 6, done: tuple[int, ...] = ()) -> ReplayBuffer:
    """Create a buffer of states x = 0, 1, 2, ... with environment rewards of 100."""
    buffer = ReplayBuffer(10)
    for i in range(n):
        buffer.add(
            Batch(
                obs=np.array([float(i)]), act=np.array([0.5]), rew=100.0, obs_next=np.array([i + 1.0]),
                terminated=i in done, truncated=False,
            )
        )  # fmt: skip
    return buffer


def targets(algorithm, buffer: ReplayBuffer, indices: np.ndarray) -> np.ndarray:
    """`batch.returns` of the algorithm, with the same noise each time."""
    torch.manual_seed(0)
    with policy_within_training_step(algorithm.policy):
        batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    return batch.returns.flatten().numpy()


@pytest.mark.parametrize("make", [sac, dqn])
@pytest.mark.parametrize(
    ("n_step", "added"),
    [
        (1, [1.0, 3.0, 4.0, 6.0]),
        # gamma = 0.9: 1 + .9 * 2 + .81 * 3, cut at the end after 4, and at the last step there is
        (3, [5.23, 3.0 + 0.9 * 4, 4.0, 6.0]),
    ],
)
def test_the_targets_change_by_exactly_the_rewards(make, n_step: int, added: list[float]) -> None:
    inner = seeded(make, n_step=n_step)
    indices = np.array([0, 2, 3, 5])
    before = targets(Relabel(inner, nothing), steps(done=(3,)), indices)
    after = targets(Relabel(inner, position), steps(done=(3,)), indices)
    np.testing.assert_allclose(after - before, added, rtol=1e-5)
    assert np.abs(targets(inner, steps(done=(3,)), indices) - before).min() > 50  # the environment's reward


@pytest.mark.parametrize("n_step", [1, 3])
def test_only_what_is_read_is_written(n_step: int) -> None:
    algorithm, buffer = Relabel(seeded(sac, n_step=n_step), position), steps()
    targets(algorithm, buffer, np.array([0, 0, 1]))
    written = 2 if n_step == 1 else 4
    assert buffer.rew[:6].tolist() == [1.0, 2.0, 3.0, 4.0][:written] + [100.0] * (6 - written)


def test_a_reward_that_moves_is_read_anew() -> None:
    reward = MLPReward(RewardSettings(1, 1, hidden=()))
    algorithm, buffer = Relabel(seeded(sac), reward), steps()
    for weight in (1.0, -2.0):
        reward.net[0].weight.data, reward.net[0].bias.data = torch.tensor([[weight]]), torch.zeros(1)
        targets(algorithm, buffer, np.arange(4))
        assert buffer.rew[:4].tolist() == [0.0, weight, 2 * weight, 3 * weight]


def test_a_buffer_of_several_environments() -> None:
    from tianshou.data import VectorReplayBuffer

    buffer = VectorReplayBuffer(20, 2)
    for i in range(3):
        two = {"obs": [[i], [10 + i]], "obs_next": [[i + 1], [11 + i]], "act": [[0.0], [0.0]]}
        arrays = {name: np.array(part, np.float32) for name, part in two.items()}
        ends = np.zeros(2, bool)
        buffer.add(Batch(**arrays, rew=np.zeros(2), terminated=ends, truncated=ends))
    algorithm = Relabel(seeded(sac, n_step=2), position)
    targets(algorithm, buffer, np.array([1, 11]))
    assert buffer.rew[[0, 1, 2, 10, 11, 12]].tolist() == [0.0, 2.0, 3.0, 0.0, 12.0, 13.0]
    assert buffer.buffers[1].rew[:3].tolist() == [0.0, 12.0, 13.0]


def test_a_relabeled_ppo_sees_the_reward() -> None:
    algorithm, buffer = RelabelOnPolicy(seeded(ppo), position), steps()
    zero = RelabelOnPolicy(algorithm.wrapped_algorithm, nothing)
    batches = [a._preprocess_batch(buffer[np.arange(6)], buffer, np.arange(6)) for a in (algorithm, zero)]
    assert batches[0].rew.tolist() == [1, 2, 3, 4, 5, 6]
    # generalized advantages: sum over k of (0.9 * 0.95)^k r
    expected = [sum(0.855**k * (i + k + 1) for k in range(6 - i)) for i in range(6)]
    difference = batches[0].returns - batches[1].returns
    np.testing.assert_allclose(difference.numpy(), expected, rtol=1e-4)


def test_it_learns_from_the_reward_and_not_from_the_environment() -> None:
    """The environment pays for the left, the reward for the right."""
    assert train(Relabel(seeded(sac), position), 500) > 1.2


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (lambda *parts: parts[0], r"`reward` must return one number for each of the 2 steps.*\(2, 1\)"),
        (
            lambda obs, *_: obs[:, 0] / 0,
            "`reward` must return finite numbers. Received nan for the step",
        ),
    ],
)
def test_rewards_that_cannot_be_used_are_refused(reward, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        targets(Relabel(seeded(sac), reward), steps(), np.array([0, 1]))


def test_buffers_and_algorithms_that_cannot_be_used_are_refused() -> None:
    buffer = ReplayBuffer(10, ignore_obs_next=True)
    buffer.add(steps()[0])
    with pytest.raises(ValueError, match="`buffer` must store `obs_next`"):
        Relabel(seeded(sac), position).relabel(buffer, np.array([0]))
    inner = seeded(sac)
    del inner.n_step_return_horizon
    with pytest.raises(ValueError, match=r"`algorithm` must have the number of steps.*Received a SAC"):
        Relabel(inner, position)


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Relabel(seeded(sac), "folder"), r"`reward` must be .* Received 'folder'; .*load_reward"),
        (
            lambda: Relabel(seeded(ppo), position),
            r"must be an OffPolicy.* a PPO; use `RelabelOnPol",
        ),
        (
            lambda: RelabelOnPolicy(seeded(sac), position),
            r"must be an OnPolicy.* a SAC; use `Relabel`",
        ),
    ],
)
def test_what_is_no_reward_or_the_other_kind_of_algorithm_is_refused(build, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        build()


def test_the_steps_of_an_algorithm_inside_another_are_found() -> None:
    outer = ICMOffPolicyWrapper.__new__(ICMOffPolicyWrapper)
    torch.nn.Module.__init__(outer)
    outer.wrapped_algorithm = seeded(sac, n_step=3)
    outer.policy, outer.lr_schedulers = outer.wrapped_algorithm.policy, []
    assert Relabel(outer, position).n_step == 3


def test_the_environment_of_these_tests() -> None:
    buffer = filled(seeded(sac))
    assert np.abs(buffer.act[:60]).max() <= 1
    moved = buffer.obs_next[:60] - buffer.obs[:60]
    np.testing.assert_allclose(moved, 0.2 * buffer.act[:60], atol=1e-6)
    assert Line(BOX).action_space.high == 2
