"""Settings of `rlpriors study`.

`StudySettings`  settings of the command
`TARGETS`        target environments
`HELP`           help of the command
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import tyro

from rlpriors.scripts.pretrain.settings import read_options

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.evaluation.segmentation.training import SegmentationSettings
    from rlpriors.representation import TrainingSettings
    from rlpriors.scripts.study.sources import Sources
from rlpriors.settings import check_fields

__all__ = ["HELP", "TARGETS", "StudyMode", "StudySettings"]

HELP = """
The study measures whether pretraining on data closer to the target helps, for each split, number of labels
and mode:

    rlpriors study mae --target halfcheetah
    rlpriors study mae --target pong --splits near far none --labels 8
    rlpriors study mae --data coco:/data/coco --target pet:/data/oxford-iiit-pet

An encoder is trained on each split alone, without labels.  Then a segmentation of the target is trained on a
few labeled images.  The study also measures the distance of each split from the target, and the controls: no
pretraining, shuffled pixels, and longer training on labels.

It writes runs/study-<method>-<target>-seed<seed>: study.csv, the encoders in pretrained/ and TensorBoard logs
in tensorboard/.
"""

StudyMode = Literal["frozen", "full"]
TARGETS = ("halfcheetah", "pong", "breakout", "freeway")
SEGMENTATION_BATCH = 16


@dataclass(frozen=True)
class StudySettings:
    """Settings of `rlpriors study`.

    Raises:
        ValueError: a field is out of its bounds, or two fields contradict each other.
    """

    method: tyro.conf.Positional[str] = "mae"
    """Training method of the encoders, a name of rlpriors.representation.RECIPES."""

    data: str = "environments"
    """Pretraining data: "environments", or coco:<folder> for the photographs of COCO, split by content."""

    target: str = "halfcheetah"
    """Target, whose pixels are classified: halfcheetah, pong, breakout, freeway, or pet:<folder> for the
    Oxford-IIIT pets."""

    encoder: str = "vit-nano"
    """Encoder, which starts from random weights: vit-nano, vit-micro, vit-tiny, or another with maps."""

    options: str = "{}"
    """Options of the method as JSON: '{"mask_ratio": 0.6}'."""

    splits: tuple[str, ...] = ()
    """Splits that are compared; all of the data, and the controls none, shuffled and scratch, by default."""

    n_frames: int = 4000
    """Number of images in each split."""

    foreign_fraction: float = 0.0
    """Fraction of each split's images that comes from the farthest split instead.  For photographs it applies
    to "pets" and "animals", and comes from "no-animals"; the other splits contain such images already."""

    updates: int = 160
    """Number of updates of the pretraining, equal for every split."""

    batch_size: int = 256
    """Number of images in an update of the pretraining."""

    labels: tuple[int, ...] = (8, 32, 128)
    """Numbers of labeled images that the segmentation is trained on."""

    modes: tuple[StudyMode, ...] = ("frozen", "full")
    """Modes of the segmentation: frozen trains a head alone, full trains the encoder, too."""

    head: str = "patch"
    """Head of the segmentation: linear (a class for each patch), patch (linear, with a class for each pixel
    of the patch), conv or pyramid."""

    layer_decay: float = 1.0
    """Factor of the encoder's learning rate from each block to the previous one in mode "full"; 1 for equal
    learning rates.  Deep encoders need 0.65 to 0.75."""

    segmentation_updates: int = 300
    """Number of updates of the segmentation, of 16 images each."""

    n_test_frames: int = 256
    """Number of images that the segmentation is evaluated on."""

    image_size: int = 64
    """Rows and columns of every image."""

    seed: int = 0
    """Random seed of data, initial weights and batches."""

    device: str = "auto"
    """Device of the networks: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    amp: Literal["bf16", "fp16"] | None = None
    """Half precision of the pretraining, on a GPU; full precision by default."""

    def __post_init__(self) -> None:
        check_fields(self)
        bounds = {"n_frames": 5, "n_test_frames": 5, "updates": 1, "batch_size": 1, "segmentation_updates": 1}
        for name, bound in bounds.items():  # a distance is cross-validated in 5 folds
            if getattr(self, name) < bound:
                raise ValueError(f"`{name}` must be at least {bound}. Received {getattr(self, name)}.")
        if not self.labels or min(self.labels) < 1:
            raise ValueError(f"`labels` must be one or more numbers above 0. Received {self.labels}.")
        if not self.modes or not set(self.modes) <= set(get_args(StudyMode)):
            raise ValueError(f"`modes` must be some of {get_args(StudyMode)}. Received {self.modes}.")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"`layer_decay` must be in (0, 1]. Received {self.layer_decay}.")
        if not 0 <= self.foreign_fraction < 1:
            raise ValueError(f"`foreign_fraction` must be in [0, 1). Received {self.foreign_fraction}.")
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
        if self.image_size < 8:
            raise ValueError(f"`image_size` must be at least 8. Received {self.image_size}.")
        if self.batch_size > self.n_frames:
            raise ValueError(
                f"`batch_size` must be at most `n_frames`, {self.n_frames}. Received {self.batch_size}."
            )
        photographs = self.data.startswith("coco:"), self.target.startswith("pet:")
        if photographs[0] != photographs[1]:
            raise ValueError(
                "`data` coco:<folder> and `target` pet:<folder> go together, and so do environments. "
                f"Received {self.data!r} and {self.target!r}."
            )
        if not photographs[0] and (self.data != "environments" or self.target not in TARGETS):
            raise ValueError(
                f'`data` must be "environments" or coco:<folder>, and `target` one of {TARGETS} or '
                f"pet:<folder>. Received {self.data!r} and {self.target!r}."
            )
        read_options(self.options)

    @property
    def target_name(self) -> str:
        """Name of the target in tables and folders."""
        return "pet" if self.target.startswith("pet:") else self.target

    @property
    def photographs(self) -> tuple[Path, Path] | None:
        """Folders of COCO and of the pets; None for environments."""
        if not self.data.startswith("coco:"):
            return None
        return Path(self.data.removeprefix("coco:")), Path(self.target.removeprefix("pet:"))

    @property
    def default_folder(self) -> Path:
        """Folder of the run, named by method, target and seed."""
        name = re.sub(r"[^\w.]+", "-", f"{self.method}-{self.target_name}-seed{self.seed}")
        return Path("runs") / f"study-{name}"

    def sources(self, folder: Path) -> "Sources":
        """Return the frames of the study, kept in `folder`."""
        from rlpriors.scripts.study.sources import Sources

        return Sources(
            folder,
            target_env=self.target,
            photographs=self.photographs,
            splits=self.splits,
            n_frames=self.n_frames,
            foreign_fraction=self.foreign_fraction,
            n_labels=max(self.labels),
            n_test_frames=self.n_test_frames,
            image_size=self.image_size,
            seed=self.seed,
        )

    def training(self) -> "TrainingSettings":
        """Return the settings of the pretraining."""
        from rlpriors.representation import TrainingSettings

        return TrainingSettings(
            updates=self.updates, batch_size=self.batch_size, amp=self.amp, seed=self.seed
        )

    def segmentation(self) -> "SegmentationSettings":
        """Return the settings of the segmentation, in mode "frozen"."""
        from rlpriors.evaluation.segmentation.training import SegmentationSettings

        return SegmentationSettings(
            head=self.head,
            updates=self.segmentation_updates,
            batch_size=SEGMENTATION_BATCH,
            layer_decay=self.layer_decay,
        )
