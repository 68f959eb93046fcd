"""Windows that move, pairs of time steps, and rewards of ways that are longer than the window."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings, TrajectoryLayout
from rlpriors.agents.irl.progress import (
    movement_weights,
    path_penalty,
    progress_loss,
    rest_penalty,
    sample_pairs,
)
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer
from rlpriors.data.normalize import Normalizer
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings


def episode(obs) -> Episode:
    obs = np.asarray(obs, np.float32).reshape(len(obs), -1)
    n = len(obs) - 1
    return Episode(obs, np.zeros((n, 1)), *np.zeros((3, n)))


def identity_layout(horizon: int, stride: int, obs_dim: int) -> TrajectoryLayout:
    return TrajectoryLayout(horizon, stride, Normalizer.identity(obs_dim), Normalizer.identity(1))


def test_windows_are_drawn_as_far_as_they_move() -> None:
    # Windows of 2 time steps, 2 environment steps apart, move by 2, 2 and 1.
    store = EpisodeStore.from_episodes([episode([[0, 0], [1, 5], [2, 0], [3, 5], [3, 0], [3, 5], [3, 0]])])
    windows = WindowBuffer(store, 2, 2, None, seed=0)
    assert windows.starts.tolist() == [0, 1, 2]
    layout = identity_layout(2, 2, 2)
    weights = movement_weights(windows, layout, torch.tensor([1.0, 1.0, 9.0]), 1.0)
    np.testing.assert_allclose(weights, [2 / 5, 2 / 5, 1 / 5])
    half = movement_weights(windows, layout, torch.tensor([1.0, 1.0, 9.0]), 0.5)
    np.testing.assert_allclose(half, weights / 2 + 1 / 6)
    # An entry of four times the variation counts half as much.
    jumps = EpisodeStore.from_episodes([episode([[0, 0], [0, 2], [1, 2], [1, 2]])])
    windows = WindowBuffer(jumps, 2, 1, None, seed=0)
    weights = movement_weights(windows, identity_layout(2, 1, 2), torch.tensor([1.0, 4.0, 1.0]), 1.0)
    np.testing.assert_allclose(weights, [1 / 2, 1 / 2])


def test_windows_that_never_move_are_drawn_equally() -> None:
    store = EpisodeStore.from_episodes([episode(np.ones((6, 1)))])
    windows = WindowBuffer(store, 2, 1, None, seed=0)
    weights = movement_weights(windows, identity_layout(2, 1, 1), torch.ones(2), 1.0)
    np.testing.assert_allclose(weights, np.full(4, 0.25))


def test_pairs_are_of_one_episode_and_in_order() -> None:
    store = EpisodeStore.from_episodes([episode(np.arange(n + 1.0)) for n in (40, 60, 200)])
    windows = WindowBuffer(store, 3, 2, None, seed=0)
    earlier, later = sample_pairs(windows, 2000, np.random.default_rng(0))
    number = store.episode_of[earlier]
    assert set(number) == {0, 1, 2}
    assert (number == store.episode_of[later]).all()
    time, time_later = (steps - store.step_starts[number] for steps in (earlier, later))
    for episode_number, last in ((0, 36), (1, 56), (2, 196)):  # the last time that two time steps follow
        chosen = number == episode_number
        assert (time <= time_later)[chosen].all()
        assert last - 8 <= time_later[chosen].max() <= last
        assert (time < time_later)[chosen & (time < last)].all()  # never the same one where another exists
    long = (number == 2) & (time < 150)
    shares = np.log((later - earlier)[long]) / np.log(196 - time[long] + 1)
    assert 0.35 < shares.mean() < 0.5  # uniform, and rounded down


def test_pairs_may_be_limited_to_near_ones() -> None:
    windows = WindowBuffer(EpisodeStore.from_episodes([episode(np.arange(101.0))]), 4, 2, None, seed=0)
    earlier, later = sample_pairs(windows, 500, np.random.default_rng(0), longest=8)
    assert set(later - earlier) == {0, *range(1, 9)}  # 0 at the end of the episode only
    assert (earlier[later == earlier] == 96).all()


def test_pairs_follow_the_probabilities_of_the_windows() -> None:
    store = EpisodeStore.from_episodes([episode(np.arange(101.0))])
    windows = WindowBuffer(store, 4, 2, None, seed=0)
    windows.set_probabilities((windows.starts == 40).astype(float))
    earlier, _ = sample_pairs(windows, 100, np.random.default_rng(0))
    assert set(earlier) == set(range(40, 48))  # a window of 8 steps


def test_the_losses_of_ways() -> None:
    earlier, length = torch.zeros(3), torch.tensor([1.0, 1.0, 0.0])
    later = torch.tensor([5.0, -10.0, 2.5])  # changes of 1, -2 and 1/2 mean windows
    assert float(progress_loss(earlier, later, length)) == pytest.approx(5 * (0 + 9 + 1 / 4) / 3)
    assert float(path_penalty(earlier, later, length)) == pytest.approx(5 * (0 + 1 + 1 / 4) / 3)


def test_the_slope_of_a_reward_at_rest() -> None:
    x = torch.tensor(
        [[[1.0, 2.0, 9.0], [0.0, 0.0, 9.0]], [[3.0, 0.0, 9.0], [0.0, 1.0, 9.0]]], requires_grad=True
    )
    rewards = (
        x[:, 0, 0] ** 2 + 3 * x[:, 1, 1] + 7 * x[:, 0, 2]
    )  # slopes (2x, 0) now and (0, 3) next; no action
    assert rest_penalty(rewards, x, obs_dim=2).item() == pytest.approx(((4 + 9) + (36 + 9)) / 2)


def test_the_highest_reward_is_where_demonstrations_rest(make_algorithm, train) -> None:
    """They rest at 0.4, and the data end at 0.5: nothing lowers the reward beyond."""
    rng = np.random.default_rng(0)
    data = EpisodeStore.from_episodes(
        [episode(np.linspace(a, b, 21)) for a, b in rng.uniform(-1, 0.5, (100, 2))]
    )
    way = np.concatenate([np.linspace(-1, 0.4, 30), np.full(40, 0.4)])
    demonstrations = EpisodeStore.from_episodes([episode(way[start:]) for start in range(0, 28, 3)])

    def peak(weight: float) -> float:
        settings = DiffusionIRLSettings(rest_penalty=weight)
        training = {"lr": 0.02, "hidden": (32, 32), "n_updates": 200}
        algorithm = make_algorithm(DiffusionIRL, data, prior_data=data, settings=settings, **training)
        train(algorithm, demonstrations, 200, batch_size=32)
        x = np.linspace(-1, 1, 81, dtype=np.float32)[:, None]
        return float(x[algorithm.reward.score(x, 0 * x, x).argmax(), 0])

    assert peak(0.1) == pytest.approx(0.4, abs=0.08)
    assert abs(peak(0.0) - 0.4) > 0.1


@pytest.fixture
def line() -> EpisodeStore:
    """Ten demonstrations of a way of 60 steps along a line with windows of 8, then 60 steps of rest."""
    rng = np.random.default_rng(0)
    ways = [np.concatenate([np.linspace(-1, 1, 61), np.ones(60)]) for _ in range(10)]
    return EpisodeStore.from_episodes([episode(way + 0.01 * rng.standard_normal(len(way))) for way in ways])


def test_a_way_of_many_windows_is_learned(line, make_algorithm, train) -> None:
    both_ways = EpisodeStore.from_episodes(
        [episode(sign * line.episode(i).obs) for i in range(10) for sign in (1, -1)]
    )

    algorithm = make_algorithm(DiffusionIRL, both_ways, lr=1e-2, prior_data=both_ways)
    train(algorithm, line, 40, batch_size=16)
    x = np.linspace(-0.9, 0.9, 50, dtype=np.float32)[:, None]
    assert spearmanr(x[:, 0], algorithm.reward.score(x, 0 * x, x)).statistic > 0.99


def test_states_without_demonstrations_are_as_bad_as_they_are_far(make_algorithm, train) -> None:
    """Demonstrations rest at the middle of a line, and come from its left half only."""
    rng = np.random.default_rng(0)
    ends = rng.uniform(-1, 1, (100, 2))
    data = EpisodeStore.from_episodes([episode(np.linspace(a, b, 21)) for a, b in ends])
    way = np.concatenate([np.linspace(-1, 0, 26), np.zeros(40)])
    demonstrations = EpisodeStore.from_episodes([episode(way[start:]) for start in range(0, 25, 3)])

    def depths(weight: float) -> tuple[float, float]:
        """Return how much lower the reward is at the left and the right end than in the middle."""
        settings = DiffusionIRLSettings(path_penalty=weight)
        training = {"lr": 0.02, "hidden": (32, 32), "n_updates": 200}
        algorithm = make_algorithm(DiffusionIRL, data, prior_data=data, settings=settings, **training)
        train(algorithm, demonstrations, 200, batch_size=32)
        x = np.array([[-0.9], [0.0], [0.9]], np.float32)
        left, middle, right = algorithm.reward.score(x, 0 * x, x).tolist()
        return middle - left, middle - right

    left, right = depths(20.0)
    assert 0.7 < right / left < 1.4
    left, right = depths(0.0)
    assert right / left > 1.6


def test_batches_contain_the_way(line, make_algorithm) -> None:
    def mean_distance(fraction: float) -> float:
        settings = DiffusionIRLSettings(movement_fraction=fraction)
        algorithm = make_algorithm(DiffusionIRL, line, settings=settings)
        window = algorithm.process_buffer(to_buffer(line)).sample(500)[0]
        return float((window.obs[:, -1] - window.obs[:, 0]).abs().mean())

    assert mean_distance(1.0) > 0.2 > 0.15 > mean_distance(0.0)


def test_a_value_of_windows_has_no_progress(line, make_policy, make_algorithm) -> None:
    policy = make_policy(line)
    value = TrajectoryValue(TrajectoryValueSettings(8, policy.layout.dim))
    settings = DiffusionIRLSettings(progress_weight=1.0)
    algorithm = make_algorithm(DiffusionIRL, line, policy=policy, reward=value, settings=settings)
    with pytest.raises(ValueError, match=r"`progress_weight` must be 0 for a TrajectoryValue.*Received 1\.0"):
        algorithm.process_buffer(to_buffer(line))
