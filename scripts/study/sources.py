"""What encoders of a study learn from, and what they are asked: frames of one size, in splits.

`Sources`       frames of each split, and labeled frames of the target; made when first asked for
`COMPONENTS`    the environments of each split, for each target
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rlpriors.data.frame_mixing import gather, join, shuffle
from rlpriors.data.frames import FrameStore
from rlpriors.data.photos.coco import SPLITS as COCO_SPLITS
from rlpriors.data.photos.coco import CocoImages
from rlpriors.data.photos.image_folder import write_images
from rlpriors.data.photos.oxford_pets import PetImages
from rlpriors.envs.atari.masks import collect_atari_masks
from rlpriors.envs.atari.object_boxes import SCREEN
from rlpriors.envs.mujoco.masks import collect_mujoco_masks
from rlpriors.envs.segmentation_masks import MaskedFrames, collect_masks
from rlpriors.scripts.pretrain.run import APART
from rlpriors.scripts.study.settings import CONTROLS, SPLITS, StudySettings

__all__ = ["COMPONENTS", "Sources", "Target"]

CAMERA = "track"
"""Follows the body, and sees the sky; by itself MuJoCo looks at one place, which runners leave."""
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
"""Near are the same camera and floor, or the games most like it.  Games are far from runners and runners
from games, so that a source that is better for everything and one that is closer come apart."""
FOREIGN = "no-animals"
"""Photographs that stand in for others, as frames of the farthest environments do."""
SHUFFLED = "pets"
"""The split of photographs that the control "shuffled" is made of."""
CLEAN = ("pets", "animals")
"""Splits of photographs that hold none of these by themselves."""

PLAY = {part: i * APART for i, part in enumerate(("unlabeled", "labeled", "test", "compared", "foreign"))}
"""Added to the seed, so that nothing is tested on, or compared with, play that was learned from."""
LABELED = 128
"""Frames of the target at least that the labeled ones are drawn from, so that which they are does not
hang on how many others are wanted."""
COMPARED = 1000
"""Frames of the target that distances are told from."""


@dataclass(frozen=True)
class Target:
    """Labeled frames, and what their classes are called."""

    train: FrameStore
    test: FrameStore
    classes: tuple[str, ...]
    compared: FrameStore
    """What distances are measured to, of play or photographs that nothing is learned from."""


class Sources:
    """The frames of a study and seed, kept in `folder`.

    Example:
        >>> Sources(StudySettings(target="pong"), Path("frames")).splits
        ('far', 'mid', 'near', 'target', 'mix', 'none', 'shuffled', 'scratch')
    """

    def __init__(self, settings: StudySettings, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        known: tuple[str, ...] = (*(COCO_SPLITS if settings.photographs else SPLITS), *CONTROLS)
        unknown = [split for split in settings.splits if split not in known]
        if unknown:
            raise ValueError(f"`splits` must be some of {known}. Received {unknown}.")
        self.splits = settings.splits or known

    def check(self) -> None:
        """Refuse what cannot be collected, before anything is.

        Raises:
            ValueError: there are fewer photographs than are wanted, or `size` is more than a game shows.
            FileNotFoundError: a photograph is missing.
        """
        settings = self.settings
        if settings.photographs is None:
            worlds = {name for split in self.splits for name in self._worlds(split)}
            games = sorted(name for name in worlds if not name.endswith("-v5"))
            if games and settings.size > min(SCREEN):
                raise ValueError(
                    f"`size` must be at most {min(SCREEN)}, what games show ({', '.join(games)}). "
                    f"Received {settings.size}."
                )
            return
        pets = PetImages(settings.photographs[1])
        wanted = (("labels", "trainval", max(settings.labels)), ("test_frames", "test", settings.test_frames))
        for name, part, n in wanted:
            there = len(pets.names(part))
            if n > there:
                raise ValueError(
                    f"`{name}` must be at most {there}, the images of {part!r} in {pets.folder}. "
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
        """What is learned from in `split`."""
        n, folder = self.settings.frames, self.folder / split
        if folder.exists():
            return FrameStore.open(folder)
        if split == "shuffled":
            like = SHUFFLED if self.settings.photographs else "target"
            return shuffle(self.frames(like), folder, self.settings.seed)
        if self.settings.photographs:
            return write_images(self._paths(split), folder, (self.settings.size, self.settings.size))
        foreign = round(self.settings.noise * n)
        if not foreign:
            return self._own(split, n, folder)
        parts = [self._own(split, n - foreign, self.folder / f"{split}-{n - foreign}")]
        parts.append(self._own("far", foreign, self.folder / f"foreign-{foreign}", "foreign"))
        return join(parts, folder)

    def target(self) -> Target:
        """What is asked in the end: as many labeled frames as are wanted at most, and others to test."""
        wanted, size = max(self.settings.labels), (self.settings.size, self.settings.size)
        if self.settings.photographs:
            pets, stores = PetImages(self.settings.photographs[1]), []
            for part, n in (("trainval", wanted), ("test", self.settings.test_frames)):
                folder = self.folder / f"pet-{part}-{n}"
                seed = self.settings.seed
                stores.append(
                    FrameStore.open(folder)
                    if folder.exists()
                    else pets.write(part, folder, size, n=n, seed=seed)
                )
            return Target(stores[0], stores[1], ("background", "pet"), stores[1])
        train = self._labeled("labeled", max(wanted, LABELED))
        test = self._labeled("test", self.settings.test_frames)
        compared = self._labeled("compared", min(COMPARED, self.settings.frames))
        return Target(train.store, test.store, train.classes, compared.store)

    def _labeled(self, purpose: str, n: int) -> MaskedFrames:
        """Frames of the target with masks."""
        (name,) = COMPONENTS[self.settings.target]["target"]
        seed, size = self.settings.seed + PLAY[purpose], (self.settings.size, self.settings.size)
        return collect_masks(name, n, seed, self.folder / f"{purpose}-{n}", size, camera=CAMERA)

    def _own(self, split: str, n: int, folder: Path, purpose: str = "unlabeled") -> FrameStore:
        """`n` frames of a split and of nothing else, as many of each of its environments."""
        if folder.exists():
            return FrameStore.open(folder)
        if split == "mix":
            names = [one for one in SPLITS if one != "mix"]
            share = -(-n // len(names))
            parts = [self._own(one, share, self.folder / f"{one}-{share}") for one in names]
        else:
            names = list(COMPONENTS[self.settings.target][split])
            parts = [self._play(name, -(-n // len(names)), purpose) for name in names]
        return gather(parts, n, folder, self.settings.seed)

    def _play(self, name: str, n: int, purpose: str) -> FrameStore:
        """Frames of an environment, kept as those of the target are: a source that is seen more densely, or
        in episodes that end sooner, would show less of its world in as many frames.
        """
        folder, size = self.folder / f"{purpose}-{name}-{n}", (self.settings.size, self.settings.size)
        seed = self.settings.seed + PLAY[purpose]
        if name.endswith("-v5"):
            return collect_mujoco_masks(name, n, seed, folder, size, camera=CAMERA, past_the_end=True)
        return collect_atari_masks(name, n, seed, folder, size, masks=False)

    def _worlds(self, split: str) -> list[str]:
        """The environments that frames of a split, and foreign ones among them, come from."""
        of = COMPONENTS[self.settings.target]
        names = SPLITS[:-1] if split == "mix" else (split if split in of else "target",)
        foreign = ("far",) if self.settings.noise and split not in CONTROLS else ()
        return [world for name in (*names, *foreign) for world in of[name]]

    def _paths(self, split: str) -> list[Path]:
        """Where the photographs of a split lie."""
        assert self.settings.photographs is not None
        coco, n, seed = CocoImages(self.settings.photographs[0]), self.settings.frames, self.settings.seed
        foreign = round(self.settings.noise * n) if split in CLEAN else 0
        paths = coco.images(coco.part, split, None if split == "all" else n - foreign, seed)
        if foreign:
            paths += coco.images(coco.part, FOREIGN, foreign, seed + PLAY["foreign"])
        return paths
