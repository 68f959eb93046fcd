"""Moving average of the trained network, equal in all algorithms that keep one."""

import copy

import gymnasium as gym
import pytest
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import DiffusionCloning, DiffusionIRL, DiffusionPolicy, TrajectoryDiffusion


@pytest.fixture(params=["prior", "reward", "cloning"])
def algorithm(request, walks, make_algorithm):
    data = walks()
    if request.param == "prior":
        return make_algorithm(TrajectoryDiffusion, data, ema_decay=0.75)
    if request.param == "reward":
        from rlpriors.agents import DiffusionIRLSettings

        return make_algorithm(DiffusionIRL, data, settings=DiffusionIRLSettings(ema_decay=0.75))
    policy = DiffusionPolicy.fit(data, gym.spaces.Box(-1, 1, (2,)), horizon=4, width=16, device="cpu")
    return DiffusionCloning(policy=policy, optim=AdamOptimizerFactory(1e-2), ema_decay=0.75)


def test_one_update_moves_the_average_by_a_quarter(algorithm, walks, train) -> None:
    before = copy.deepcopy(algorithm.averaged)
    train(algorithm, walks(), 1)
    parameters = zip(
        before.parameters(), algorithm.averaged.parameters(), algorithm.online.parameters(), strict=True
    )
    for old, average, online in parameters:
        torch.testing.assert_close(average, 0.75 * old + 0.25 * online)
    assert int(algorithm.updates) == 1


def test_only_the_trained_network_has_gradients(algorithm) -> None:
    assert all(parameter.requires_grad for parameter in algorithm.online.parameters())
    assert not any(parameter.requires_grad for parameter in algorithm.averaged.parameters())


def test_the_decay_has_bounds(walks, make_algorithm) -> None:
    with pytest.raises(ValueError, match=r"`ema_decay` must be in \[0, 1\)\. Received 1"):
        make_algorithm(TrajectoryDiffusion, walks(), ema_decay=1.0)
