"""Self-play: win rates by hand, in the buffer before targets are read, off-policy and on-policy."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from line_env import TWO, dqn, ppo, sac, seeded, train
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors.agents.preferences.finished_episodes import FinishedEpisodes
from rlpriors.agents.preferences.self_play import SelfPlay, SelfPlayOnPolicy
from rlpriors.agents.preferences.trajectory_queue import TrajectoryQueue, preference_probability
from rlpriors.preferences import Clip, Label, OracleLabeler


def clip(total: float) -> Clip:
    return Clip(np.zeros((2, 1)), np.zeros(1), np.array([total]), np.zeros(1, bool))


def farther(task: str, first: Clip, second: Clip) -> Label:
    """Prefer the segment that ends farther to the right."""
    return Label(0 if first.obs[-1, 0] > second.obs[-1, 0] else 1)


def add(buffer: ReplayBuffer, xs: list[float], end: bool = True, part: int = 0, rew: float = 100.0) -> None:
    """Add an episode that visits `xs`."""
    for k, (x, following) in enumerate(pairwise(xs)):
        buffer.add(
            Batch(
                obs=np.array([[x]]), act=np.array([1]), rew=np.array([rew]), obs_next=np.array([[following]]),
                terminated=np.array([end and k == len(xs) - 2]), truncated=np.array([False]),
            ),
            buffer_ids=[part],
        )  # fmt: skip


def test_win_rates_of_a_queue_by_hand() -> None:
    queue = TrajectoryQueue(OracleLabeler(band=0.5), size=3)
    assert queue.take_rates() == {}
    for total in (1.0, 1.2, 9.0):  # the first two are too close to decide
        queue.add(clip(total))
    assert queue.take_rates() == {0: 0.25, 1: 0.25, 2: 1.0}
    queue.add(clip(5.0))  # the first leaves, after a comparison with it
    assert queue.n_comparisons == 1 + 2 + 3
    # 0 lost or drew with 1 and lost twice; 3 beats 1 and loses to 2
    assert queue.take_rates() == {0: pytest.approx(0.5 / 3), 1: 0.0, 2: 1.0, 3: 0.5}
    assert set(queue.take_rates()) == {1, 2, 3}
    assert len(queue) == 3


def test_intransitive_labels_give_equal_rates() -> None:
    def rock_paper_scissors(task: str, first: Clip, second: Clip) -> Label:
        difference = int(first.rew.sum() - second.rew.sum()) % 3
        return Label({0: -1, 1: 0, 2: 1}[difference])

    queue = TrajectoryQueue(rock_paper_scissors, size=6)
    for move in (0.0, 1.0, 2.0):
        queue.add(clip(move))
    assert queue.take_rates() == {0: 0.5, 1: 0.5, 2: 0.5}
    queue.add(clip(1.0))  # two papers: paper 1 of 3 won + a draw, rock beaten twice
    assert queue.take_rates() == pytest.approx({0: 1 / 3, 1: 0.5, 2: 2 / 3, 3: 0.5})


def test_confidence_is_a_probability() -> None:
    assert preference_probability(Label(1, 0.9)) == pytest.approx(0.1)
    queue = TrajectoryQueue(lambda task, first, second: Label(0, 0.7), size=2)
    queue.add(clip(0))
    queue.add(clip(0))
    assert queue.take_rates() == pytest.approx({0: 0.3, 1: 0.7})


def targets(algorithm, buffer: ReplayBuffer, indices: np.ndarray) -> np.ndarray:
    torch.manual_seed(0)
    with policy_within_training_step(algorithm.policy):
        batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    return batch.returns.flatten().numpy()


def three_episodes() -> VectorReplayBuffer:
    """Create episodes of 2, 1 and 2 steps with win rates 0.5, 0 and 1, and one step of a fourth."""
    buffer = VectorReplayBuffer(20, 2)
    add(buffer, [0.0, 1.0, 2.0])
    add(buffer, [0.0, 1.0])
    add(buffer, [5.0, 6.0, 7.0], part=1)
    add(buffer, [0.0, 9.0], end=False)
    return buffer


@pytest.mark.parametrize(
    ("n_step", "expected"),
    [
        (1, [0.25, 0.25, 0.0, 0.5, 0.5]),
        # gamma = .9; each episode ends by itself
        (3, [0.25 + 0.9 * 0.25, 0.25, 0.0, 0.5 + 0.9 * 0.5, 0.5]),
    ],
)
def test_n_step_targets_by_hand(n_step: int, expected: list[float]) -> None:
    buffer, indices = three_episodes(), np.array([0, 1, 2, 10, 11])
    algorithm = SelfPlay(seeded(dqn, n_step=n_step), farther, scale=4.0)
    got = targets(algorithm, buffer, indices)
    zeros = three_episodes()
    zeros.rew[:] = 0
    bootstrapped = targets(seeded(dqn, n_step=n_step), zeros, indices)
    np.testing.assert_allclose(got - bootstrapped, 4 * np.array(expected), rtol=1e-5)
    # The step of the unfinished episode: a win rate of .5 over the mean length so far.
    assert 4 * 0.5 / 2 <= buffer.rew[3] <= 4 * 0.5
    assert algorithm.n_comparisons == 3


def test_rates_are_rewritten_when_an_episode_ends() -> None:
    buffer = VectorReplayBuffer(20, 1)
    algorithm = SelfPlay(dqn(), farther)
    add(buffer, [0.0, 1.0])
    algorithm.rescore(buffer)
    assert buffer.rew[0] == 0.5
    add(buffer, [0.0, 2.0, 3.0], end=False)
    algorithm.rescore(buffer)
    np.testing.assert_array_equal(buffer.rew[:3], [0.5, 0.5, 0.5])
    add(buffer, [3.0, 4.0])  # the end of the same episode, of three steps
    algorithm.rescore(buffer)
    np.testing.assert_allclose(buffer.rew[:4], [0.0, 1 / 3, 1 / 3, 1 / 3])
    for _ in range(3):
        algorithm.rescore(buffer)
    assert algorithm.n_comparisons == 1


def test_the_labeler_sees_whole_episodes_with_the_environments_rewards() -> None:
    seen: list[Clip] = []

    def look(task: str, first: Clip, second: Clip) -> Label:
        assert task == "go"
        seen.append(first)
        return Label(-1)

    buffer, algorithm = VectorReplayBuffer(20, 1), SelfPlay(dqn(), look, "go")
    add(buffer, [0.0, 1.0])
    add(buffer, [0.0, 2.0], end=False, rew=7.0)
    algorithm.rescore(buffer)  # overwrites the reward of the first step
    add(buffer, [2.0, 4.0], rew=8.0)
    algorithm.rescore(buffer)
    (only,) = seen
    np.testing.assert_array_equal(only.obs[:, 0], [0.0, 2.0, 4.0])
    np.testing.assert_array_equal(only.rew, [7.0, 8.0])
    np.testing.assert_array_equal(only.act, [1, 1])
    np.testing.assert_array_equal(only.terminated, [False, True])
    with pytest.raises(ValueError, match="read-only"):
        only.obs[0] = 1


def test_overwritten_episodes_leave_the_queue() -> None:
    buffer, algorithm = VectorReplayBuffer(4, 1), SelfPlay(dqn(), farther)
    for end in (1.0, 2.0, 3.0):
        add(buffer, [0.0, 0.5, end])
        algorithm.rescore(buffer)
    assert len(algorithm.queue) == 2
    np.testing.assert_array_equal(buffer.rew, [0.5, 0.5, 0.0, 0.0])


def test_a_cut_episode_is_dropped() -> None:
    buffer, tracker = VectorReplayBuffer(10, 1), FinishedEpisodes(dqn().policy)
    add(buffer, [0.0, 1.0, 2.0], end=False)  # the collector is reset here
    add(buffer, [5.0, 6.0])
    episodes, unfinished = tracker.take(buffer)
    assert [episode.rows.tolist() for episode in episodes] == [[2]]
    assert unfinished.tolist() == []


def test_actions_are_in_units_of_the_environment() -> None:
    buffer, policy = ReplayBuffer(5), sac().policy  # Box(-2, 2), the policy acts in -1..1
    buffer.add(
        Batch(
            obs=np.zeros(1), act=np.array([0.5]), rew=0.0, obs_next=np.ones(1), terminated=True,
            truncated=False,
        )
    )  # fmt: skip
    (episode,), _ = FinishedEpisodes(policy).take(buffer)
    np.testing.assert_allclose(episode.clip.act, policy.map_action(np.array([[0.5]])))
    assert episode.clip.act[0, 0] > 0.5


def test_after_resuming_stored_steps_keep_their_rewards() -> None:
    first, buffer = SelfPlay(dqn(), farther), three_episodes()
    first.rescore(buffer)
    rewards = buffer.rew.copy()
    second = SelfPlay(dqn(), farther)
    second.resume(first.resume_state())
    second.rescore(buffer)
    np.testing.assert_array_equal(buffer.rew, rewards)
    assert second.n_comparisons == 3
    add(buffer, [0.0, 8.0], part=1)
    second.rescore(buffer)
    assert buffer.rew[12] == 0.5  # alone in the new queue
    assert len(second.queue) == 1


def test_on_policy_rewards_by_hand() -> None:
    buffer = three_episodes()
    algorithm = SelfPlayOnPolicy(ppo(TWO), farther, scale=4.0)
    indices = buffer.sample_indices(0)
    batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    np.testing.assert_allclose(batch.rew[[0, 1, 2, 4, 5]], [1.0, 1.0, 0.0, 2.0, 2.0])
    assert 1.0 <= batch.rew[3] <= 2.0
    np.testing.assert_array_equal(buffer.rew[indices], 100.0)
    # The next collection ends the fourth episode, whose two steps are compared as a whole.
    buffer.reset()
    add(buffer, [9.0, 10.0])
    add(buffer, [0.0, 0.5], part=1)
    indices = buffer.sample_indices(0)
    batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    np.testing.assert_allclose(batch.rew, [4 * 1.0 / 2, 0.0])
    assert algorithm.n_comparisons == 3 + 3 + 4
    buffer.reset()
    add(buffer, [0.0, 1.0], end=False)
    with pytest.raises(ValueError, match="must contain the end of an episode"):
        algorithm._preprocess_batch(buffer[np.array([0])], buffer, np.array([0]))


@pytest.mark.usefixtures("without_type_checks")
def test_algorithms_of_the_other_kind_are_refused() -> None:
    with pytest.raises(TypeError, match=r"must be an OffPolicy.* a PPO; use `SelfPlayOnPolicy`"):
        SelfPlay(ppo(TWO), farther)
    with pytest.raises(TypeError, match=r"must be an OnPolicy.* a DQN; use `SelfPlay`"):
        SelfPlayOnPolicy(dqn(), farther)
    with pytest.raises(TypeError, match="`labeler` must be a function"):
        SelfPlay(dqn(), "labels.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["off", "on"])
def test_the_policy_learns_from_comparisons_alone(name: str) -> None:
    """The environment's reward prefers the left, the labeler the right."""
    if name == "off":
        algorithm = seeded(lambda: SelfPlay(dqn(), farther, scale=10.0))
        position = train(algorithm, 1500, updates_per_step=0.5)
    else:
        algorithm = seeded(lambda: SelfPlayOnPolicy(ppo(TWO), farther, scale=10.0))
        position = train(algorithm, 4000)
    assert position > 1.0  # 2 at best
    assert algorithm.n_comparisons > 1000


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`size` must be at least 2"):
        SelfPlay(dqn(), farther, size=1)
    with pytest.raises(ValueError, match="`scale` must be finite and above 0"):
        SelfPlay(dqn(), farther, scale=0.0)
    with pytest.raises(ValueError, match="A label must be 0"):
        SelfPlay(dqn(), lambda task, first, second: "first").rescore(three_episodes())
