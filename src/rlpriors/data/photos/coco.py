"""COCO's photographs by what they show: pets, other animals, or neither.

`CocoImages`  the images of a folder of COCO
`coco_split`  names of images by their annotations, all splits alike in size
`SPLITS`      the splits there are

For pretraining on photographs that are nearer or farther from pets.  The annotations (Lin et al. 2014,
arXiv 1405.0312) are read as they come, `instances_<part>.json`; pycocotools is not needed.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rlpriors.data.photos.image_folder import drawn

__all__ = ["SPLITS", "CocoImages", "coco_split"]

SPLITS = ("pets", "animals", "no-animals", "random", "all")
"""Images with a cat or a dog; with animals, but neither of those; without any animal; drawn from all; all."""

PETS = ("cat", "dog")
# What is kept of a file: outlines are nearly all of it, and would take gigabytes.
FIELDS = {"images", "annotations", "categories", "id", "image_id", "category_id", "file_name"}
FIELDS |= {"name", "supercategory"}


@dataclass(frozen=True)
class CocoImages:
    """A folder of COCO: annotations/instances_<part>.json and, in the folder <part>, its images.

    Raises:
        FileNotFoundError: `folder` holds no such annotations.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "annotations").mkdir()
        >>> categories = [{"id": 17, "name": "cat", "supercategory": "animal"}]
        >>> categories += [{"id": 18, "name": "dog", "supercategory": "animal"}]
        >>> images = [{"id": 1, "file_name": "one.jpg"}, {"id": 2, "file_name": "two.jpg"}]
        >>> content = {"images": images, "categories": categories, "annotations": []}
        >>> content["annotations"] += [{"id": 5, "image_id": 2, "category_id": 17}]
        >>> _ = (root / "annotations/instances_val2017.json").write_text(json.dumps(content))
        >>> coco = CocoImages(root)
        >>> coco.parts, [path.name for path in coco.images("val2017", "pets", n=1)]
        (('val2017',), ['two.jpg'])
    """

    folder: Path
    """Where the folder `annotations` lies."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if not self.parts:
            raise FileNotFoundError(
                "`folder` must hold annotations/instances_<part>.json, as COCO comes. Received "
                f"{str(self.folder)!r}, which has none."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are annotated, such as train2017."""
        found = sorted((self.folder / "annotations").glob("instances_*.json"))
        return tuple(path.stem.removeprefix("instances_") for path in found)

    @property
    def part(self) -> str:
        """The part to learn from: one whose images are there, the training part before others."""
        there = [part for part in self.parts if (self.folder / part).is_dir()] or self.parts
        return next((part for part in there if part.startswith("train")), there[0])

    def annotations(self, part: str) -> Path:
        """The file of annotations of `part`."""
        if part not in self.parts:
            raise ValueError(f"`part` must be one of {list(self.parts)}. Received {part!r}.")
        return self.folder / "annotations" / f"instances_{part}.json"

    def images(self, part: str, split: str = "all", n: int | None = None, seed: int = 0) -> list[Path]:
        """Where the images of `coco_split` lie; `write_images` makes frames of them."""
        return [self.folder / part / name for name in coco_split(self.annotations(part), split, n, seed)]


def coco_split(annotations: Path, split: str, n: int | None = None, seed: int = 0) -> list[str]:
    """File names of `n` images of a split, in a random order that follows from `seed`.

    Without `n` every split is as large as the smallest of "pets", "animals" and "no-animals", so that
    pretraining on one or the other differs in kind only; "all" then is every image, in the order of names.
    Animals are the categories whose supercategory the file calls so; crowds count as well.  Images that
    nobody annotated show no animals.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no such split, an empty one, too few images for `n`, or a damaged file.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {list(SPLITS)}. Received {split!r}.")
    annotations = Path(annotations)
    if not annotations.is_file():
        raise FileNotFoundError(f"`annotations` must be a file instances_<part>.json. {annotations} is none.")
    kinds = _kinds(annotations, annotations.stat().st_mtime_ns)
    every = sorted(name for names in kinds.values() for name in names)
    names = list(kinds.get(split, every))
    if not names:
        counts = ", ".join(f"{len(found)} of {kind!r}" for kind, found in kinds.items())
        raise ValueError(f"`split` {split!r} is empty. {annotations} has {counts}; take another.")
    if n is None and split != "all":
        n = min(map(len, kinds.values()))
        if n < 1:
            empty = [name for name, names in kinds.items() if not names]
            raise ValueError(f"`n` must be given: {annotations} shows no {' and no '.join(empty)}.")
    return drawn(names, n, seed, f"images of {split!r} in {annotations.name}")


@lru_cache(maxsize=2)
def _kinds(path: Path, changed: int) -> Mapping[str, tuple[str, ...]]:
    """File names by kind; cached until the file changes, as COCO's own are large."""
    try:
        content = json.loads(path.read_text(), object_hook=_kept)
        categories = content["categories"]
        animals = {row["id"] for row in categories if row["supercategory"] == "animal"}
        pets = {row["id"] for row in categories if row["name"] in PETS}
        shown: dict[int, set[int]] = defaultdict(set)
        for row in content["annotations"]:
            shown[row["image_id"]].add(row["category_id"])
        files = {row["id"]: str(row["file_name"]) for row in content["images"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"`annotations` must be COCO's instances_<part>.json. {path} is not ({type(error).__name__}: "
            f"{error})."
        ) from error
    missing = [name for name, found in (("animal", animals), ("cat or dog", pets)) if not found]
    if missing:
        raise ValueError(f"`annotations` must have categories of animals. {path} has no {missing[0]}.")
    unknown = sorted({kind for seen in shown.values() for kind in seen} - {row["id"] for row in categories})
    if unknown:
        raise ValueError(f"`annotations` must list the categories that it uses. {path} lacks {unknown[:5]}.")
    kinds: dict[str, list[str]] = {"pets": [], "animals": [], "no-animals": []}
    for image, name in files.items():
        seen = shown[image]
        kinds["pets" if seen & pets else "animals" if seen & animals else "no-animals"].append(name)
    return {kind: tuple(sorted(names)) for kind, names in kinds.items()}


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in FIELDS}
