"""Splits of COCO's photographs: pets, other animals, or no animals.

`CocoImages`  images of a COCO folder
`coco_split`  file names of the images of a split; splits have the same size
`SPLITS`      names of the splits

The splits serve pretraining on photographs that are more or less similar to pets.  The annotations (Lin et
al. 2014, arXiv 1405.0312) are read from `instances_<part>.json`; pycocotools is not needed.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rlpriors.data.photos.image_folder import random_subset
from rlpriors.storage.array_folder import check_inside

__all__ = ["SPLITS", "CocoImages", "coco_split"]

SPLITS = ("pets", "animals", "no-animals", "random", "all")
"""Names of the splits.

"pets" has images with a cat or a dog, "animals" images with other animals only, "no-animals" images without
animals, "random" images drawn from all, and "all" all images.
"""

PETS = ("cat", "dog")
# Fields that are read from a file; outlines are nearly all of it, and would need gigabytes.
FIELDS = {"images", "annotations", "categories", "id", "image_id", "category_id", "file_name"}
FIELDS |= {"name", "supercategory"}


@dataclass(frozen=True)
class CocoImages:
    """Folder of COCO: annotations/instances_<part>.json, and images in the folder <part>.

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
    """Folder that contains the folder `annotations`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if not self.parts:
            raise FileNotFoundError(
                "`folder` must hold annotations/instances_<part>.json, the files of COCO. Received "
                f"{str(self.folder)!r}, which has none."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """Annotated parts, such as train2017."""
        paths = sorted((self.folder / "annotations").glob("instances_*.json"))
        return tuple(path.stem.removeprefix("instances_") for path in paths)

    @property
    def part(self) -> str:
        """Part for training: a part whose images are present, preferably the training part."""
        parts = [part for part in self.parts if (self.folder / part).is_dir()] or self.parts
        return next((part for part in parts if part.startswith("train")), parts[0])

    def annotations(self, part: str) -> Path:
        """Return the path of the annotations of `part`."""
        if part not in self.parts:
            raise ValueError(f"`part` must be one of {list(self.parts)}. Received {part!r}.")
        return self.folder / "annotations" / f"instances_{part}.json"

    def images(self, part: str, split: str = "all", n: int | None = None, seed: int = 0) -> list[Path]:
        """Return the paths of the images of `coco_split`; `write_images` converts them to frames."""
        return [self.folder / part / name for name in coco_split(self.annotations(part), split, n, seed)]


def coco_split(annotations: Path, split: str, n: int | None = None, seed: int = 0) -> list[str]:
    """Return the file names of `n` images of a split, in random order by `seed`.

    Without `n`, each split has the size of the smallest of "pets", "animals" and "no-animals", so that
    pretraining on two splits differs in their contents only; "all" then has all images, sorted by name.
    Animals are the categories with the supercategory "animal", including crowds.  Images without annotations
    have no animals.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no such split, the split is empty or smaller than `n`, or the file is damaged.
    """
    if split not in SPLITS:
        raise ValueError(f"`split` must be one of {list(SPLITS)}. Received {split!r}.")
    annotations = Path(annotations)
    if not annotations.is_file():
        raise FileNotFoundError(
            f"`annotations` must be a file instances_<part>.json. Received {annotations}."
        )
    kinds = _kinds(annotations, annotations.stat().st_mtime_ns)
    every = sorted(name for names in kinds.values() for name in names)
    names = list(kinds.get(split, every))
    if not names:
        counts = ", ".join(f"{len(images)} of {kind!r}" for kind, images in kinds.items())
        raise ValueError(f"`split` {split!r} is empty. {annotations} has {counts}; use another split.")
    if n is None and split != "all":
        n = min(map(len, kinds.values()))
        if n < 1:
            empty = [name for name, names in kinds.items() if not names]
            raise ValueError(f"`n` must be given: {annotations} has no {' and no '.join(empty)}.")
    return random_subset(names, n, seed, f"images of {split!r} in {annotations.name}")


@lru_cache(maxsize=2)
def _kinds(path: Path, changed: int) -> Mapping[str, tuple[str, ...]]:
    """Return the file names by split; cached until the file changes, since COCO's files are large."""
    try:
        content = json.loads(path.read_text(), object_hook=_select_fields)
        categories = content["categories"]
        animals = {row["id"] for row in categories if row["supercategory"] == "animal"}
        pets = {row["id"] for row in categories if row["name"] in PETS}
        image_categories: dict[int, set[int]] = defaultdict(set)
        for row in content["annotations"]:
            image_categories[row["image_id"]].add(row["category_id"])
        files = {row["id"]: check_inside("file_name", row["file_name"]) for row in content["images"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"`annotations` must be COCO's instances_<part>.json. Received {path} ({type(error).__name__}: "
            f"{error})."
        ) from error
    missing = [name for name, ids in (("animal", animals), ("cat or dog", pets)) if not ids]
    if missing:
        raise ValueError(f"`annotations` must have categories of animals. {path} has no {missing[0]}.")
    used = {category for ids in image_categories.values() for category in ids}
    unknown = sorted(used - {row["id"] for row in categories})
    if unknown:
        raise ValueError(f"`annotations` must list the categories that it uses. {path} lacks {unknown[:5]}.")
    kinds: dict[str, list[str]] = {"pets": [], "animals": [], "no-animals": []}
    for image, name in files.items():
        ids = image_categories[image]
        kinds["pets" if ids & pets else "animals" if ids & animals else "no-animals"].append(name)
    return {kind: tuple(sorted(names)) for kind, names in kinds.items()}


def _select_fields(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in FIELDS}
