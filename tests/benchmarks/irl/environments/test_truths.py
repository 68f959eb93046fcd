"""Agreement with the step reward and with progress: hand-worked values."""

import numpy as np
import pytest
import torch
from benchmarks.irl.environments.truths import mean_future_reward, truth_metrics

from rlpriors.data.episodes import Episode, EpisodeStore


def episode(rewards: list[float], terminated: bool) -> Episode:
    n = len(rewards)
    ends = np.arange(n) == n - 1
    return Episode(
        np.arange(n + 1.0)[:, None],
        np.zeros((n, 1)),
        np.array(rewards),
        ends & terminated,
        ends & (not terminated),
    )


def test_progress_counts_zeros_after_a_termination_only() -> None:
    store = EpisodeStore.from_episodes([episode([1.0, 2.0], True), episode([1.0, 2.0], False)])
    # Terminated: (2 / 2, (1 + 2 / 2) / 2) backwards; truncated: (2 / 1, (1 + 2 / 2) / 1.5).
    assert mean_future_reward(store, 0.5).tolist() == pytest.approx([1.0, 1.0, 4 / 3, 2.0])


def test_metrics_have_the_truth_and_the_coverage_in_their_names() -> None:
    store = EpisodeStore.from_episodes([episode([0.0, 1.0, 4.0, 9.0], False)])

    def reward(obs: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        return obs[:, 0]

    metrics = truth_metrics(reward, store, "step", None, 0.9, "_mixed")
    assert metrics["step_spearman_mixed"] == pytest.approx(1)
    assert metrics["step_pearson_mixed"] == pytest.approx(np.corrcoef([0, 1, 2, 3], [0, 1, 4, 9])[0, 1])
    assert set(metrics) == {"step_pearson_mixed", "step_spearman_mixed"}  # no function, no EPIC
    with_function = truth_metrics(reward, store, "progress", reward, 0.9)
    assert with_function["progress_pearson"] == pytest.approx(1)
    assert with_function["progress_epic"] == pytest.approx(0, abs=1e-6)


def test_constant_rewards_have_no_correlation_and_constant_truths_no_metrics() -> None:
    store = EpisodeStore.from_episodes([episode([0.0, 1.0, 4.0], False)])

    def constant(obs: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(obs))

    assert truth_metrics(constant, store, "step", None, 0.9) == {"step_pearson": 0.0, "step_spearman": 0.0}
    assert truth_metrics(constant, store, "step", constant, 0.9) == {}
