"""InverseDynamics: what it learns, and that plans are executed by it."""

import numpy as np
import pytest
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from torch import nn

from rlpriors.agents import (
    InverseDynamics,
    InverseDynamicsSettings,
    InverseDynamicsTraining,
    TrajectoryLayout,
)
from rlpriors.checkpoint import load, save
from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion import ContextDenoiser, PlannerSettings


def learn(policy, **overrides) -> InverseDynamicsTraining:
    return InverseDynamicsTraining(policy=policy, optim=AdamOptimizerFactory(lr=1e-2), **overrides)


def with_model(make_policy, data, stride: int = 1, **overrides):
    policy = make_policy(data, stride=stride, **overrides)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        policy.inverse_dynamics = InverseDynamics.fit(data, policy.layout, hidden=(16,))
    return policy


@pytest.mark.parametrize("stride", [1, 2])
def test_it_learns_the_action_between_two_states(walks, make_policy, train, stride: int) -> None:
    # A tenth of the action is added in each step; a frame's action is the mean of its steps'.
    data, new = walks(), walks(seed=1)
    policy = with_model(make_policy, data, stride)
    train(learn(policy), data, 120, batch_size=64)
    window = new.windows(new.window_starts(2, stride), 2, stride)
    with torch.no_grad():
        found = policy.inverse_dynamics(window.obs[:, 0], window.obs[:, 1])
    torch.testing.assert_close(
        (window.obs[:, 1] - window.obs[:, 0]) / (0.1 * stride), window.act[:, 0], atol=1e-4, rtol=0
    )
    error = (found - window.act[:, 0]).abs()
    assert error.mean() < 0.05
    assert window.act[:, 0].std() > 0.3


def test_the_prior_is_not_touched(walks, make_policy, train) -> None:
    data = walks()
    policy = with_model(make_policy, data)
    before = [p.clone() for p in policy.denoiser.parameters()]
    network = [p.clone() for p in policy.inverse_dynamics.parameters()]
    train(learn(policy), data, 2)
    assert all(torch.equal(p, q) for p, q in zip(policy.denoiser.parameters(), before, strict=True))
    after = policy.inverse_dynamics.parameters()
    assert not all(torch.equal(p, q) for p, q in zip(after, network, strict=True))


def test_it_resumes_bit_equal(walks, make_policy, train) -> None:
    data = walks()
    uninterrupted, half = (learn(with_model(make_policy, data), seed=3) for _ in range(2))
    train(uninterrupted, data, 4)
    train(half, data, 2)
    again = learn(with_model(make_policy, data), seed=3)
    again.resume(half.resume_state())
    train(again, data, 2)
    expected = uninterrupted.policy.inverse_dynamics.state_dict()
    for name, tensor in again.policy.inverse_dynamics.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_it_is_saved_with_its_units(walks, make_policy, tmp_path) -> None:
    model = with_model(make_policy, walks()).inverse_dynamics
    save(model, model.settings, tmp_path)
    classes = {"InverseDynamics": lambda settings: InverseDynamics(InverseDynamicsSettings(**settings))}
    obs = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(load(tmp_path, classes)(obs[0], obs[1]), model(obs[0], obs[1]))


class Ramp(nn.Module):
    """A prior of windows whose observations rise by 0.1 a frame, with actions of -1."""

    def forward(self, x, t):
        clean = torch.full_like(x, -1.0)
        clean[..., 0] = 0.1 * torch.arange(x.shape[1])
        return clean


class Speed(nn.Module):
    def forward(self, obs, obs_next):
        return 2 * (obs_next - obs)


def test_actions_come_from_consecutive_planned_states(make_policy, walks) -> None:
    layout = TrajectoryLayout(8, 1, Normalizer.identity(1), Normalizer.identity(1))
    policy = make_policy(
        walks(dim=1),
        denoiser=Ramp(),
        execution_horizon=3,
        planner=PlannerSettings(n_steps=2),
    )
    policy.layout = layout
    batch = Batch(obs=np.array([[0.0], [0.3]], np.float32), info={})
    assert policy(batch).act.flatten().tolist() == [-1.0, -1.0]
    policy.inverse_dynamics = Speed()
    first = policy(batch)
    # From 0 and 0.3 to 0.1: twice the difference.
    np.testing.assert_allclose(first.act.flatten(), [0.2, -0.4], rtol=1e-5)
    second = policy(batch, first.state)
    np.testing.assert_allclose(second.act.flatten(), [0.2, 0.2], rtol=1e-5)


class ContextCopy(nn.Module):
    """Network whose prediction equals its context."""

    def forward(self, x, t):
        return x[..., -2:-1].expand_as(x)


def test_a_context_decides_what_is_planned(walks, make_policy) -> None:
    policy = make_policy(
        walks(), denoiser=ContextDenoiser(ContextCopy(), 1), context=[0.25], context_weight=1.0
    )
    obs = np.zeros((3, 2), np.float32)
    assert policy.plan(obs)[:, 1:].unique().tolist() == [0.5]  # (1 + 1) 0.25 - 1 * 0
    policy.context = torch.tensor([0.125])
    assert policy.plan(obs, reward=lambda obs, act, obs_next, end: obs.sum(1))[:, 1:].min() >= 0.25
    policy.context = None
    assert policy.plan(obs)[:, 1:].unique().tolist() == [0.0]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: InverseDynamicsSettings(0, 1), r"`obs_dim` must be at least 1\. Received 0"),
        (lambda: InverseDynamicsSettings(1, 1, (0,)), r"`hidden\[0\]` must be at least 1\. Received 0"),
        (
            lambda: InverseDynamics(InverseDynamicsSettings(2, 1), Normalizer.identity(3)),
            r"`act` must have 2, 2 and 1 entries.*Received \(3, 2, 1\)",
        ),
    ],
)
def test_bad_settings(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_a_policy_without_one(walks, make_policy) -> None:
    with pytest.raises(ValueError, match=r"`policy.inverse_dynamics` must be .*Received a NoneType"):
        learn(make_policy(walks()))


def test_a_context_for_a_denoiser_without(walks, make_policy) -> None:
    with pytest.raises(ValueError, match=r"`context` needs a denoiser .*Received a ResidualMLP"):
        make_policy(walks(), context=[1.0])
