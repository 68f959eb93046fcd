"""Page of a run: settings, results, main charts and HParams; names of the destinations."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from rlpriors.scripts.main import COMMANDS
from rlpriors.scripts.run_args import PolicyArgs, TrackedArgs
from rlpriors.training.tracking.names import check_trackers
from rlpriors.training.tracking.page import CHARTS
from rlpriors.training.tracking.run_tracker import RunTracker, use_tracker


@dataclass(frozen=True)
class Reward:
    lr: float = 0.005
    steps: int = 3


@dataclass(frozen=True)
class Settings:
    env: str
    seed: int = 0
    goal: tuple[int, int] | None = None
    batch_size: int = 64
    reward: Reward = field(default_factory=Reward)


SETTINGS = Settings("UMaze", goal=(1, 2), reward=Reward(lr=0.1))
RESULTS = {"stay": 0.98765, "env": "UMaze", "trained": {"return": -2.0}, "seconds": 9.5}


@pytest.fixture
def events(tmp_path: Path) -> EventAccumulator:
    tracker = RunTracker(tmp_path)
    tracker.overview(SETTINGS, "learn-prior")
    tracker.results(SETTINGS, RESULTS, ("stay", "trained.return", "unknown"))
    tracker.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    return events


def text(events: EventAccumulator, tag: str) -> str:
    (content,) = events.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val
    return content.decode()


def test_settings_and_results_are_tables(events: EventAccumulator) -> None:
    assert text(events, "settings").splitlines() == [
        "| setting | value |",
        "| --- | --- |",
        "| env | UMaze |",
        "| seed | 0 |",
        "| goal | [1, 2] |",
        "| batch_size | 64 |",
        "| reward.lr | 0.1 |",
        "| reward.steps | 3 |",
    ]
    assert "| trained.return | -2 |" in text(events, "results")
    assert "| env | UMaze |" in text(events, "results")


def test_the_main_results_are_the_only_numbers_of_one_point(events: EventAccumulator) -> None:
    assert {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]} == {
        "summary/stay": pytest.approx(0.98765),
        "summary/trained.return": -2.0,
    }


def test_hparams_are_the_seed_and_what_differs_from_the_defaults(events: EventAccumulator) -> None:
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert set(hparams) == {"env", "seed", "goal", "reward.lr", "reward.steps"}
    assert hparams["seed"].number_value == 0
    assert hparams["reward.lr"].number_value == 0.1
    assert hparams["goal"].string_value == "(1, 2)"


def test_the_layout_has_the_charts_of_the_command(events: EventAccumulator) -> None:
    layout = Layout.FromString(events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    [category] = layout.category
    assert category.title == "learn-prior"
    assert [list(chart.multiline.tag) for chart in category.chart] == [["prior/loss"]]


def test_each_tracked_command_has_at_most_four_charts() -> None:
    tracked = {
        name for name, command in COMMANDS.items() if issubclass(command.run_args or object, TrackedArgs)
    }
    assert tracked == set(CHARTS)
    assert all(1 <= len(charts) <= 4 for charts in CHARTS.values())


def test_a_tracker_that_is_given_stays_open(tmp_path: Path) -> None:
    tracker = RunTracker(tmp_path, "csv")
    with use_tracker(tracker, tmp_path / "other") as used:
        assert used is tracker
    with use_tracker(["csv", "tensorboard", "csv"], tmp_path) as used:
        assert len(used.destinations) == 2


@pytest.mark.parametrize(
    ("names", "received"), [((), "none"), ("mlflow", "'mlflow'"), (("csv", "a", "b"), "'a', 'b'")]
)
def test_unknown_names_are_refused(names: str | tuple[str, ...], received: str) -> None:
    with pytest.raises(ValueError, match=f"one or several of tensorboard, csv, wandb, trackio.*{received}"):
        check_trackers(names)


@pytest.mark.parametrize(
    ("name", "library"), [("wandb", "Weights & Biases needs"), ("trackio", "Trackio needs")]
)
def test_a_missing_library_names_its_command(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlpriors.training.tracking.names.find_spec", lambda _: None)
    with pytest.raises(ImportError, match=rf'`tracker` "{name}": {library} {name}: pip install .*\[{name}\]'):
        TrackedArgs(tracker=("csv", name))


def test_a_folder_of_logs_is_no_library(tmp_path, monkeypatch) -> None:
    (tmp_path / "trackio").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ImportError, match="Trackio needs trackio"):
        check_trackers("trackio")


def test_a_negative_number_of_films_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`films` must be at least 0. Received -1"):
        PolicyArgs(films=-1)
