"""TrajectoryDiffusion: what an update changes, and a short real training."""

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.utils import TensorboardLogger  # noqa: TID251 - that it reads our statistics is tested here
from torch.utils.tensorboard import SummaryWriter  # noqa: TID251

from rlpriors.agents import TrajectoryDiffusion, TrajectoryLayout
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import ContextDenoiser
from rlpriors.networks import build_denoiser
from rlpriors.types import Window

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


@pytest.mark.parametrize("device", DEVICES)
def test_the_loss_falls_and_tensorboard_shows_it(walks, make_algorithm, train, tmp_path, device: str) -> None:
    data = walks()
    algorithm = make_algorithm(TrajectoryDiffusion, data, lr=3e-3, device=device)
    writer = SummaryWriter(tmp_path)
    train(algorithm, data, 100, batch_size=64, logger=TensorboardLogger(writer, update_interval=1))
    writer.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert "update/loss" in events.Tags()["scalars"]
    losses = [event.value for event in events.Scalars("update/loss")]
    assert len(losses) == 100
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    assert algorithm.policy.plan(np.zeros((3, 2))).device.type == device


def test_only_the_copy_is_trained_and_the_average_follows(walks, make_algorithm, train) -> None:
    data = walks()
    algorithm = make_algorithm(TrajectoryDiffusion, data, ema_decay=0.75)
    policy = algorithm.policy
    before = [p.clone() for p in policy.denoiser.parameters()]
    assert all(torch.equal(p, q) for p, q in zip(algorithm.online.parameters(), before, strict=True))
    train(algorithm, data, 1)
    for average, first, online in zip(
        policy.denoiser.parameters(), before, algorithm.online.parameters(), strict=True
    ):
        assert average.grad is None
        assert not average.requires_grad
        assert online.requires_grad
        torch.testing.assert_close(average, 0.75 * first + 0.25 * online.detach())
    moved = [not torch.equal(p, q) for p, q in zip(policy.denoiser.parameters(), before, strict=True)]
    assert any(moved)


def test_an_average_without_memory_is_the_copy(walks, make_algorithm, train) -> None:
    data = walks()
    algorithm = make_algorithm(TrajectoryDiffusion, data, ema_decay=0.0)
    train(algorithm, data, 2)
    for average, online in zip(
        algorithm.policy.denoiser.parameters(), algorithm.online.parameters(), strict=True
    ):
        torch.testing.assert_close(average, online)


def test_the_same_windows_can_be_learned_again_with_their_average(walks, make_algorithm, train) -> None:
    data = walks()
    first = make_algorithm(TrajectoryDiffusion, data)
    train(first, data, 2)
    second = make_algorithm(TrajectoryDiffusion, data, policy=first.policy)
    train(second, data, 1)
    assert all(p.grad is not None for p in second.online.parameters())


def test_gradients_are_bounded(walks, make_policy) -> None:
    algorithm = TrajectoryDiffusion(
        policy=make_policy(walks()), optim=AdamOptimizerFactory(lr=1e-3), max_grad_norm=1e-3
    )
    loss = sum(p.square().sum() for p in algorithm.online.parameters())
    algorithm.optim.step(loss)
    norm = torch.cat([p.grad.flatten() for p in algorithm.online.parameters()]).norm()
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)


def test_plans_come_to_look_like_the_data(walks, make_algorithm, train) -> None:
    # Walks that only go right, by about 0.05 a step: so do the plans, after a short training.
    data = walks(n=50, drift=0.5)
    algorithm = make_algorithm(TrajectoryDiffusion, data, lr=1e-2, ema_decay=0.9, n_updates=200)
    train(algorithm, data, 200, batch_size=64)
    obs, _ = algorithm.policy.layout.unpack(algorithm.policy.plan(np.zeros((50, 2))))
    speed = (obs[:, -1] - obs[:, 0]).mean(0) / 7
    assert bool(((speed > 0.025) & (speed < 0.075)).all()), speed


@pytest.mark.parametrize("ema_decay", [-0.1, 1.0])
def test_bad_average(walks, make_algorithm, ema_decay: float) -> None:
    with pytest.raises(ValueError, match=rf"`ema_decay` must be in \[0, 1\)\. Received {ema_decay}"):
        make_algorithm(TrajectoryDiffusion, walks(), ema_decay=ema_decay)


def test_one_long_episode_is_enough(walks, make_algorithm, train) -> None:
    data: EpisodeStore = walks(n=1, steps=8)  # holds exactly one window
    algorithm = make_algorithm(TrajectoryDiffusion, data)
    train(algorithm, data, 2)
    assert int(algorithm.updates) == 2


def final_place(window: Window) -> torch.Tensor:
    return window.obs[:, -1, :1]


def test_a_context_is_learned_and_asks_for_its_windows(walks, make_policy, train) -> None:
    data = walks(n=100, dim=1)
    layout = TrajectoryLayout.fit(data, horizon=8)
    torch.manual_seed(0)
    network = build_denoiser("mlp", horizon=8, dim=layout.dim + 1 + 1, width=64, blocks=1)
    policy = make_policy(data, denoiser=ContextDenoiser(network, context_dim=1))
    algorithm = TrajectoryDiffusion(
        policy=policy, optim=AdamOptimizerFactory(lr=3e-3), ema_decay=0.9, context=final_place
    )
    train(algorithm, data, 150, batch_size=64)
    ends = []
    for place in (-0.3, 0.3):
        policy.context = [place]
        obs, _ = policy.layout.unpack(policy.plan(np.zeros((64, 1))))
        ends.append(float(obs[:, -1].mean()))
    assert ends[1] - ends[0] > 0.2


def test_a_context_needs_a_denoiser_that_takes_one(walks, make_algorithm) -> None:
    with pytest.raises(ValueError, match="`context` needs a policy whose denoiser is a `ContextDenoiser`"):
        make_algorithm(TrajectoryDiffusion, walks(), context=final_place)
    with pytest.raises(ValueError, match=r"`context_dropout` must be in \[0, 1\]\. Received 2"):
        make_algorithm(TrajectoryDiffusion, walks(), context_dropout=2.0)
