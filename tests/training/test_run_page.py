"""Overview of a run in TensorBoard."""

from dataclasses import dataclass, field
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from rlpriors.training.run_page import log_overview, log_results


@dataclass(frozen=True)
class Reward:
    lr: float = 0.005


@dataclass(frozen=True)
class Settings:
    seed: int = 3
    goal: tuple[int, int] | None = None
    reward: Reward = field(default_factory=Reward)


def texts(events: EventAccumulator, tag: str) -> str:
    (text,) = events.Tensors(f"{tag}/text_summary")[0].tensor_proto.string_val
    return text.decode()


def test_settings_results_and_charts(tmp_path: Path) -> None:
    run = tmp_path / "demo-seed3"
    log_overview(run, Settings(), ("prior", "reward"))
    log_results(run, Settings(), {"stay": 0.98765, "env": "UMaze", "trained": {"return": -2.0}})
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()

    assert texts(events, "settings").splitlines() == [
        "| setting | value |",
        "| --- | --- |",
        "| seed | 3 |",
        "| goal | null |",
        "| reward.lr | 0.005 |",
    ]
    assert "| trained.return | -2 |" in texts(events, "results")
    assert "| env | UMaze |" in texts(events, "results")
    assert {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]} == {
        "final/stay": 0.9876499772071838,
        "final/trained.return": -2.0,
    }

    layout = Layout.FromString(events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == ["demo-seed3: prior", "demo-seed3: reward"]
    assert list(layout.category[0].chart[0].multiline.tag) == ["prior/loss"]

    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["seed"].number_value == 3
    assert hparams["reward.lr"].number_value == 0.005
    assert hparams["goal"].string_value == "None"
