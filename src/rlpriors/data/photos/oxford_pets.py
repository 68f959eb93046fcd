"""Oxford-IIIT pets: photographs of cats and dogs with trimaps.

`PetImages`  images of the data set's folder, and frames with masks
`TRIMAP`     class of each number of a trimap

Parkhi et al. 2012, "Cats and Dogs".  The unpacked folder is read without torchvision.
"""

from dataclasses import dataclass
from pathlib import Path

from rlpriors.data.frames import FrameStore
from rlpriors.data.photos.image_folder import IGNORE_INDEX, random_subset, write_images
from rlpriors.storage.array_folder import check_inside

__all__ = ["TRIMAP", "PetImages"]

TRIMAP = {1: 1, 2: 0, 3: IGNORE_INDEX}
"""Class of each number of a trimap: 1 is the pet, 2 the background, 3 the border between them (ignored)."""

PARTS = ("trainval", "test")


@dataclass(frozen=True)
class PetImages:
    r"""Folder of the pets: images/*.jpg, annotations/{trainval,test}.txt, annotations/trimaps/*.png.

    Raises:
        FileNotFoundError: neither `folder` nor its subfolder oxford-iiit-pet is such a folder.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> root = Path(tempfile.mkdtemp())
        >>> for name in ("images", "annotations/trimaps"):
        ...     (root / name).mkdir(parents=True)
        >>> _ = (root / "annotations/test.txt").write_text("Abyssinian_1 1 1 1\n")
        >>> Image.new("RGB", (30, 20), "red").save(root / "images/Abyssinian_1.jpg")
        >>> Image.new("L", (30, 20), 2).save(root / "annotations/trimaps/Abyssinian_1.png")
        >>> pets = PetImages(root)
        >>> pets.names("test")
        ['Abyssinian_1']
        >>> pets.write("test", root / "frames", (8, 8))
        FrameStore(1 episodes, 1 frames of (8, 8, 3), mask)
    """

    folder: Path
    """Folder that contains `images` and `annotations`, or the folder oxford-iiit-pet with them."""

    def __post_init__(self) -> None:
        given = Path(self.folder)
        for folder in (given, given / "oxford-iiit-pet"):
            if (folder / "images").is_dir() and (folder / "annotations").is_dir():
                object.__setattr__(self, "folder", folder)
                return
        raise FileNotFoundError(
            "`folder` must contain the folders `images` and `annotations` of the Oxford-IIIT pets, or "
            f"oxford-iiit-pet with them. Received {str(given)!r}."
        )

    def names(self, part: str) -> list[str]:
        """Return the names of the images of "trainval" or "test", in the order of the list.

        Raises:
            ValueError: there is no such part, or its list is empty.
            FileNotFoundError: the list is missing.
        """
        if part not in PARTS:
            raise ValueError(f"`part` must be one of {list(PARTS)}. Received {part!r}.")
        path = self.folder / "annotations" / f"{part}.txt"
        if not path.is_file():
            raise FileNotFoundError(f"`folder` must contain annotations/{part}.txt. {path} is missing.")
        lines = path.read_text().splitlines()
        names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
        if not names:
            raise ValueError(f"`part` {part!r} is empty: {path} lists no image.")
        return [check_inside(f"A name in {path}", name) for name in names]

    def image(self, name: str) -> Path:
        """Return the path of the photograph of `name`."""
        return self.folder / "images" / f"{name}.jpg"

    def trimap(self, name: str) -> Path:
        """Return the path of the trimap of `name`: 1 is the pet, 2 the background, 3 the border."""
        return self.folder / "annotations" / "trimaps" / f"{name}.png"

    def write(
        self,
        part: str,
        folder: str | Path,
        size: tuple[int, int],
        *,
        n: int | None = None,
        seed: int = 0,
        border: int = IGNORE_INDEX,
    ) -> FrameStore:
        """Write frames and masks of `n` images of `part` (default: all) to a new store at `folder`.

        The mask is 0 for the background, 1 for the pet and `border` between them.

        Raises:
            ValueError: there are fewer images, `border` is not in 0..255, or an image is damaged.
        """
        if not 0 <= border <= IGNORE_INDEX:
            raise ValueError(f"`border` must be in 0..{IGNORE_INDEX}. Received {border}.")
        names = random_subset(self.names(part), n, seed, f"images of {part!r}")
        return write_images(
            [self.image(name) for name in names],
            folder,
            size,
            [self.trimap(name) for name in names],
            mask_values={**TRIMAP, 3: border},
        )
