"""Frames of a study: the splits of the pretraining data, and the target.

`Sources`     frames of each split and of the target, collected when first needed
`Target`      labeled frames of the target
`COMPONENTS`  environments of each split, for each target
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rlpriors.data.frame_mixing import concatenate, shuffle_pixels, subsample
from rlpriors.data.frames import FrameStore
from rlpriors.data.photos.coco import SPLITS as COCO_SPLITS
from rlpriors.data.photos.coco import CocoImages
from rlpriors.data.photos.image_folder import write_images
from rlpriors.data.photos.oxford_pets import PetImages
from rlpriors.envs.atari.masks import collect_atari_masks
from rlpriors.envs.atari.object_boxes import SCREEN
from rlpriors.envs.mujoco.masks import collect_mujoco_masks
from rlpriors.envs.random_frames import PRETRAINING_SEED_OFFSET
from rlpriors.envs.segmentation_masks import MaskedFrames, collect_masks
from rlpriors.scripts.study.splits import CONTROLS, SPLITS

__all__ = ["COMPONENTS", "Sources", "Target"]

CAMERA = "track"
"""Camera that follows the body; MuJoCo's default camera shows one place, which runners leave."""
GAMES = ("boxing", "mspacman", "qbert", "seaquest", "spaceinvaders", "montezumarevenge")
RUNNERS = ("HalfCheetah-v5", "Hopper-v5", "Walker2d-v5", "Ant-v5")
COMPONENTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "halfcheetah": {
        "far": GAMES,
        "mid": ("Ant-v5", "Humanoid-v5", "Swimmer-v5"),
        "near": ("Walker2d-v5", "Hopper-v5"),
        "target": ("HalfCheetah-v5",),
    },
    **{
        game: {"far": RUNNERS, "mid": GAMES, "near": paddles, "target": (game,)}
        for game, paddles in (
            ("pong", ("breakout", "tennis")),
            ("breakout", ("pong", "tennis")),
            ("freeway", ("pong", "breakout")),
        )
    },
}
"""Near environments have the same camera and floor, or are the most similar games.  Games are far from
runners and runners from games, which separates data that helps every target from data that is closer to one
target."""
FOREIGN = "no-animals"
"""Split of photographs that replaces a fraction of others."""
SHUFFLED = "pets"
"""Split of photographs whose pixels the control "shuffled" shuffles."""
CLEAN = ("pets", "animals")
"""Splits of photographs without photographs of `FOREIGN`."""

SEED_OFFSETS = {
    purpose: i * PRETRAINING_SEED_OFFSET
    for i, purpose in enumerate(("unlabeled", "labeled", "test", "compared", "foreign"))
}
"""Number added to the seed for each purpose, so that test and comparison frames are not training frames."""
MIN_LABELED = 128
"""Number of the target's frames from which the labeled ones are drawn, at least: the first labeled frames
then do not depend on their number."""
N_COMPARED = 1000
"""Number of the target's frames that distances are measured to."""


@dataclass(frozen=True)
class Target:
    """Labeled frames of the target."""

    train: FrameStore
    """Frames with masks, from which the labeled ones are drawn."""
    test: FrameStore
    """Frames with masks that the segmentation is evaluated on."""
    classes: tuple[str, ...]
    """Names of the classes."""
    compared: FrameStore
    """Frames that distances are measured to; nothing is trained on them."""


@dataclass(frozen=True)
class Sources:
    """Frames of a study and seed, kept in a folder.

    Raises:
        ValueError: a split is unknown.

    Example:
        >>> Sources(Path("frames"), target_env="pong").splits
        ('far', 'mid', 'near', 'target', 'mix', 'none', 'shuffled', 'scratch')
    """

    folder: Path
    """Folder of the frames."""
    target_env: str
    """Environment that is the target; ignored with `photographs`."""
    photographs: tuple[Path, Path] | None = None
    """Folders of COCO and of the pets; None for environments."""
    splits: tuple[str, ...] = ()
    """Splits of the study; empty for all."""
    n_frames: int = 4000
    """Number of images in each split."""
    foreign_fraction: float = 0.0
    """Fraction of each split's images that comes from the farthest split."""
    n_labels: int = 128
    """Number of labeled images, at most."""
    n_test_frames: int = 256
    """Number of test images."""
    image_size: int = 64
    """Rows and columns of every image."""
    seed: int = 0
    """Random seed of the frames."""

    def __post_init__(self) -> None:
        known: tuple[str, ...] = (*(COCO_SPLITS if self.photographs else SPLITS), *CONTROLS)
        unknown = [split for split in self.splits if split not in known]
        if unknown:
            raise ValueError(f"`splits` must be some of {known}. Received {unknown}.")
        object.__setattr__(self, "splits", self.splits or known)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every image."""
        return self.image_size, self.image_size

    def check(self) -> None:
        """Check that all frames can be collected, before any is.

        Raises:
            ValueError: there are too few photographs, or `image_size` is larger than a game's screen.
            FileNotFoundError: a photograph is missing.
        """
        if self.photographs is None:
            env_names = {name for split in self.splits for name in self._env_names(split)}
            games = sorted(name for name in env_names if not name.endswith("-v5"))
            if games and self.image_size > min(SCREEN):
                raise ValueError(
                    f"`image_size` must be at most {min(SCREEN)}, the screen of {', '.join(games)}. "
                    f"Received {self.image_size}."
                )
            return
        pets = PetImages(self.photographs[1])
        needed = (("labels", "trainval", self.n_labels), ("n_test_frames", "test", self.n_test_frames))
        for name, part, n in needed:
            available = len(pets.names(part))
            if n > available:
                raise ValueError(
                    f"`{name}` must be at most {available}, the images of {part!r} in {pets.folder}. "
                    f"Received {n}."
                )
        for split in dict.fromkeys(SHUFFLED if split == "shuffled" else split for split in self.splits):
            paths = self._paths(split) if split not in CONTROLS else []
            missing = [path for path in paths if not path.is_file()]
            if missing:
                raise FileNotFoundError(
                    f"`data` must hold the images that it annotates. {len(missing)} of {split!r} are "
                    f"missing, among them {missing[0]}."
                )

    def frames(self, split: str) -> FrameStore:
        """Return the frames of a split; they are collected if they are not in the folder."""
        n, folder = self.n_frames, self.folder / split
        if folder.exists():
            return FrameStore.open(folder)
        if split == "shuffled":
            original = SHUFFLED if self.photographs else "target"
            return shuffle_pixels(self.frames(original), folder, self.seed)
        if self.photographs:
            return write_images(self._paths(split), folder, self.size)
        n_foreign = round(self.foreign_fraction * n)
        if not n_foreign:
            return self._split_frames(split, n, folder)
        parts = [self._split_frames(split, n - n_foreign, self.folder / f"{split}-{n - n_foreign}")]
        parts.append(self._split_frames("far", n_foreign, self.folder / f"foreign-{n_foreign}", "foreign"))
        return concatenate(parts, folder)

    def target(self) -> Target:
        """Return the labeled frames of the target; they are collected if they are not in the folder."""
        if self.photographs:
            pets, stores = PetImages(self.photographs[1]), []
            for part, n in (("trainval", self.n_labels), ("test", self.n_test_frames)):
                folder = self.folder / f"pet-{part}-{n}"
                stores.append(
                    FrameStore.open(folder)
                    if folder.exists()
                    else pets.write(part, folder, self.size, n=n, seed=self.seed)
                )
            return Target(stores[0], stores[1], ("background", "pet"), stores[1])
        train = self._labeled("labeled", max(self.n_labels, MIN_LABELED))
        test = self._labeled("test", self.n_test_frames)
        compared = self._labeled("compared", min(N_COMPARED, self.n_frames))
        return Target(train.store, test.store, train.classes, compared.store)

    def _labeled(self, purpose: str, n: int) -> MaskedFrames:
        """Return frames of the target with masks."""
        (name,) = COMPONENTS[self.target_env]["target"]
        seed, folder = self.seed + SEED_OFFSETS[purpose], self.folder / f"{purpose}-{n}"
        return collect_masks(name, n, seed, folder, self.size, camera=CAMERA)

    def _split_frames(self, split: str, n: int, folder: Path, purpose: str = "unlabeled") -> FrameStore:
        """Return `n` frames of a split without foreign ones, an equal number of each environment."""
        if folder.exists():
            return FrameStore.open(folder)
        if split == "mix":
            names = [one for one in SPLITS if one != "mix"]
            per_split = -(-n // len(names))
            parts = [self._split_frames(one, per_split, self.folder / f"{one}-{per_split}") for one in names]
        else:
            names = list(COMPONENTS[self.target_env][split])
            parts = [self._env_frames(name, -(-n // len(names)), purpose) for name in names]
        return subsample(parts, n, folder, self.seed)

    def _env_frames(self, name: str, n: int, purpose: str) -> FrameStore:
        """Return frames of an environment at the same frame interval as the target's.

        A source with a shorter interval or shorter episodes would show less of its environment in the same
        number of frames.
        """
        seed, folder = self.seed + SEED_OFFSETS[purpose], self.folder / f"{purpose}-{name}-{n}"
        if name.endswith("-v5"):
            return collect_mujoco_masks(
                name, n, seed, folder, self.size, camera=CAMERA, continue_after_termination=True
            )
        return collect_atari_masks(name, n, seed, folder, self.size, masks=False)

    def _env_names(self, split: str) -> list[str]:
        """Return the environments of a split, foreign ones included."""
        components = COMPONENTS[self.target_env]
        names = SPLITS[:-1] if split == "mix" else (split if split in components else "target",)
        foreign = ("far",) if self.foreign_fraction and split not in CONTROLS else ()
        return [env_name for name in (*names, *foreign) for env_name in components[name]]

    def _paths(self, split: str) -> list[Path]:
        """Return the paths of a split's photographs."""
        assert self.photographs is not None
        coco, n = CocoImages(self.photographs[0]), self.n_frames
        n_foreign = round(self.foreign_fraction * n) if split in CLEAN else 0
        paths = coco.images(coco.part, split, None if split == "all" else n - n_foreign, self.seed)
        if n_foreign:
            paths += coco.images(coco.part, FOREIGN, n_foreign, self.seed + SEED_OFFSETS["foreign"])
        return paths
