"""`rlpriors study`: small studies of an environment and of photographs, and what is made of their numbers."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES, game_name
from rlpriors.scripts.main import main
from rlpriors.scripts.study import run as command
from rlpriors.scripts.study.cells import _frame_groups, extra_updates, split_distances
from rlpriors.scripts.study.report import (
    Row,
    correlation,
    draw_figure,
    miou_difference,
    permutation_p_value,
    read_rows,
    study_table,
    write_rows,
)
from rlpriors.scripts.study.run import study
from rlpriors.scripts.study.settings import TARGETS, StudySettings
from rlpriors.scripts.study.sources import COMPONENTS, Target


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tiny(**changes: Any) -> StudySettings:
    fields: dict[str, Any] = {"target": "pong", "splits": ("near", "none"), "n_frames": 24, "updates": 2}
    fields |= {
        "batch_size": 8,
        "labels": (2,),
        "segmentation_updates": 2,
        "n_test_frames": 6,
        "image_size": 32,
    }
    return StudySettings(**{**fields, "device": "cpu", **changes})


def store(folder: Path, lengths: list[int], value: int) -> FrameStore:
    with FrameWriter(folder) as writer:
        for length in lengths:
            writer.add_episode(np.full((length, 8, 8, 3), value, np.uint8))
    return writer.store


@pytest.mark.timeout(240)
def test_a_study_runs_is_not_run_twice_and_resumes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = command.segment, []

    def dies(*arguments: Any, **options: Any) -> Any:
        calls.append((arguments[2], arguments[3].mode))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(command, "segment", dies)
    folder = Path("run")
    with pytest.raises(KeyboardInterrupt):
        study(tiny(), folder=folder)
    study(tiny(), folder=folder, resume=True)
    assert calls == [(2, "frozen"), (2, "full"), (2, "full"), (2, "frozen"), (2, "full")]
    assert "mIoU on the target" in capsys.readouterr().out
    rows = read_rows(folder / "study.csv")
    assert [(row.split, row.mode) for row in rows] == [
        (split, mode) for split in ("near", "none") for mode in ("frozen", "full")
    ]
    output = (
        "--target pong --splits none near --n-frames 24 --updates 2 --batch-size 8 --labels 2 --image-size 32"
    )
    output += " --segmentation-updates 2 --n-test-frames 6 --device cpu --folder unbroken"
    monkeypatch.setattr(sys, "argv", ["rlpriors", "study", "mae", *output.split()])
    main()
    assert read_rows(Path("unbroken") / "study.csv") == rows  # and in another order of splits
    images = EventAccumulator(str(folder / "tensorboard")).Reload().Tags()["images"]
    assert any(tag.startswith("predictions/near-2-full") for tag in images)
    [log] = (folder / "pretrained" / "near" / "tensorboard").rglob("events*")
    learned = EventAccumulator(str(log)).Reload().Tags()["images"]
    assert any(tag.startswith("pictures/reconstruction") for tag in learned)
    assert [row.distance_auc is None for row in rows] == [False, False, True, True]
    cell = json.loads((folder / "cells" / "near-2-frozen.json").read_text())
    assert "ball" in cell["iou"]
    monkeypatch.setattr(command, "segment", lambda *_, **__: pytest.fail("a finished cell was run again"))
    apart = folder / "pretrained" / "near" / "distances.json"
    apart.unlink()
    study(tiny(), folder=folder, resume=True)
    assert apart.exists()
    assert read_rows(folder / "study.csv") == rows
    with pytest.raises(ValueError, match="was started with updates 2"):
        study(tiny(updates=3), folder=folder, resume=True)


@pytest.mark.timeout(240)
def test_photographs_are_studied(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coco, pets = tmp_path / "coco", tmp_path / "pets"
    names = {17: "cat", 18: "dog", 19: "horse", 1: "person"}
    images, annotations = [], []
    (coco / "train2017").mkdir(parents=True)
    (coco / "annotations").mkdir()
    for number, category in enumerate(list(names) * 6):
        picture = rng.integers(255, size=(40, 50, 3), dtype=np.uint8)
        Image.fromarray(picture).save(coco / "train2017" / f"{number}.jpg")
        images.append({"id": number, "file_name": f"{number}.jpg"})
        annotations.append({"id": number, "image_id": number, "category_id": category})
    categories = [
        {"id": key, "name": name, "supercategory": "person" if key == 1 else "animal"}
        for key, name in names.items()
    ]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (coco / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    for part in ("images", "annotations/trimaps"):
        (pets / part).mkdir(parents=True)
    for part, count in (("trainval", 3), ("test", 5)):
        some = [f"{part}_{i}" for i in range(count)]
        (pets / "annotations" / f"{part}.txt").write_text("".join(f"{name} 1 1 1\n" for name in some))
        for name in some:
            Image.fromarray(rng.integers(255, size=(30, 40, 3), dtype=np.uint8)).save(
                pets / f"images/{name}.jpg"
            )
            outline = np.full((30, 40), 2, np.uint8)
            outline[10:20, 10:30] = 1
            Image.fromarray(outline).save(pets / f"annotations/trimaps/{name}.png")
    settings = tiny(
        data=f"coco:{coco}",
        target=f"pet:{pets}",
        splits=("pets", "all", "shuffled", "scratch"),
        n_frames=6,
        batch_size=4,
        n_test_frames=5,
        foreign_fraction=0.5,
    )
    run = study(settings)
    rows = read_rows(run / "study.csv")
    assert [(row.target, row.split, row.mode) for row in rows] == [
        ("pet", split, mode)
        for split in ("all", "pets", "scratch", "shuffled")
        for mode in ("frozen", "full")
        if (split, mode) != ("scratch", "frozen")
    ]
    assert all((row.distance_frechet is None) == (row.split == "scratch") for row in rows)
    frames = run / "frames"
    assert [FrameStore.open(frames / split).n_frames for split in ("pets", "all", "shuffled")] == [6, 24, 6]
    assert len({frame.tobytes() for frame in FrameStore.open(frames / "pets").frames}) == 6
    with pytest.raises(ValueError, match="`method` must train on frames alone"):
        study(tiny(data=f"coco:{coco}", target=f"pet:{pets}", method="st-dim", encoder="nature-cnn"))
    photographs: dict[str, Any] = {"data": f"coco:{coco}", "target": f"pet:{pets}", "splits": ("pets",)}
    runs = sorted(Path("runs").iterdir())
    with pytest.raises(ValueError, match="`n_test_frames` must be at most 5, the images of 'test'"):
        study(tiny(**photographs, n_test_frames=9))
    with pytest.raises(ValueError, match="`labels` must be at most 3, the images of 'trainval'"):
        study(tiny(**photographs, n_test_frames=5, labels=(2, 4)))
    with pytest.raises(ValueError, match=r"1\.\.12, the number of images of 'pets'"):
        study(tiny(**photographs, n_test_frames=5))
    (coco / "train2017" / "0.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 'pets' are missing, among them .*0\.jpg"):
        study(tiny(**photographs, n_test_frames=5, n_frames=12))
    with pytest.raises(FileNotFoundError, match="1 of 'pets' are missing"):
        study(tiny(**{**photographs, "splits": ("shuffled",)}, n_test_frames=5, n_frames=12))
    assert sorted(Path("runs").iterdir()) == runs  # nothing was begun


def test_closer_splits_have_smaller_distances_in_features_that_all_share(tmp_path: Path) -> None:
    def noise(name: str, brightness: int) -> FrameStore:
        rng = np.random.default_rng(len(name))
        with FrameWriter(tmp_path / name) as writer:
            writer.add_episode(rng.integers(brightness, brightness + 40, (30, 32, 32, 3), np.uint8))
        return writer.store

    test, near, far = noise("test", 50), noise("near", 80), noise("farther", 180)
    target = Target(test, test, ("nothing", "something"), test)
    found = [
        split_distances(store, target, [near, far], image_size=32, seed=0) for store in (test, near, far)
    ]
    frechet = [one["distance_frechet"] for one in found]
    assert frechet[0] == pytest.approx(0, abs=1e-6)
    # In features fitted on each pair alone, two splits that both lie apart would be about as far.
    assert frechet[0] < frechet[1] < frechet[2] / 2
    assert found[2]["distance_auc"] == 1


def test_every_target_has_the_same_kinds_of_splits() -> None:
    assert set(COMPONENTS) == set(TARGETS)
    for splits in COMPONENTS.values():
        assert list(splits) == ["far", "mid", "near", "target"]
        games = [name for names in splits.values() for name in names if not name.endswith("-v5")]
        assert all(game_name(game, PAPER_GAMES) == game for game in games)
        assert len({name for names in splits.values() for name in names}) == sum(map(len, splits.values()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": ("nowhere",)}, "`splits` must be some of"),
        ({"target": "tetris"}, "`target` one of"),
        ({"target": "pet:x"}, "go together"),
        ({"labels": ()}, "`labels` must be one or more"),
        ({"labels": (0,)}, "`labels` must be one or more"),
        ({"modes": ()}, "`modes` must be some of"),
        ({"foreign_fraction": 1.0}, r"`foreign_fraction` must be in \[0, 1\)"),
        ({"layer_decay": 0.0}, r"`layer_decay` must be in \(0, 1\]"),
        ({"updates": 0}, "`updates` must be at least 1"),
        ({"n_test_frames": 4}, "`n_test_frames` must be at least 5"),
        ({"batch_size": 30}, "`batch_size` must be at most `n_frames`"),
        ({"options": "["}, "`options` must be JSON"),
        ({"image_size": 4}, "`image_size` must be at least 8"),
        ({"image_size": 168}, "`image_size` must be at most 160, the screen of breakout, pong, tennis"),
        (
            {"image_size": 168, "target": "halfcheetah", "foreign_fraction": 0.1},
            "`image_size` must be at most 160",
        ),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"method": "maee"}, "Did you mean mae"),
        ({"encoder": "vit-nano", "image_size": 30}, "divisible|multiple"),
        ({"encoder": "nature-cnn", "image_size": 36}, "needs an encoder that"),
        ({"head": "linaer"}, "linear"),
        ({"method": "inverse-dynamics"}, "`method` must train on frames alone"),
    ],
)
def test_what_cannot_be_studied_is_refused_first(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study(tiny(**changes))
    assert not Path("runs").exists()


def row(split: str, seed: int, apart: float | None, miou: float, **more: Any) -> Row:
    fields = {"target": "pong", "labels": 8, "mode": "frozen", "distance_recon": None, "distance_auc": None}
    return Row(**{**fields, "split": split, "seed": seed, "distance_frechet": apart, "miou": miou, **more})


def rows() -> list[Row]:
    """Two seeds: in the first closer is better throughout, in the second two of three are the other way."""
    first = [row(split, 0, float(i), 0.5 - i / 10) for i, split in enumerate(("target", "near", "far"))]
    second = [row("target", 1, 0.0, 0.4), row("near", 1, 1.0, 0.5), row("far", 1, 2.0, 0.3)]
    nothing = [row("none", seed, None, 0.2) for seed in (0, 1)]
    return [*first, *second, *nothing, row("shuffled", 0, 9.0, 0.1)]


def test_correlations_and_differences_are_those_worked_by_hand() -> None:
    rng = np.random.default_rng(0)
    found = correlation(rows(), "distance_frechet", rng)
    assert found.estimate == pytest.approx((-1.0 - 0.5) / 2)
    with pytest.raises(ValueError, match="two seeds with three splits"):
        correlation(rows(), "distance_auc", rng)
    better = miou_difference(rows(), "target", "none", rng)
    assert better is not None
    assert better.estimate == pytest.approx((0.3 + 0.2) / 2)
    assert (better.low, better.high) == (pytest.approx(0.2), pytest.approx(0.3))
    assert miou_difference(rows(), "shuffled", "none", rng) is None
    # The means of the six orders of three splits are -3/4, 0, -3/4, 3/4, 0 and 3/4.
    assert permutation_p_value(rows(), "distance_frechet") == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="the same splits of every seed"):
        permutation_p_value([*rows(), row("mix", 0, 3.0, 0.1)], "distance_frechet")


def test_scratch_sees_as_many_images_as_others() -> None:
    assert extra_updates(160 * 256, 8) * 8 == 160 * 256
    assert extra_updates(160 * 256, 16) * 16 == 160 * 256
    assert extra_updates(100, 16) == 7


def test_rows_survive_a_file_and_are_drawn(tmp_path: Path) -> None:
    write_rows(tmp_path / "study.csv", rows())
    found = read_rows(tmp_path / "study.csv")
    assert sorted(found, key=lambda row: row[:5]) == sorted(rows(), key=lambda row: row[:5])
    assert read_rows(tmp_path / "none.csv") == []
    draw_figure(rows(), tmp_path / "figure.png")
    assert np.asarray(Image.open(tmp_path / "figure.png")).std() > 0
    assert study_table(rows()).row_count == 5


def test_foreign_frames_are_mixed_in(tmp_path: Path) -> None:
    clean, noisy = (
        tiny(foreign_fraction=fraction, splits=("target",)).sources(tmp_path / f"{fraction}").frames("target")
        for fraction in (0.0, 0.25)
    )
    assert clean.n_frames == noisy.n_frames == 24
    own = {frame.tobytes() for frame in clean.frames}
    assert sum(frame.tobytes() in own for frame in noisy.frames) == 18
    # A quarter are of robots, whose sky is black in its upper rows; Pong is nowhere so.
    assert [int((store.frames[:, :4] == 0).all((1, 2, 3)).sum()) for store in (clean, noisy)] == [0, 6]


def test_all_sources_are_kept_at_the_same_rate(tmp_path: Path) -> None:
    sources = tiny(n_frames=8, target="pong").sources(tmp_path)
    store = sources.frames("near")
    plans = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*/masks.json"))]
    assert [(plan["game"], plan["every"]) for plan in plans] == [("breakout", 8), ("tennis", 8)]
    assert store.n_frames == 8
    sources.frames("mix")
    plans = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*/masks.json"))]
    assert {(("env" in plan), plan["every"]) for plan in plans} == {(True, 5), (False, 8)}
    assert {plan["seed"] for plan in plans} == {0}
    assert all(plan["past_the_end"] for plan in plans if "env" in plan)  # some would fall at once


def test_which_frames_are_labeled_does_not_hang_on_how_many_others_are(tmp_path: Path) -> None:
    few, more = (tiny(labels=n).sources(tmp_path / str(n)).target() for n in ((2,), (2, 4)))
    assert few.train.n_frames == 128
    assert np.array_equal(few.train.frames, more.train.frames)


def test_long_episodes_are_cut_into_frame_groups(tmp_path: Path) -> None:
    lengths = store(tmp_path / "s", [3, 25, 12], 0)
    found = _frame_groups(lengths, np.arange(40))
    assert found.tolist() == [0] * 3 + [i // 4 + 1 for i in range(25)] + [i // 4 + 8 for i in range(12)]
