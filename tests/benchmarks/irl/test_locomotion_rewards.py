"""Correlations of the rewards of Hopper and HalfCheetah."""

import numpy as np
from benchmarks.irl.locomotion_rewards import step_quantities, table

from rlpriors.data.episodes import Episode, EpisodeStore


def test_each_step_has_the_quantities_that_rewards_are_correlated_with() -> None:
    def episode(length: int, speed: float) -> Episode:
        obs = np.stack([np.arange(length + 1.0), np.full(length + 1, speed)], 1)
        return Episode(obs, np.zeros((length, 1)), np.ones(length), *np.zeros((2, length), bool))

    store = EpisodeStore.from_episodes([episode(3, 1.0), episode(2, 5.0)])
    assert {name: value.tolist() for name, value in step_quantities(store, speed=1).items()} == {
        "true_reward": [1.0] * 5,
        "speed": [1.0, 1.0, 1.0, 5.0, 5.0],
        "height": [0.0, 1.0, 2.0, 0.0, 1.0],
        "steps_left": [2, 1, 0, 1, 0],
        "episode_index": [0, 0, 0, 1, 1],
    }


def test_the_table_shows_mean_and_range_over_seeds() -> None:
    rows = [["hopper", "gail", str(seed), *[str(seed / 2)] * 5] for seed in (0, 1)]
    assert "| hopper | gail | 2 | 0.25 (0.00 to 0.50) |" in table(rows)
