"""Hopper and HalfCheetah on recorded episodes: splits, normalization and scores."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.irl.environments import return_correlation
from benchmarks.irl.environments.locomotion import DATA, LocomotionEnvironment
from benchmarks.irl.environments.registry import make_environment

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.trajectory_sets import read_trajectory_sets


@pytest.mark.parametrize("name", ["hopper", "halfcheetah"])
def test_saved_trajectory_sets_restore_the_episodes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_correlation, "FOLDER", tmp_path)
    for quick, seed in ((True, 3), (False, 100), (False, 3)):  # only the last one is a result
        assert not list(tmp_path.iterdir())
        environment = make_environment(name, quick=quick)
        environment.seed = seed
        sets = environment.trajectory_sets
    files = {"base": "replay", "expert": "expert"}
    stores = {
        source: EpisodeStore.load(DATA / f"{environment.env_id.lower()}-{kind}.safetensors")
        for source, kind in files.items()
    }
    again = read_trajectory_sets(tmp_path / f"{name}-seed3.json", stores)
    assert [one.name for one in again] == ["base", "mixed"]
    for before, after in zip(sets, again, strict=True):
        for column in ("obs", "act", "rew", "lengths"):
            np.testing.assert_array_equal(getattr(before.store, column), getattr(after.store, column))


@pytest.mark.parametrize("name", ["hopper", "halfcheetah"])
def test_evaluation_episodes_are_not_used_for_training(name: str) -> None:
    environment = make_environment(name, quick=True)
    environment.seed = 3
    data, demos = environment.data(3, 0)
    base, mixed = environment.trajectory_sets
    assert demos.n_episodes == 8
    assert mixed.store.n_episodes == base.store.n_episodes + 8
    assert base.store.n_episodes == (data.n_episodes + base.store.n_episodes) // 4
    training = {demos.episode(i).act.tobytes() for i in range(8)}
    training |= {data.episode(i).act.tobytes() for i in range(data.n_episodes)}
    evaluation = {mixed.store.episode(i).act.tobytes() for i in range(mixed.store.n_episodes)}
    assert not training & evaluation
    assert not np.array_equal(environment.data(4, 0)[1].rew[:1000], demos.rew[:1000])


def test_returns_are_normalized_by_the_scores_of_d4rl() -> None:
    hopper, cheetah = LocomotionEnvironment("Hopper-v5"), LocomotionEnvironment("HalfCheetah-v5")
    assert (hopper.normalized(-20.27), hopper.normalized(3234.3)) == (0.0, 1.0)
    assert cheetah.normalized(12135.0 / 2 - 280.18 / 2) == pytest.approx(0.5)


def test_a_reward_equal_to_the_recorded_one_up_to_scale_is_perfect() -> None:
    environment = make_environment("halfcheetah", quick=True)
    environment.seed = 0
    mixed = environment.trajectory_sets[1].store
    after = np.delete(mixed.obs, np.cumsum(mixed.lengths + 1) - mixed.lengths - 1, axis=0)
    true_rewards = {row.tobytes(): rew for row, rew in zip(after, mixed.rew, strict=True)}

    def reward(obs: object, act: object, obs_next: torch.Tensor, terminated: object) -> torch.Tensor:
        return torch.tensor([2 * true_rewards[row.tobytes()] - 1 for row in obs_next.numpy()])

    metrics = environment.score_reward(reward, environment.data(0, 0)[0])
    for metric in ("pearson", "spearman", "erc_pearson_mixed", "erc_spearman_base", "preference_mixed"):
        assert metrics[metric] == pytest.approx(1), metric
    assert metrics["pearson_distance"] == pytest.approx(0, abs=1e-3)
