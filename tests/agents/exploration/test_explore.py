"""Exploration algorithms: targets by hand, each step counted once, resuming, both kinds of algorithms."""

import numpy as np
import pytest
import torch
from line_env import TWO, dqn, filled, ppo, sac, seeded, train
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer
from tianshou.utils.torch_utils import policy_within_training_step

from rlpriors.agents.exploration import Explore, ExploreOnPolicy, ExploreSettings, OptimisticQPolicy
from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards import (
    DisagreementReward,
    DisagreementSettings,
    EllipticalBonus,
    EllipticalSettings,
    MLPReward,
    RewardSettings,
)


def linear_bonus(kind: str = "given") -> EllipticalBonus:
    """Create a bonus |x| / sqrt(1 + sum of x^2) of a state x."""
    settings = EllipticalSettings(obs_dim=1, act_dim=1, n_actions=2, kind=kind, n_features=1)
    return EllipticalBonus(settings, features=(lambda x: x[..., :1]) if kind == "given" else None)


def discrete_bonus(beta: float = 1.0, kind: str = "product") -> EllipticalBonus:
    return EllipticalBonus(
        EllipticalSettings(obs_dim=1, act_dim=1, n_actions=2, beta=beta, kind=kind, n_features=4, hidden=(8,))
    )


def add(buffer: ReplayBuffer, x: float, rew: float, end: bool = False) -> None:
    buffer.add(
        Batch(obs=np.array([x]), act=1, rew=rew, obs_next=np.array([x + 1]), terminated=end, truncated=False)
    )


def targets(algorithm, buffer: ReplayBuffer, indices: np.ndarray) -> np.ndarray:
    torch.manual_seed(0)
    with policy_within_training_step(algorithm.policy):
        batch = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    return batch.returns.flatten().numpy()


@pytest.mark.parametrize(
    ("n_step", "expected"),
    [
        # sum of squares 0 + 1 + 4 + 9 + 16 = 30 of five states: bonus x / sqrt(31), the last one terminal
        (1, [0, 1, 2, 3, 4]),
        # gamma = .9: 0 + .9 + 1.62, 1 + 1.8 + 2.43, 2 + 2.7 + 3.24, 3 + 3.6, 4
        (3, [2.52, 5.23, 7.94, 6.6, 4.0]),
    ],
)
def test_the_bonus_enters_all_rewards_of_a_target(n_step: int, expected: list[float]) -> None:
    buffer = ReplayBuffer(10)
    for x in range(5):
        add(buffer, float(x), 100.0, end=x == 4)
    indices = np.arange(5)
    weights = ExploreSettings(reward_weight=2.0, env_weight=0.5, action_weight=0.0)
    inner = seeded(dqn, n_step=n_step)
    env_only = targets(inner, buffer, indices)
    explore = Explore(seeded(dqn, n_step=n_step), linear_bonus(), settings=weights)
    got = targets(explore, buffer, indices)
    # Bootstrapped values are equal in both; they cancel, as do the environment's rewards up to their weight.
    env_rewards = np.array([100 * sum(0.9**k for k in range(min(n_step, 5 - x))) for x in range(5)])
    np.testing.assert_allclose(
        got - env_only + 0.5 * env_rewards, 2 * np.array(expected) / np.sqrt(31), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_array_equal(buffer.rew[:5], 100.0)  # the environment's again


def test_each_environment_step_is_counted_once() -> None:
    bonus = discrete_bonus()
    algorithm = Explore(dqn(), bonus)
    buffer = VectorReplayBuffer(20, 2)
    total = 0
    for count in (3, 1, 0, 2):
        for number in range(count):
            step = {
                "obs": np.array([[1.0], [2.0]]), "act": np.array([0, 1]), "rew": np.zeros(2),
                "obs_next": np.array([[1.0], [2.0]]), "terminated": np.zeros(2, bool),
                "truncated": np.array([number == 2] * 2),
            }  # fmt: skip
            buffer.add(Batch(step), buffer_ids=[0, 1])
        total += 2 * count
        for _ in range(4):  # many updates, each on a batch larger than the buffer
            with policy_within_training_step(algorithm.policy):
                algorithm.update(buffer, 64)
        assert int(bonus.covariance.n_rows) == int(algorithm.n_observed) == total
    # 6 times state 1 with action 0, and 6 times state 2 with action 1.
    expected = torch.diag(torch.tensor([1 + 6.0, 1 + 24.0])).double()
    torch.testing.assert_close(torch.linalg.inv(bonus.covariance.inverse), expected)


def test_an_old_ring_row_is_not_counted_again() -> None:
    bonus, buffer = discrete_bonus(), ReplayBuffer(4)
    algorithm = Explore(dqn(), bonus)
    for x in range(11):
        add(buffer, float(x), 0.0)
        targets(algorithm, buffer, np.arange(len(buffer)))
    assert int(bonus.covariance.n_rows) == 11


def test_trained_features_are_counted_again_from_the_buffer() -> None:
    bonus, buffer = discrete_bonus(kind="contrastive"), ReplayBuffer(100)
    settings = ExploreSettings(rebuild_interval=10)
    algorithm = Explore(dqn(), bonus, settings=settings)
    for x in range(25):
        add(buffer, x / 10, 0.0)
        if x in (8, 9, 24):
            with policy_within_training_step(algorithm.policy):
                statistics = algorithm.update(buffer, 16)
    assert statistics.bonus_loss > 0
    # At the last update 20 was passed: Lambda is the sum over the buffer, with features of that moment, which
    # then moved by one gradient step.
    step = buffer[np.arange(25)]
    obs, act = torch.as_tensor(step.obs).float(), torch.as_tensor(step.act).float()[:, None]
    with torch.no_grad():
        phi = bonus.phi(bonus.features(obs, act, obs)).double()
    direct = torch.linalg.inv(torch.eye(4).double() + phi.T @ phi)
    torch.testing.assert_close(bonus.covariance.inverse, direct, rtol=0.05, atol=0.02)
    assert int(bonus.covariance.n_rows) == 25


@pytest.mark.parametrize("make", [discrete_bonus, lambda: DisagreementReward(
    DisagreementSettings(obs_dim=1, act_dim=1, n_actions=2, hidden=(8,)))])  # fmt: skip
def test_a_resumed_training_continues_the_bonus(make) -> None:
    buffer = ReplayBuffer(50)
    for x in range(12):
        add(buffer, x / 10, 0.0)

    def updated() -> Explore:
        algorithm = seeded(lambda: Explore(dqn(), make()))
        with policy_within_training_step(algorithm.policy):
            for _ in range(3):
                algorithm.update(buffer, 8)
        return algorithm

    first, second = updated(), seeded(lambda: Explore(dqn(), make()))
    second.resume(first.resume_state())
    obs = torch.linspace(0, 1, 5)[:, None]
    assert torch.equal(first.bonus.action_rewards(obs), second.bonus.action_rewards(obs))
    for x in range(12, 15):
        add(buffer, x / 10, 0.0)
    first.count(buffer)
    second.count(buffer)  # from the buffer alone, and therefore the same sum
    torch.testing.assert_close(first.bonus.action_rewards(obs), second.bonus.action_rewards(obs))
    other = Explore(dqn(), discrete_bonus(beta=3.0))
    with pytest.raises(CheckpointError):
        other.resume(first.resume_state())


def test_the_choice_of_actions_is_for_q_learning() -> None:
    assert isinstance(Explore(dqn(), discrete_bonus()).policy, OptimisticQPolicy)
    off = Explore(dqn(), discrete_bonus(), settings=ExploreSettings(action_weight=0.0))
    assert not isinstance(off.policy, OptimisticQPolicy)
    vector = EllipticalBonus(EllipticalSettings(obs_dim=1, act_dim=1))
    assert not isinstance(Explore(sac(), vector).policy, OptimisticQPolicy)
    with pytest.raises(TypeError, match="`policy` must be a DiscreteQLearningPolicy"):
        Explore(sac(), vector, settings=ExploreSettings(action_weight=1.0))
    with pytest.raises(ValueError, match="`action_weight` must be None or 0"):
        ExploreOnPolicy(ppo(TWO), discrete_bonus(), settings=ExploreSettings(action_weight=1.0))


@pytest.mark.usefixtures("without_type_checks")
def test_arguments_of_other_classes_are_refused() -> None:
    with pytest.raises(TypeError, match="`bonus` must be an ExplorationReward"):
        Explore(dqn(), MLPReward(RewardSettings(1, 1, n_actions=2)))
    with pytest.raises(TypeError, match=r"must be an OffPolicy.* a PPO; use `ExploreOnPolicy`"):
        Explore(ppo(TWO), discrete_bonus())
    with pytest.raises(TypeError, match=r"`settings` must be an ExploreSettings"):
        Explore(dqn(), discrete_bonus(), settings={})


def test_on_policy_rewards_are_those_of_the_batch() -> None:
    buffer = ReplayBuffer(10)
    for x in range(4):
        add(buffer, float(x), 10.0, end=x == 3)
    algorithm = ExploreOnPolicy(ppo(TWO), linear_bonus(), settings=ExploreSettings(env_weight=0.1))
    batch = algorithm._preprocess_batch(buffer[np.arange(4)], buffer, np.arange(4))
    np.testing.assert_allclose(batch.rew, 1 + np.arange(4) / np.sqrt(15), rtol=1e-6)
    assert int(algorithm.bonus.covariance.n_rows) == 4
    np.testing.assert_array_equal(buffer.rew[:4], 10.0)


@pytest.mark.parametrize("name", ["off", "on"])
def test_trainers_run_on_the_bonus_alone(name: str) -> None:
    """The bonus of |x| is larger on the right and on the left than at the start: the policy leaves it."""
    settings = ExploreSettings(env_weight=0.0, reward_weight=1.0, action_weight=0.0)
    bonus = DisagreementReward(DisagreementSettings(obs_dim=1, act_dim=1, n_actions=2, hidden=(8,), seed=0))
    if name == "off":
        algorithm = seeded(lambda: Explore(dqn(), bonus, settings=settings))
    else:
        algorithm = seeded(lambda: ExploreOnPolicy(ppo(TWO), bonus, settings=settings))
    before = [weight.clone() for weight in bonus.parameters()]
    train(algorithm, 200, updates_per_step=0.2)
    assert any(not torch.equal(a, b) for a, b in zip(before, bonus.parameters(), strict=True))
    assert len(filled(algorithm)) == 60


@pytest.mark.parametrize("name", ["reward_weight", "action_weight", "env_weight"])
def test_weights_are_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be at least 0"):
        ExploreSettings(**{name: -1.0})
