"""IQ-Learn: its loss and values by hand, that it imitates, and the reward that it recovers."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from line_env import TWO, assert_equal, distance, dqn, filled, ppo, sac, seeded, to_the_right, train
from tianshou.data import PrioritizedReplayBuffer
from tianshou.trainer import OfflineTrainerParams
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors import checkpoint
from rlpriors.agents import IQLearn, IQLearnSettings, OfflineIQLearn
from rlpriors.agents.imitation.iq_loss import iq_loss
from rlpriors.agents.imitation.soft_values import soft_values
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer
from rlpriors.wrappers import LearnedReward

KINDS = {"sac": lambda: (seeded(sac), to_the_right()), "dqn": lambda: (seeded(dqn), right_or_left())}


def right_or_left() -> EpisodeStore:
    return to_the_right(action_space=TWO)


def update(algorithm, buffer, n=1) -> object:
    with policy_within_training_step(algorithm.policy):
        for _ in range(n):
            stats = algorithm.update(buffer, 32)
    return stats


def test_the_loss_by_hand() -> None:
    q, v, after = (torch.tensor(x) for x in ([1.0, 2.0, 4.0, 0.0], [1.0, 1.0, 2.0, 3.0], [0.5, 0, 1, -1]))
    # rewards .5, 2 of the agent and 3, 1 of the demonstrations
    loss, reward = iq_loss(q, v, after, n_agent=2, regularization=0.25)
    assert reward.tolist() == [0.5, 2, 3, 1]
    assert loss.item() == pytest.approx(-2 + (0.5 + 1 + 1 + 4) / 4 + (0.25 + 4 + 9 + 1) / 4)
    offline, _ = iq_loss(q[2:], v[2:], after[2:], n_agent=0, regularization=0.25)
    assert offline.item() == pytest.approx(-2 + (1 + 4) / 2 + (9 + 1) / 2)


def test_the_soft_maximum_of_dqn_by_hand() -> None:
    values = soft_values(seeded(dqn), temperature=0.5)
    obs = torch.tensor([[0.3], [-1.0]])
    q = torch.stack([values.action_value(0, obs, torch.full((2, 1), float(a))) for a in (0, 1)], 1)
    expected = 0.5 * (q / 0.5).exp().sum(1).log()
    torch.testing.assert_close(values.state_value(0, obs), expected)
    torch.testing.assert_close(values.state_value(0, obs, target=True), expected)  # equal at the start


@pytest.mark.parametrize("target", [False, True])
def test_the_soft_value_of_sac_by_hand(target: bool) -> None:
    algorithm = seeded(sac, alpha=0.3)
    obs, noise = torch.tensor([[0.3], [-1.0]]), torch.tensor([[0.5], [-2.0], [0.1]])
    (loc, scale), _ = algorithm.policy.actor(obs)
    total = torch.zeros(2)
    for draw in noise:
        act = (loc + scale * draw).tanh()
        squashed = torch.distributions.TransformedDistribution(
            torch.distributions.Normal(loc, scale), torch.distributions.TanhTransform()
        )
        log_prob = squashed.log_prob(act)[:, 0]
        total += algorithm.critic2(obs, act)[:, 0] - 0.3 * log_prob
    value = soft_values(algorithm, 1.0).state_value(1, obs, noise=noise, target=target)
    torch.testing.assert_close(value, total / 3, rtol=1e-4, atol=1e-4)


def test_over_sac_it_does_what_was_demonstrated() -> None:
    algorithm = IQLearn(seeded(sac), to_the_right())
    assert train(algorithm, 300) > 1.2
    check_reward(algorithm, reverse=lambda act: -act)


def test_over_dqn_it_does_what_was_demonstrated() -> None:
    algorithm = IQLearn(seeded(dqn), right_or_left(), settings=IQLearnSettings(target_values=True))
    assert train(algorithm, 300) > 1.2
    check_reward(algorithm, reverse=lambda act: 1 - act)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target_values", [False, True])
def test_demonstrations_alone_are_enough(kind: str, target_values: bool) -> None:
    inner, store = KINDS[kind]()
    algorithm = OfflineIQLearn(inner, store, settings=IQLearnSettings(target_values=target_values))
    torch.manual_seed(0)
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=algorithm.demonstrations, batch_size=64, max_epochs=1, epoch_num_steps=250,
            verbose=False, show_progress=False,
        )
    )  # fmt: skip
    assert int(algorithm.updates) == 250
    assert distance(algorithm) > 1.2
    check_reward(algorithm, reverse=lambda act: -act if kind == "sac" else 1 - act)


def check_reward(algorithm, reverse) -> None:
    """Check that demonstrated actions have higher rewards than their opposites."""
    obs, act, obs_next, end = to_the_right(action_space=algorithm.policy.action_space).transitions()
    shown, opposite = (algorithm.reward(obs, a, obs_next, end) for a in (act, reverse(act)))
    assert (shown > opposite).float().mean() > 0.7
    assert shown.mean() > opposite.mean() + 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_reward_by_hand(kind: str) -> None:
    algorithm = IQLearn(*KINDS[kind]())
    obs, obs_next = torch.tensor([[0.3], [0.4]]), torch.tensor([[0.5], [0.6]])
    act = torch.tensor([[2.0], [-1.0]]) if kind == "sac" else torch.tensor([[1.0], [0.0]])
    units = act / 2 if kind == "sac" else act  # the policy's actions are in -1..1
    rewards = algorithm.reward(obs, act, obs_next, torch.tensor([False, True]))
    values, expected = algorithm.values, torch.zeros(2)
    for index in range(values.n_critics):
        after = 0.9 * values.state_value(index, obs_next, noise=algorithm.reward.noise)
        expected += values.action_value(index, obs, units) - after * torch.tensor([1.0, 0.0])
    torch.testing.assert_close(rewards, expected.detach() / values.n_critics)
    assert not rewards.requires_grad


def test_the_reward_serves_data_and_environments() -> None:
    algorithm = IQLearn(seeded(dqn), right_or_left())
    store = right_or_left()
    relabeled = store.relabel(algorithm.reward)
    assert torch.equal(torch.from_numpy(relabeled.rew), algorithm.reward(*store.transitions()))
    env = LearnedReward(gym.make("CartPole-v1"), lambda obs, act, obs_next, end: obs[:, 0])
    assert algorithm.reward.n_actions == env.action_space.n
    with pytest.raises(ValueError, match=r"`reward` must read the data's observations"):
        EpisodeStore.from_episodes([Episode(np.zeros((3, 4)), np.zeros(2, int), *np.zeros((3, 2)))]).relabel(
            algorithm.reward
        )


def test_half_of_each_batch_is_demonstrated() -> None:
    algorithm = IQLearn(seeded(sac), to_the_right())
    buffer, indices = filled(algorithm), np.arange(7)
    batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    assert batch.n_agent == 4
    np.testing.assert_array_equal(batch.obs[:4], buffer.obs[:4])
    assert 0.8 <= batch.act[4:].min() <= batch.act[4:].max() <= 1.0  # 1.6 to 2.0 of at most 2
    single = algorithm._preprocess_batch(buffer[indices[:1]], buffer, indices[:1])
    assert (single.n_agent, len(single.obs)) == (1, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_it_resumes_bit_equal(kind: str, tmp_path) -> None:
    algorithm = IQLearn(*KINDS[kind](), seed=4)
    buffer = filled(algorithm)
    update(algorithm, buffer, 2)
    checkpoint.save_resume(tmp_path / "resume.pt", algorithm.resume_state())
    resumed = IQLearn(*KINDS[kind](), seed=4)
    resumed.resume(checkpoint.load_resume(tmp_path / "resume.pt"))
    for either in (algorithm, resumed):
        torch.manual_seed(2)
        np.random.seed(2)  # noqa: NPY002
        update(either, filled(either), 2)
    assert_equal(resumed.resume_state(), algorithm.resume_state())
    assert int(resumed.updates) == 4
    assert not any("reward" in name for name in algorithm.state_dict())


def test_the_statistics() -> None:
    algorithm = IQLearn(seeded(sac, alpha=0.05), to_the_right())
    stats = update(algorithm, filled(algorithm))
    assert stats.temperature == 0.05
    assert stats.demonstration_reward != stats.agent_reward


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`demonstrations` must have actions of shape \(1,\).*Received \(\)"
    ):
        IQLearn(seeded(sac), right_or_left())
    algorithm = IQLearn(seeded(sac), to_buffer(to_the_right()))
    with pytest.raises(ValueError, match=r"`buffer` must sample uniformly.* a PrioritizedReplayBuffer"):
        algorithm._preprocess_batch(None, PrioritizedReplayBuffer(20, alpha=0.5, beta=0.5), np.array([0]))
    offline = OfflineIQLearn(seeded(sac), to_the_right())
    with pytest.raises(ValueError, match=r"`buffer` must be `algorithm\.demonstrations`"):
        update(offline, filled(offline))


@pytest.mark.usefixtures("without_type_checks")
def test_other_algorithms_are_refused() -> None:
    with pytest.raises(TypeError, match=r"must be SAC for Box actions or DQN .* Received a PPO"):
        IQLearn(seeded(ppo), to_the_right())
    with pytest.raises(TypeError, match=r"`settings` must be an IQLearnSettings"):
        IQLearn(seeded(sac), to_the_right(), settings={})


@pytest.mark.parametrize("name", ["regularization", "temperature"])
def test_settings_have_bounds(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be above 0. Received 0.0"):
        IQLearnSettings(**{name: 0.0})
