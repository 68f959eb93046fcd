"""Photographs as frames: how they are cut, masks cut alike, COCO's splits and the Oxford pets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlpriors.data.frames import FrameStore
from rlpriors.data.photos.coco import SPLITS, CocoImages, coco_split
from rlpriors.data.photos.image_folder import random_subset, write_images
from rlpriors.data.photos.oxford_pets import PetImages

Image = pytest.importorskip("PIL.Image", reason="needs the `vision` extra")


def saved(path: Path, pixels: Any, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **how)
    return path


# --- images


def stripes(height: int, width: int) -> np.ndarray:
    """Thirds of red, green and blue from left to right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, np.arange(width), np.arange(width) * 3 // width] = 255
    return pixels


def test_the_middle_is_cut_and_masks_are_cut_alike(tmp_path: Path) -> None:
    wide = saved(tmp_path / "wide.png", stripes(10, 30))
    mask = saved(tmp_path / "mask.png", stripes(10, 30).argmax(2) + 1)  # 1, 2, 3
    store = write_images([wide], tmp_path / "frames", (5, 5), [mask], mask_values={1: 0, 2: 7, 3: 255})
    assert (store.frames[0, :, 1:4] == (0, 255, 0)).all()  # only the green third is left, smooth at its edge
    assert store.arrays["mask"].dtype == np.uint8
    assert store.arrays["mask"].tolist() == [np.full((5, 5), 7).tolist()]
    half = write_images([wide], tmp_path / "half", (5, 15), [mask])  # nothing is cut, and no number changed
    assert half.arrays["mask"][0, 0].tolist() == [1] * 5 + [2] * 5 + [3] * 5
    assert (half.frames[0, :, 1:4] == (255, 0, 0)).all()


def test_every_kind_of_image_becomes_rgb(tmp_path: Path) -> None:
    gray = saved(tmp_path / "gray.jpg", np.full((9, 9), 100))
    clear = saved(tmp_path / "clear.png", np.full((9, 9, 4), 100))
    large = saved(tmp_path / "large.jpg", np.full((400, 300, 3), (10, 100, 200)), quality=95)
    misnamed = saved(tmp_path / "palette.gif", np.full((9, 9), 100)).rename(tmp_path / "really_a_gif.jpg")
    store = write_images([gray, clear, large, misnamed], tmp_path / "frames", (4, 6))
    assert store.frames.shape == (4, 4, 6, 3)
    assert store.lengths.tolist() == [1, 1, 1, 1]  # nothing follows from anything
    assert (store.frames[[0, 1, 3]] == 100).all()
    assert np.abs(store.frames[2].astype(int) - (10, 100, 200)).max() <= 3


def test_more_begin_with_the_fewer() -> None:
    items = list("abcdefgh")
    assert random_subset(items, 5, seed=1)[:3] == random_subset(items, 3, seed=1)
    assert random_subset(items, None, seed=1) == items
    assert sorted(random_subset(items, 8, seed=1)) == items
    assert random_subset(items, 8, seed=1) != random_subset(items, 8, seed=2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p, good: ([], None, (4, 4), None), "`paths` must contain at least one"),
        (lambda p, good: ([good], [], (4, 4), None), "`masks` must have one path for each of 1 im"),
        (lambda p, good: ([good], None, (0, 4), None), r"`size` must be \(height, width\)"),
        (lambda p, good: ([good, p / "none.jpg"], None, (4, 4), None), r"none.jpg is not \(FileNotFound"),
        (lambda p, good: ([p / "cut.jpg"], None, (4, 4), None), "cut.jpg is not .*; remove it"),
        (lambda p, good: ([p / "text.jpg"], None, (4, 4), None), "text.jpg is not"),
        (lambda p, good: ([good], [good], (4, 4), None), "one number per pixel.*RGB"),
        (lambda p, good: ([good], [p / "small.png"], (4, 4), None), r"size, \(80, 60\).*\(2, 2\)"),
        (
            lambda p, good: ([good], [p / "mask.png"], (4, 4), {1: 0}),
            r"has \[1\]. .*mask.png contains \[5\]",
        ),
        (
            lambda p, good: ([good], [p / "mask.png"], (4, 4), {5: 256}),
            r"`mask_values` must be numbers in 0..255",
        ),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, make: Callable[..., Any], message: str) -> None:
    rng = np.random.default_rng(0)
    good = saved(tmp_path / "good.jpg", rng.integers(256, size=(60, 80, 3)))
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:900])
    (tmp_path / "text.jpg").write_text("nothing to see")
    saved(tmp_path / "small.png", np.zeros((2, 2)))
    saved(tmp_path / "mask.png", np.full((60, 80), 5))
    paths, masks, size, values = make(tmp_path, good)
    with pytest.raises(ValueError, match=message):
        write_images(paths, tmp_path / "frames", size, masks, mask_values=values)
    assert not (tmp_path / "frames").exists()


# --- COCO

CATEGORIES = {1: ("person", "person"), 16: ("bird", "animal"), 17: ("cat", "animal"), 18: ("dog", "animal")}
SHOWN = {1: [17], 2: [18, 1], 3: [16], 4: [16, 17], 5: [1], 6: [], 7: [16, 1], 8: [1, 1]}


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    rows = [(image, category) for image, categories in SHOWN.items() for category in categories]
    content = {
        "info": {"year": 2017},
        "categories": [{"id": i, "name": n, "supercategory": s} for i, (n, s) in CATEGORIES.items()],
        "images": [{"id": i, "file_name": f"{i:012}.jpg", "height": 8, "width": 8} for i in reversed(SHOWN)],
        "annotations": [
            {"id": n, "image_id": i, "category_id": c, "iscrowd": n % 2, "segmentation": [[0.0, 1.0]]}
            for n, (i, c) in enumerate(rows)
        ],
    }
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    for image in SHOWN:
        saved(tmp_path / "val2017" / f"{image:012}.jpg", np.full((8, 8, 3), 20 * image))
    return tmp_path


def numbers(paths: list[Path]) -> set[int]:
    return {int(path.stem) for path in paths}


def test_the_part_whose_images_are_there_is_read(coco: Path) -> None:
    there = (coco / "annotations" / "instances_val2017.json").read_text()
    (coco / "annotations" / "instances_train2017.json").write_text(there)
    assert CocoImages(coco).part == "val2017"
    (coco / "train2017").mkdir()
    assert CocoImages(coco).part == "train2017"


def test_categories_that_nobody_lists_are_refused(coco: Path) -> None:
    path = coco / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    content["annotations"].append({"id": 99, "image_id": 5, "category_id": 90})
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"must list the categories that it uses.*lacks \[90\]"):
        coco_split(path, "no-animals")


def test_images_are_split_by_what_they_show(coco: Path) -> None:
    images = CocoImages(coco)
    assert images.parts == ("val2017",)
    assert numbers(images.images("val2017", "pets", n=3)) == {1, 2, 4}
    assert numbers(images.images("val2017", "animals")) == {3, 7}  # 4 has a bird, and a cat as well
    assert numbers(images.images("val2017", "no-animals", n=3)) == {5, 6, 8}  # 6 has no annotation
    assert [path.stem for path in images.images("val2017")] == [f"{image:012}" for image in SHOWN]


def test_splits_are_of_equal_size_and_follow_the_seed(coco: Path) -> None:
    path = CocoImages(coco).annotations("val2017")
    assert [len(coco_split(path, split)) for split in SPLITS] == [2, 2, 2, 2, 8]  # of 3, 2 and 3
    assert coco_split(path, "random", 6, seed=1) == coco_split(path, "random", 6, seed=1)
    assert coco_split(path, "random", 6, seed=1) != coco_split(path, "random", 6, seed=2)
    assert coco_split(path, "pets", 2, seed=3) == coco_split(path, "pets", 3, seed=3)[:2]


def test_a_split_becomes_frames(coco: Path) -> None:
    store = write_images(CocoImages(coco).images("val2017", "animals"), coco / "frames", (4, 4))
    assert {round(frame.mean() / 20) for frame in store.frames} == {3, 7}
    assert not store.arrays


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda p: coco_split(p, "cats"), ValueError, "`split` must be one of .*Received 'cats'"),
        (
            lambda p: coco_split(p, "pets", 4),
            ValueError,
            r"`n` must be in 1..3, the number of images of 'pets'",
        ),
        (lambda p: coco_split(p, "pets", 0), ValueError, r"`n` must be in 1..3"),
        (
            lambda p: coco_split(p.parent / "no.json", "pets"),
            FileNotFoundError,
            "`annotations` must be a file",
        ),
        (lambda p: CocoImages(p.parent), FileNotFoundError, "`folder` must hold annotations/instances_"),
        (
            lambda p: CocoImages(p.parent.parent).images("train"),
            ValueError,
            r"`part` must be one of \['val2017'\]",
        ),
    ],
)
def test_what_coco_has_not_is_refused(coco: Path, call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(coco / "annotations" / "instances_val2017.json")


def test_empty_splits_and_damaged_files_are_refused(coco: Path) -> None:
    path = coco / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    few = [row for row in content["annotations"] if row["category_id"] in (1, 16)]
    (coco / "few.json").write_text(json.dumps({**content, "annotations": few}))
    with pytest.raises(ValueError, match=r"`split` 'pets' is empty.*0 of 'pets', 3 of 'animals', 5 of 'no-a"):
        coco_split(coco / "few.json", "pets")
    with pytest.raises(ValueError, match=r"`n` must be given: .* has no pets"):
        coco_split(coco / "few.json", "animals")
    assert len(coco_split(coco / "few.json", "animals", 2)) == 2
    people = [row for row in content["categories"] if row["name"] == "person"]
    (coco / "people.json").write_text(json.dumps({**content, "categories": people}))
    with pytest.raises(ValueError, match=r"must have categories of animals. .*people.json has no animal"):
        coco_split(coco / "people.json", "random", 1)
    for text in ("{", "[]", '{"images": []}'):
        (coco / "bad.json").write_text(text + " " * len(text))
        with pytest.raises(ValueError, match="`annotations` must be COCO's"):
            coco_split(coco / "bad.json", "pets")
    content["images"][0]["file_name"] = "../secret.jpg"
    (coco / "outside.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"file_name must be a relative path inside its folder, not '\.\./"):
        coco_split(coco / "outside.json", "pets")


# --- pets


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    root = tmp_path / "data" / "oxford-iiit-pet"
    trimap = np.repeat([[1] * 4 + [3] * 4 + [2] * 4], 12, 0)
    names = [f"{breed}_{number}" for breed in ("Abyssinian", "great_pyrenees") for number in (1, 10, 101)]
    for number, name in enumerate(names):
        saved(root / "images" / f"{name}.jpg", np.full((12, 12, 3), 40 * number))
        saved(root / "annotations" / "trimaps" / f"{name}.png", trimap)
    for part, rows in (("trainval", names[::2]), ("test", names[1::2])):
        lines = ["#Image CLASS-ID SPECIES BREED ID", *(f"{name} 1 1 1" for name in rows)]
        (root / "annotations" / f"{part}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_pets_become_frames_with_masks(pets: Path) -> None:
    images = PetImages(pets.parent)
    assert images.names("test") == ["Abyssinian_10", "great_pyrenees_1", "great_pyrenees_101"]
    store = images.write("test", pets / "test", (6, 6))
    assert isinstance(store, FrameStore)
    assert store.frames[:, 0, 0, 0].tolist() == [40, 120, 200]
    row = [1, 1, 255, 255, 0, 0]  # pet, border, background
    assert store.arrays["mask"].tolist() == [[row] * 6] * 3
    few = PetImages(pets).write("trainval", pets / "few", (6, 6), n=2, seed=1, border=1)
    assert few.arrays["mask"].tolist() == [[[1, 1, 1, 1, 0, 0]] * 6] * 2
    names = random_subset(images.names("trainval"), 2, 1)
    whole = [f"{breed}_{number}" for breed in ("Abyssinian", "great_pyrenees") for number in (1, 10, 101)]
    assert few.frames[:, 0, 0, 0].tolist() == [40 * whole.index(name) for name in names]


def test_pets_that_are_not_there_are_named(pets: Path) -> None:
    images = PetImages(pets)
    with pytest.raises(FileNotFoundError, match="`folder` must contain the folders `images` and `ann"):
        PetImages(pets / "images")
    with pytest.raises(ValueError, match=r"`part` must be one of \['trainval', 'test'\]. Received 'train'"):
        images.names("train")
    with pytest.raises(ValueError, match=r"`n` must be in 1..3, the number of images of 'test'"):
        images.write("test", pets / "frames", (6, 6), n=4)
    with pytest.raises(ValueError, match=r"`border` must be in 0..255"):
        images.write("test", pets / "frames", (6, 6), border=-1)
    with (pets / "annotations" / "trainval.txt").open("a") as file:
        file.write("/etc/secret 1 1 1\n")
    with pytest.raises(ValueError, match=r"trainval\.txt must be a relative path inside its folder"):
        images.names("trainval")
    saved(images.trimap("Abyssinian_10"), np.full((12, 12), 4))
    with pytest.raises(ValueError, match=r"Abyssinian_10.png contains \[4\]"):
        images.write("test", pets / "frames", (6, 6))
    (pets / "annotations" / "trainval.txt").write_text("# nothing\n")
    with pytest.raises(ValueError, match="`part` 'trainval' is empty"):
        images.names("trainval")
    (pets / "annotations" / "trainval.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"annotations/trainval.txt"):
        images.names("trainval")
