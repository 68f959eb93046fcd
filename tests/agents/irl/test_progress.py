"""Windows that move, pairs of time steps in order, and a reward that learns a way longer than the window."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings, TrajectoryLayout
from rlpriors.agents.irl.progress import movement_weights, progress_loss, sample_pairs
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
    # The observation is the episode's number and the time.
    store = EpisodeStore.from_episodes(
        [episode(np.stack([np.full(n + 1, i), np.arange(n + 1)], 1)) for i, n in enumerate((40, 60, 200))]
    )
    windows = WindowBuffer(store, 3, 2, None, seed=0)
    earlier, later = sample_pairs(windows, identity_layout(3, 2, 2), 2000, np.random.default_rng(0))
    assert earlier.obs.shape == (2000, 2, 2)
    assert torch.equal(earlier.obs[:, 0, 0], later.obs[:, 0, 0])
    assert torch.equal(earlier.obs[:, 1, 1], earlier.obs[:, 0, 1] + 2)
    assert set(earlier.obs[:, 0, 0].tolist()) == {0, 1, 2}
    for number, last in ((0, 36), (1, 56), (2, 196)):  # the last time that two time steps follow
        times = [part.obs[part.obs[:, 0, 0] == number, 0, 1] for part in (earlier, later)]
        assert (times[0] <= times[1]).all()
        assert last - 8 <= float(times[1].max()) <= last
        assert (times[0] < times[1])[times[0] < last].all()  # never the same one where another exists
    gaps = (later.obs - earlier.obs)[earlier.obs[:, 0, 0] == 2, 0, 1]
    first_times = earlier.obs[earlier.obs[:, 0, 0] == 2, 0, 1]
    shares = torch.log(gaps) / torch.log(196 - first_times + 1)
    assert 0.35 < float(shares[first_times < 150].mean()) < 0.5  # uniform, and rounded down


def test_pairs_follow_the_probabilities_of_the_windows() -> None:
    store = EpisodeStore.from_episodes([episode(np.arange(101.0))])
    windows = WindowBuffer(store, 4, 2, None, seed=0)
    windows.set_probabilities((windows.starts == 40).astype(float))
    earlier, _ = sample_pairs(windows, identity_layout(4, 2, 1), 100, np.random.default_rng(0))
    assert set(earlier.obs[:, 0, 0].tolist()) == set(range(40, 48))  # a window of 8 steps


def test_the_progress_loss() -> None:
    loss = progress_loss(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 4.0]))
    assert float(loss) == pytest.approx((np.log(2) + np.log1p(np.exp(-3))) / 2)


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
