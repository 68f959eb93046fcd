"""Memory benchmark: wrapped steps, the growth and the slope."""

from pathlib import Path

import pytest
from benchmarks.robustness.memory import make_wrapped, measure, resident_memory, summarize
from benchmarks.tables import read_csv, write_csv


def test_a_wrapped_step_has_features_and_a_learned_reward() -> None:
    envs = make_wrapped(2)
    obs, _ = envs.reset(seed=0)
    assert obs.shape == (2, 8)  # two frames of four features
    obs, rewards, terminated, truncated, _ = envs.step([0, 1])
    assert obs.shape == (2, 8)
    assert rewards.shape == (2,)
    assert rewards.any()
    assert not (terminated | truncated).any()
    for _ in range(19):
        *_, terminated, truncated, _ = envs.step([0, 1])
    assert (terminated | truncated).tolist() == [True, False]


def test_memory_is_measured_at_each_point(tmp_path: Path) -> None:
    rows = list(measure(4, 2))
    assert [step for step, _ in rows] == [0, 1, 2, 3, 4]
    assert all(50 < memory < 10_000 for _, memory in rows)
    assert abs(resident_memory() - rows[-1][1]) < 100
    write_csv(tmp_path / "memory.csv", ("steps", "MiB"), rows)
    assert len(read_csv(tmp_path / "memory.csv")) == 5


def test_growth_begins_at_a_tenth_of_the_steps() -> None:
    rows = [(0, 10.0), (100, 50.0), (500, 52.0), (1000, 54.5)]
    growth, slope = summarize(rows)
    assert growth == 4.5
    assert slope == pytest.approx(5000, rel=0.01)  # MiB per million steps: 0.5 per 100
