"""IQL: one update by hand, and toys in which it beats behavior cloning."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from bandits import DISCRETE, PLANE, PUSH, arms, noisy_pushes
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from tianshou.trainer import OfflineTrainerParams
from torch import nn

from rlpriors.agents import IQL, AlgorithmSettings, OfflineSettings, make_algorithm, make_offline_algorithm
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore


def train(data: EpisodeStore, space: gym.Space[Any], n: int, **settings: Any) -> Any:
    chosen = OfflineSettings(hidden=(32,), lr=1e-2, tau=0.05, normalize_observations=False, **settings)
    algorithm = make_offline_algorithm(PLANE, space, chosen, device="cpu", seed=0)
    params = OfflineTrainerParams(
        buffer=to_buffer(data),
        batch_size=64,
        max_epochs=1,
        epoch_num_steps=n,
        show_progress=False,
        verbose=False,
    )
    algorithm.run_training(params)
    return algorithm.policy.eval()


def constant(network: nn.Module, value: float) -> None:
    """Make a network return `value` for every input."""
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, value)


def make_constant(space: gym.Space[Any], **arguments: Any) -> IQL:
    """IQL whose Q are 2 and 3, in the moving averages too, and whose V is 1."""
    algorithm = make_offline_algorithm(
        PLANE, space, OfflineSettings(hidden=(4,), normalize_observations=False), device="cpu"
    )
    assert isinstance(algorithm, IQL)
    for network, value in ((algorithm.critic, 2.0), (algorithm.critic2, 3.0), (algorithm.value, 1.0)):
        constant(network, value)
    return IQL(
        policy=algorithm.policy,
        critic=algorithm.critic,
        critic2=algorithm.critic2,
        value=algorithm.value,
        optim=AdamOptimizerFactory(lr=1e-3),
        gamma=0.5,
        **arguments,
    )


@pytest.mark.parametrize("space", [PUSH, DISCRETE], ids=["box", "discrete"])
def test_one_update_by_hand(space: gym.Space[Any]) -> None:
    algorithm = make_constant(space, expectile=0.7, beta=0.5, max_weight=10.0)
    box = isinstance(space, gym.spaces.Box)
    batch = Batch(
        obs=np.zeros((2, 2), np.float32),
        obs_next=np.ones((2, 2), np.float32),
        act=np.zeros((2, 1), np.float32) if box else np.zeros(2, np.int64),
        rew=np.array([4.0, 4.0]),
        terminated=np.array([True, False]),
        truncated=np.array([False, True]),
        done=np.array([True, True]),
    )
    stats = algorithm._update_with_batch(batch)
    # The advantage is min(2, 3) - 1 = 1 in both rows.
    assert stats.value_loss == pytest.approx(0.7)
    assert stats.advantage_weight == pytest.approx(np.exp(0.5))
    assert stats.value == pytest.approx(1.0)
    # Targets: 4 after the termination, 4 + 0.5 * 1 after the truncation.
    first, second = (2 - 4) ** 2 + (2 - 4.5) ** 2, (3 - 4) ** 2 + (3 - 4.5) ** 2
    assert stats.critic_loss == pytest.approx((first + second) / 2)
    if not box:
        # Weighted negative log-likelihood of the untrained policy, computed again from a fresh copy.
        again = make_constant(space, beta=0.5, max_weight=10.0).policy
        logits = again.actor(np.zeros((1, 2), np.float32))[0]
        expected = -np.exp(0.5) * logits.log_softmax(1)[0, 0].item()
        assert stats.loss == pytest.approx(expected, rel=1e-5)


def test_moving_averages_follow_by_tau() -> None:
    algorithm = make_constant(PUSH, tau=0.25)
    before = [p.clone() for p in algorithm.critic_old.parameters()]
    batch = Batch(
        obs=np.zeros((1, 2), np.float32),
        obs_next=np.zeros((1, 2), np.float32),
        act=np.zeros((1, 1), np.float32),
        rew=np.ones(1),
        terminated=np.zeros(1, bool),
    )
    algorithm._update_with_batch(batch)
    for old, new, average in zip(
        before, algorithm.critic.parameters(), algorithm.critic_old.parameters(), strict=True
    ):
        torch.testing.assert_close(average, 0.75 * old + 0.25 * new)


def test_the_best_action_of_a_bandit_is_found_where_cloning_takes_the_mean() -> None:
    data = noisy_pushes(400, seed=0)  # a fifth of the actions near the best, +0.5
    state = Batch(obs=np.zeros((1, 2), np.float32), info={})
    clone, iql = (
        train(data, PUSH, 300, algorithm=name, beta=20.0, reward_scale=1.0) for name in ("bc", "iql")
    )
    assert clone(state).act[0, 0].item() == pytest.approx(-0.3, abs=0.12)
    assert iql(state).act[0, 0].item() == pytest.approx(0.5, abs=0.15)


def test_the_best_arm_is_found_where_cloning_takes_the_most_frequent() -> None:
    data = arms(400, seed=0)  # arm 0: four fifths of the data, reward 0; arm 1: reward 1
    state = Batch(obs=np.zeros((1, 2), np.float32), info={})
    clone, iql = (
        train(data, DISCRETE, 200, algorithm=name, beta=10.0, reward_scale=1.0) for name in ("bc", "iql")
    )
    assert int(clone(state).act[0]) == 0
    assert int(iql(state).act[0]) == 1


def test_a_squashed_policy_is_refused() -> None:
    sac = make_algorithm(PLANE, PUSH, AlgorithmSettings("sac", hidden=(4,)), device="cpu")
    with pytest.raises(
        TypeError, match=r"`policy` must be a ProbabilisticActorPolicy or .*Received a SACPolicy"
    ):
        IQL(
            policy=sac.policy,
            critic=nn.Identity(),
            critic2=nn.Identity(),
            value=nn.Identity(),
            optim=AdamOptimizerFactory(),
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expectile": 1.0}, r"`expectile` must be in \(0, 1\). Received 1.0"),
        ({"beta": -1.0}, "`beta` must be at least 0. Received -1.0"),
        ({"max_weight": 0.5}, "`max_weight` must be at least 1. Received 0.5"),
        ({"reward_scale": 0.0}, '`reward_scale` must be greater than 0 or "auto". Received 0.0'),
        ({"seed": -1}, "`seed` must be at least 0. Received -1"),
    ],
)
def test_arguments_are_bounded(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_constant(PUSH, **changes)
