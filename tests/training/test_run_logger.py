"""Charts of Tianshou's trainers: grouped tags, and nothing that is constant."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rlpriors.training.run_logger import RunLogger
from rlpriors.training.tracking.csv_files import CsvWriter


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[CsvWriter]:
    with closing(CsvWriter(tmp_path)) as writer:
        yield writer


def logged(folder: Path) -> list[tuple[int, str, float]]:
    rows = (line.split(",") for line in (folder / "scalars.csv").read_text().splitlines()[1:])
    return [(int(step), tag, float(value)) for step, tag, value in rows]


def update(loss: float) -> dict[str, object]:
    return {
        "train_time": 0.002,
        "loss": loss,
        "objective": {"accuracy": 0.75},
        "smoothed_loss": {"loss": -1.0, "objective/accuracy": -1.0, "reward_gap": 2.0},
    }


def collection(n_episodes: int, learned: float, true: float | None) -> dict[str, object]:
    return {
        "n_collected_episodes": n_episodes,
        "returns_stat": {"mean": learned, "std": 0.0} if n_episodes else None,
        "lens_stat": {"mean": 50.0} if n_episodes else None,
        "collect_speed": 400.0,
        **({} if true is None else {"env_returns_stat": {"mean": true}}),
    }


def test_losses_keep_their_own_value_and_take_what_only_the_smoothed_ones_have(
    tmp_path: Path, writer: CsvWriter
) -> None:
    logger = RunLogger(writer, "reward", length=100)
    logger.log_update_data(update(0.5), step=1)
    assert logged(tmp_path) == [
        (1, "reward/loss", 0.5),
        (1, "reward/objective_accuracy", 0.75),
        (1, "reward/reward_gap", 2.0),
        (1, "speed/reward_update_ms", 2.0),
    ]


@pytest.mark.parametrize(("length", "steps"), [(6, [1, 2, 3, 4, 5, 6]), (1000, [1, 5])])
def test_short_trainings_have_every_update_and_long_ones_two_hundred(
    tmp_path: Path, writer: CsvWriter, length: int, steps: list[int]
) -> None:
    logger = RunLogger(writer, "prior", length=length)
    for step in range(1, 7):
        logger.log_update_data(update(0.0), step)
    assert [step for step, tag, _ in logged(tmp_path) if tag == "prior/loss"] == steps


def test_returns_are_drawn_over_environment_steps_and_so_are_losses(
    tmp_path: Path, writer: CsvWriter
) -> None:
    logger = RunLogger(writer, "policy", length=100, first=1000, learned=True)
    logger.log_training_data(collection(0, 0.0, None), step=8)  # no episode ended
    logger.log_update_data(update(0.5), step=3)
    logger.log_training_data(collection(2, learned=3.0, true=-1.0), step=16)
    rows = {tag: (step, value) for step, tag, value in logged(tmp_path)}
    assert rows["update/loss"] == (1008, 0.5)
    assert rows["policy/learned_return"] == (1016, 3.0)
    assert rows["policy/true_return"] == (1016, -1.0)
    assert rows["policy/episode_length"] == (1016, 50.0)
    assert rows["speed/policy_steps_per_second"] == (1016, 400.0)


def test_a_collector_without_true_returns_has_one_return(tmp_path: Path, writer: CsvWriter) -> None:
    logger = RunLogger(writer, "policy", length=100)
    logger.log_training_data(collection(2, learned=3.0, true=None), step=16)
    assert {tag for _, tag, _ in logged(tmp_path) if tag.startswith("policy/")} == {
        "policy/return",
        "policy/episode_length",
    }


def test_a_checkpoint_once_an_epoch(tmp_path: Path, writer: CsvWriter) -> None:
    logger, saved = RunLogger(writer, "prior", length=10), []

    def save(*counts: int) -> str:
        saved.append(counts)
        return ""

    for epoch in (1, 1, 2):
        logger.save_data(epoch, 0, 5, save)
    assert saved == [(1, 0, 5), (2, 0, 5)]
    assert logged(tmp_path) == []
