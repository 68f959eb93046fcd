"""`rlpriors probe`: whole runs on tiny worlds, what they write, and how they go on."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.envs.atari.probe_task import make_atari_task
from rlpriors.envs.atari.ram_annotations import CATEGORIES, GAMES
from rlpriors.evaluation.probing.baselines import (
    evaluate_features,
    evaluate_majority,
    evaluate_supervised,
    random_cnn,
)
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.behavior import behavior_targets
from rlpriors.evaluation.probing.metrics import ProbeScores, Scores
from rlpriors.scripts.encoder_args import FrozenEncoderArgs
from rlpriors.scripts.main import main
from rlpriors.scripts.probe import run as command
from rlpriors.scripts.probe.results import display_name, read_scores, write_scores
from rlpriors.scripts.probe.run import probe
from rlpriors.scripts.probe.settings import ProbeRunSettings
from rlpriors.scripts.probe.tables import Subject, control_table, game_table, state_table, verdict

BALL = GAMES["pong"]["ball_x"].address
PLAYER = GAMES["pong"]["player_y"].address


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FrameStore:
    """A bright square in one of four columns and another in one of three rows: "ball_x" and "player_y"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")  # room for the table
    rng = np.random.default_rng(0)
    with FrameWriter(tmp_path / "squares") as writer:
        for _ in range(10):
            x, y = rng.integers(4, size=20), rng.integers(3, size=20)
            frames = rng.integers(20, size=(20, 80, 76, 1), dtype=np.uint8)
            ram = np.zeros((20, 128), np.uint8)
            ram[:, BALL], ram[:, PLAYER] = 50 + x, 90 + y
            for i in range(20):
                frames[i, 0:16, 19 * x[i] : 19 * x[i] + 19] = 255
                frames[i, 20 + 20 * y[i] : 40 + 20 * y[i], :20] = 200
            writer.add_episode(frames, ram=ram)
    return writer.store


def settings(store: FrameStore, **changes: Any) -> ProbeRunSettings:
    fields = {"game": "pong", "data": store.folder, "min_frames": 20, "device": "cpu", "epochs": 2}
    fields |= {"supervised_epochs": 0}  # it takes longest
    return ProbeRunSettings(**{**fields, **changes})


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "probe.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_prints_and_writes_every_subject_by_both_protocols(
    store: FrameStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_encoder("nature-cnn", weights="none", device="cpu", input_size=(76, 76)).save(tmp_path / "mine")
    run = probe(
        settings(
            store, encoder=FrozenEncoderArgs(str(tmp_path / "mine"), readout="grid(2)"), supervised_epochs=2
        )
    )
    output = capsys.readouterr().out
    subjects = ["majority", "pixels", "random-cnn", "random-cnn (grid(2))", "mine (grid(2))", "supervised"]
    assert all(subject.split()[0] in output for subject in subjects)
    assert run.name == "probe-pong-" + str(tmp_path / "mine").strip("/").replace("/", "-").lower()
    found = rows(run)
    assert {(row["subject"], row["protocol"]) for row in found} == {
        *((subject, protocol) for subject in subjects for protocol in ("published", "standardized")),
        *((subject, "collapse") for subject in subjects[1:5]),  # those that have features
    }
    assert {row["of"] for row in found} == {
        *("mean", "small_object_localization", "agent_localization", "ball_x", "player_y", "features")
    }
    assert "Actions and rewards are left out: `data` must hold rewards" in output
    assert {row["world"] for row in found} == {"pong"}
    assert not (run / "features").exists()  # they can be made again
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    assert events.Tags()["scalars"] == []  # tables instead of charts of one point
    assert events.Tags()["images"] == ["pictures/scores"]
    (text,) = events.Tensors("scores/text_summary")[0].tensor_proto.string_val
    tables = text.decode()
    assert tables.startswith("**Verdict: ")
    assert "| subject | small object | agent |" in tables
    assert "### pong: actions, rewards and features" in tables
    pixels = EventAccumulator(str(run / "tensorboard" / "pixels")).Reload()
    assert set(pixels.Tags()["scalars"]) == {"summary/mean F1", "summary/RankMe", "summary/feature_std"}


def test_a_run_that_was_stopped_resumes(store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = command.evaluate_features
    calls: list[int] = []

    def dies(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(command, "evaluate_features", dies)
    with pytest.raises(KeyboardInterrupt):
        probe(settings(store))
    run = probe(settings(store), resume=True)
    assert len(calls) == 3  # pixels once, random-cnn twice
    monkeypatch.setattr(command, "evaluate_features", real)
    whole = probe(settings(store))
    assert whole != run
    assert (whole / "probe.csv").read_text() == (run / "probe.csv").read_text()


def test_subjects_are_as_good_as_they_should_be(store: FrameStore) -> None:
    """What is drawn is read by the pixels and by a network that was output, and not by the majority."""
    task = make_atari_task(store, "pong", min_frames=20)
    assert set(task.names) == {"player_y", "ball_x"}
    quick = ProbeSettings(lr=0.01, epochs=20)
    pixels = store.frames[:, ::8, ::8, 0].reshape(200, -1).astype(np.float32) / 255
    seen = evaluate_features(pixels, task, quick, device="cpu", progress=False)["standardized"].mean
    blind = evaluate_majority(task)["published"].mean
    taught = evaluate_supervised(store, task, ProbeSettings(lr=1e-3, epochs=8), device="cpu", progress=False)
    assert seen.f1_weighted > 0.8
    assert blind.f1_weighted < 0.5
    assert taught["published"].mean.f1_weighted > 0.9
    assert taught["published"] == taught["standardized"]


def test_repeated_frames_are_tested_on_request_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    seen = np.arange(200, dtype=np.uint8)
    with FrameWriter(tmp_path / "again") as writer:
        for _ in range(10):
            numbers = rng.choice(seen, 20)  # half of them stand in several episodes
            ram = np.zeros((20, 128), np.uint8)
            ram[:, BALL] = numbers
            writer.add_episode(np.broadcast_to(numbers[:, None, None, None], (20, 8, 8, 1)).copy(), ram=ram)
    frames = writer.store.frames[:, 0, 0, 0]
    task, published = (
        make_atari_task(writer.store, "pong", min_frames=20, repeats=repeats) for repeats in (False, True)
    )
    learned = frames[np.concatenate([task.train, task.val])]
    assert len(task.test) < len(published.test) == 40
    assert not np.isin(frames[task.test], learned).any()
    assert np.isin(frames[published.test], learned).any()


def test_scores_survive_a_file(store: FrameStore, tmp_path: Path) -> None:
    judged = evaluate_majority(make_atari_task(store, "pong", min_frames=20))
    write_scores(tmp_path / "a" / "scores.json", judged)
    assert read_scores(tmp_path / "a" / "scores.json") == judged
    (tmp_path / "bad.json").write_text(json.dumps({"published": {}}))
    with pytest.raises(ValueError, match=r"bad\.json must hold scores"):
        read_scores(tmp_path / "bad.json")


def test_random_networks_see_colors_or_gray_and_have_titles() -> None:
    colored = random_cnn((20, 30, 3), seed=1, device="cpu")
    assert colored.encode(np.zeros((2, 20, 30, 3), np.uint8)).shape == (2, 256)
    assert display_name("timm:some/net", colored) == "timm:some/net (cls)"


def test_encoders_are_called_by_their_runs(tmp_path: Path) -> None:
    encoder = random_cnn((20, 30, 3), seed=1, device="cpu")
    for folder, name in ((tmp_path / "simclr-pong" / "encoder", "simclr-pong"), (tmp_path / "mine", "mine")):
        encoder.save(folder)
        assert display_name(str(folder), encoder) == f"{name} (cls)"


def test_tables_of_games_fit_a_terminal() -> None:
    score = ProbeScores({}, dict.fromkeys(CATEGORIES, Scores(0.5, 0.5, 0.5)), Scores(0.5, 0.5, 0.5))
    subjects = {"st-dim-atari-cnn-pong-seed0 (grid(4))": Subject({"published": score}, {})}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(game_table("pong", subjects, "published"))
    output = console.export_text()
    assert "…" not in output
    assert output.count("0.50") == 8


def test_tables_of_states_and_actions_fit_a_terminal() -> None:
    numbers = {"ridge/qpos[0]/r2": 0.5, "linear/action/f1_weighted": 0.5, "collapse/features/rankme": 12.0}
    names = ("majority", "pixels", "random-cnn (cls)", "random-cnn (grid(2))", "dinov2-small (crops(1,2,4))")
    subjects = {name: Subject({}, numbers) for name in names}
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(state_table("HalfCheetah-v5", subjects))
    console.print(control_table("HalfCheetah-v5", subjects))
    output = console.export_text()
    assert "…" not in output
    assert output.count("0.50") == 5 * 3
    assert output.count("12.00") == 5


def test_the_verdict_compares_the_encoder_with_the_best_baseline() -> None:
    def subjects(number: float, key: str = "ridge/qpos[0]/r2") -> dict[str, Subject]:
        found = {"pixels": 0.4, "random-cnn (cls)": 0.6, "supervised": 0.99, "mine (cls)": number}
        return {name: Subject({}, {key: value}) for name, value in found.items()}

    end = "the best baseline, random-cnn (cls): mean R2 {:.2f} against 0.60."
    for number, word in ((0.7, "more than"), (0.61, "as much as"), (0.5, "less than")):
        expected = f"Verdict: mine (cls) contains {word} {end.format(number)}"
        assert verdict(subjects(number), "mine (cls)") == expected
    actions = verdict(subjects(0.7, "linear/action/f1_weighted"), "mine (cls)")
    assert actions.endswith("F1 of actions 0.70 against 0.60.")
    alone = verdict(subjects(0.1), None)
    assert (
        alone
        == "Verdict: the best baseline is random-cnn (cls), mean R2 0.60; --encoder is compared with it."
    )


def test_states_are_probed(store: FrameStore, tmp_path: Path) -> None:
    """A square moves over a line: its place is in the pixels, its velocity is not."""
    rng = np.random.default_rng(0)
    with FrameWriter(tmp_path / "line") as writer:
        for _ in range(10):
            x = rng.integers(0, 70, size=30)
            frames = np.zeros((30, 84, 84, 3), np.uint8)
            for i in range(30):
                frames[i, :, x[i] : x[i] + 12] = 255
            position = x[:, None].astype(np.float32)
            writer.add_episode(frames, qpos=position, qvel=rng.normal(size=(30, 1)).astype(np.float32))
    run = probe(ProbeRunSettings(env="Line-v0", data=tmp_path / "line", device="cpu"))
    r2 = {(row["subject"], row["of"]): float(row["r2"]) for row in rows(run) if row["r2"]}
    assert r2["pixels", "qpos[0]"] > 0.9
    assert r2["pixels", "qvel[0]"] < 0.3
    with pytest.raises(ValueError, match="must hold `qpos` or `qvel` of at least 3 episodes"):
        probe(ProbeRunSettings(env="Line-v0", data=store.folder, device="cpu"))


def write_demos(folder: Path, kind: str) -> Path:
    """The expert goes where the square is, and is paid in the rightmost column alone."""
    rng = np.random.default_rng(0)
    with FrameWriter(folder) as writer:
        for _ in range(10):
            x = rng.integers(4, size=30)
            frames = rng.integers(20, size=(30, 24, 24, 3), dtype=np.uint8)
            for i in range(30):
                frames[i, :, 6 * x[i] : 6 * x[i] + 6] = 255
            act = x if kind == "discrete" else np.stack([x, rng.normal(size=30)], 1).astype(np.float32)
            rew = (x == 3).astype(np.float32) * (kind == "discrete")
            writer.add_episode(frames, act=act, rew=rew)
    return folder


def test_what_an_expert_does_and_is_paid_is_probed(
    store: FrameStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demos = write_demos(tmp_path / "demos", "discrete")
    run = probe(ProbeRunSettings(data=demos, device="cpu", epochs=20))
    assert run.name == "probe-demos-controls"
    output = capsys.readouterr().out
    assert "sign of reward" in output
    assert "RankMe" in output
    found = {(row["subject"], row["protocol"], row["of"]): row for row in rows(run)}
    subjects, of = ("majority", "pixels", "random-cnn"), ("action", "reward")
    assert set(found) == {
        *((s, p, o) for s in subjects for p in ("published", "standardized") for o in of),
        *((s, "neighbors", o) for s in subjects[1:] for o in of),
        *((s, "collapse", "features") for s in subjects[1:]),
    }
    for seen in of:
        assert float(found["pixels", "neighbors", seen]["accuracy"]) == 1
    assert float(found["pixels", "standardized", "action"]["f1_macro"]) > 0.9
    assert float(found["majority", "published", "action"]["accuracy"]) < 0.5
    assert 1 < float(found["pixels", "collapse", "features"]["rankme"]) < 300
    pixels = EventAccumulator(str(run / "tensorboard" / "pixels")).Reload()
    assert set(pixels.Tags()["scalars"]) == {
        *("summary/F1 of actions", "summary/RankMe", "summary/feature_std")
    }


def test_actions_made_of_numbers_are_probed_by_regression(store: FrameStore, tmp_path: Path) -> None:
    run = probe(ProbeRunSettings(data=write_demos(tmp_path / "demos", "numbers"), device="cpu"))
    r2 = {(row["subject"], row["of"]): float(row["r2"]) for row in rows(run) if row["r2"]}
    assert r2["pixels", "action[0]"] > 0.9
    assert r2["pixels", "action[1]"] < 0.1
    assert ("majority", "action[0]") not in r2
    with pytest.raises(ValueError, match="must hold rewards `rew` or actions `act` that vary"):
        probe(ProbeRunSettings(data=store.folder, device="cpu"))


def test_actions_of_random_play_are_not_asked_for(tmp_path: Path) -> None:
    demos = FrameStore.open(write_demos(tmp_path / "demos", "discrete"))
    found = behavior_targets(demos, expert=False)
    assert found.task is not None
    assert found.task.names == ("reward",)
    numbers = write_demos(tmp_path / "numbers", "numbers")
    with pytest.raises(ValueError, match="whose actions are random"):
        behavior_targets(FrameStore.open(numbers), expert=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--game", "pog"], "Did you mean pong"),
        (["--game", "pong", "--encoder", "resnt18"], "resnet18"),
        (["--game", "pong", "--data", "nowhere"], "is not a folder"),
        (["--game", "pong", "--data", "squares", "--min-frames", "65"], "at least 3 episodes of at least 65"),
    ],
)
def test_what_cannot_be_probed_is_refused_in_a_line(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.setattr("sys.argv", ["rlpriors", "probe", "--device", "cpu", *options])
    with pytest.raises((SystemExit, ValueError), match=message):
        main()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Exactly one of `game` and `env` must be given"),
        ({"game": "pong", "env": "HalfCheetah-v5"}, "Exactly one of"),
        ({"game": "pong", "supervised_epochs": -1}, "`supervised_epochs` must be at least 0"),
        ({"game": "pong", "epochs": 0}, "`epochs` must be at least 1"),
    ],
)
def test_settings_are_bounded(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProbeRunSettings(**fields)
