"""C51 with self-prediction: targets, masked errors, gradients, equal updates, learning in Catch."""

import math
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, PrioritizedReplayBuffer, ReplayBuffer

from rlpriors.agents import (
    SelfPredictionSettings,
    SelfPredictiveC51,
    make_pixel_policy,
)
from rlpriors.agents.resumable import restore_training, training_state
from rlpriors.agents.self_prediction.augmentation import augment_frames
from rlpriors.agents.self_prediction.windows import FutureSteps
from rlpriors.envs import make_env
from rlpriors.training.online import OnlineSettings, train_online

SPACE = gym.spaces.Box(0, 255, (1, 12, 12), np.uint8)
LAYERS = ((8, 4, 2),)


def make(n_step: int = 3, weight: float = 2.0, **options: Any) -> SelfPredictiveC51:
    policy = make_pixel_policy(
        SPACE,
        gym.spaces.Discrete(3),
        layers=LAYERS,
        hidden=16,
        n_atoms=5,
        v_min=-2.0,
        v_max=2.0,
        device="cpu",
    )
    settings = SelfPredictionSettings(weight=weight, n_steps=3, shift=1, **options)
    policy.is_within_training_step = True
    return SelfPredictiveC51(
        policy=policy, optim=AdamOptimizerFactory(lr=1e-3), settings=settings, gamma=0.5, n_step=n_step
    )


def fill(buffer: ReplayBuffer, n: int = 30) -> ReplayBuffer:
    """Frames of random pixels in episodes of 6 steps; the reward of step t is t."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (n + 1, 1, 12, 12), np.uint8)
    for t in range(n):
        done = t % 6 == 5
        buffer.add(
            Batch(
                obs=frames[t],
                act=int(rng.integers(3)),
                rew=float(t),
                terminated=done,
                truncated=False,
                obs_next=frames[t + 1],
                info={},
            )
        )
    return buffer


@pytest.mark.parametrize("n_step", [1, 3])
def test_targets_bootstrap_from_the_nth_observation(n_step: int) -> None:
    """Step 1 reads frame 1 + n; step 4 reads the end of its episode, whose value does not count."""
    algorithm, buffer = make(n_step), fill(ReplayBuffer(40))
    indices = np.array([1, 4])
    batch: Any = algorithm._preprocess_batch(buffer[indices], buffer, indices)
    frames = buffer.obs_next[[n_step, min(5, 3 + n_step)]]
    np.testing.assert_array_equal(batch.obs_next, frames)
    rewards = sum(0.5**k * (1 + k) for k in range(n_step))
    atoms = torch.linspace(-2, 2, 5)
    torch.testing.assert_close(batch.returns[0].float(), rewards + 0.5**n_step * atoms)
    if n_step == 3:
        torch.testing.assert_close(batch.returns[1].float(), torch.full((5,), 4 + 0.5 * 5.0))


def test_errors_of_masked_steps_do_not_count() -> None:
    algorithm, rng = make(), np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 3, 1, 12, 12), np.uint8)
    act = np.zeros((2, 3), np.int64)
    algorithm.network.eval()  # the transition model normalizes by fixed statistics
    maps = algorithm.network.encode(algorithm.network.prepare(frames[:, 0]))

    def errors(mask: list[list[bool]]) -> torch.Tensor:
        steps = FutureSteps(act, frames, np.array(mask))
        return algorithm.prediction_errors(maps, steps, torch.Generator().manual_seed(0))

    whole = errors([[True] * 3, [True] * 3])
    parts = [errors([[i == k for i in range(3)]] * 2) for k in range(3)]
    torch.testing.assert_close(sum(parts), whole)
    assert errors([[False] * 3] * 2).tolist() == [0.0, 0.0]
    assert (whole > 0).all()
    assert (whole < 4).all()


def test_a_perfect_prediction_has_no_error() -> None:
    """With a transition and a predictor that copy, frames that do not change are predicted exactly."""
    algorithm = make()
    network = algorithm.network.eval()
    frames = np.repeat(np.random.default_rng(0).integers(0, 256, (2, 1, 1, 12, 12), np.uint8), 3, axis=1)
    network.transition_from = lambda maps, act: maps  # type: ignore[method-assign]
    with torch.no_grad():
        network.predict.weight.copy_(torch.eye(32))
        network.predict.bias.zero_()
    algorithm.settings = SelfPredictionSettings(n_steps=3, shift=0, intensity=0.0)
    maps = network.encode(network.prepare(frames[:, 0]))
    steps = FutureSteps(np.zeros((2, 3), np.int64), frames, np.ones((2, 3), np.bool_))
    found = algorithm.prediction_errors(maps, steps, torch.Generator())
    assert found.tolist() == pytest.approx([0.0, 0.0], abs=1e-5)


def test_weight_zero_leaves_the_transition_model_alone() -> None:
    buffer = fill(ReplayBuffer(40))
    for weight in (0.0, 2.0):
        algorithm = make(weight=weight)
        before = [p.clone() for p in algorithm.network.transition.parameters()]
        stats = algorithm.update(buffer, 8)
        changed = any(
            not torch.equal(a, b)
            for a, b in zip(before, algorithm.network.transition.parameters(), strict=True)
        )
        assert changed == (weight > 0)
        assert (stats.prediction_loss > 0) == (weight > 0)
        assert stats.loss == pytest.approx(stats.value_loss + weight * stats.prediction_loss, rel=1e-5)


def test_targets_are_the_network_with_augmentation_and_its_average_without() -> None:
    assert make().average is None
    algorithm = make(intensity=0.0, decay=0.9)
    assert algorithm.average is not None
    before = algorithm.average.value_hidden.weight.clone()
    algorithm.update(fill(ReplayBuffer(40)), 8)
    expected = before.lerp(algorithm.network.value_hidden.weight, 0.1)
    torch.testing.assert_close(algorithm.average.value_hidden.weight, expected)
    assert SelfPredictionSettings(shift=0, intensity=0.0).target_decay == 0.99
    assert SelfPredictionSettings().target_decay == 0.0


def test_a_prioritized_buffer_gets_errors_and_gives_weights() -> None:
    buffer = fill(PrioritizedReplayBuffer(40, alpha=0.5, beta=0.4))  # type: ignore[arg-type]
    before = [buffer.weight[i] for i in range(30)]
    stats = make().update(buffer, 8)
    assert math.isfinite(stats.loss)
    assert [buffer.weight[i] for i in range(30)] != before


def test_equal_seeds_give_equal_updates_and_a_state_resumes() -> None:
    def train(algorithm: SelfPredictiveC51, n: int) -> SelfPredictiveC51:
        buffer = fill(ReplayBuffer(40))
        for _ in range(n):
            indices = np.arange(8) + int(algorithm.updates)
            batch: Any = algorithm._preprocess_batch(buffer[indices], buffer, indices)
            algorithm._update_with_batch(batch)
        return algorithm

    whole = train(make(intensity=0.1, decay=0.5), 4)
    part = make(intensity=0.1, decay=0.5)
    restore_training(part, training_state(train(make(intensity=0.1, decay=0.5), 2)))
    for name, weight in train(part, 2).state_dict().items():
        if isinstance(weight, torch.Tensor):
            assert torch.equal(weight, whole.state_dict()[name]), name


def test_shifts_move_whole_frames() -> None:
    frame = torch.zeros(200, 1, 5, 5)
    frame[:, :, 2, 2] = 1
    moved = augment_frames(frame, 1, 0.0, torch.Generator().manual_seed(0))
    places = {tuple(place) for place in moved[:, 0].nonzero()[:, 1:].tolist()}
    assert places == {(i, j) for i in (1, 2, 3) for j in (1, 2, 3)}
    assert moved.sum((1, 2, 3)).tolist() == [1.0] * 200
    scaled = augment_frames(torch.ones(2000, 1, 1, 1), 0, 0.05, torch.Generator().manual_seed(0))
    assert (scaled.min().item(), scaled.max().item()) == (pytest.approx(0.9), pytest.approx(1.1))
    assert scaled.std().item() == pytest.approx(0.0478, abs=0.003)


@pytest.mark.slow
def test_catch_is_learned() -> None:
    """A small game: far more than one ball in three is caught after 500 updates."""
    env = partial(make_env, "Catch-v0", rows=4, columns=3, pixels=12)
    spaces = env().observation_space, env().action_space
    policy = make_pixel_policy(
        *spaces, channels_last=True, layers=LAYERS, hidden=32, n_atoms=21, v_min=-1.0, v_max=1.0, device="cpu"
    )
    algorithm = SelfPredictiveC51(
        policy=policy,
        optim=AdamOptimizerFactory(lr=1e-3),
        settings=SelfPredictionSettings(n_steps=2, shift=1),
        n_step=3,
        target_update_interval=50,
    )
    settings = OnlineSettings(
        env_steps=1100, n_envs=1, random_steps=100, collect_steps=2, update_per_step=0.5
    )
    result = train_online(algorithm, env, settings=settings, progress=False)
    assert np.mean([episode.true_return for episode in result.episodes[-60:]]) > 0.6
