"""Command `rlpriors study`: the effect of the distance between pretraining data and target.

`study`  the command
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from rlpriors.encoders import ImageEncoder
from rlpriors.evaluation.segmentation.plots import compare_masks
from rlpriors.evaluation.segmentation.training import SegmentationSettings, Segmenter, predict
from rlpriors.networks.segmentation import build_head
from rlpriors.representation import Recipe, TrainingSettings
from rlpriors.representation.model import RepresentationModel
from rlpriors.representation.registry import find_recipe
from rlpriors.scripts.pretrain.settings import read_options
from rlpriors.scripts.study.cells import extra_updates, make_encoder, segment, split_distances, train_on_split
from rlpriors.scripts.study.report import Row, study_table, write_rows
from rlpriors.scripts.study.settings import StudyMode, StudySettings
from rlpriors.scripts.study.sources import Sources, Target
from rlpriors.scripts.study.splits import CONTROLS
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_inputs import check_run_inputs

__all__ = ["study"]

N_PICTURES = 8
"""Number of predictions that are drawn."""
UNTRAINED = ("none", "scratch")
"""Splits without pretraining, which have no distance from the target."""


def study(settings: StudySettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Run all unfinished cells of a study and seed, print the table, and return the folder.

    A cell is a split, a number of labels and a mode.  Each finished cell is a file, which `resume` reads.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/study-<method>-<target>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.

    Raises:
        ValueError: method, encoder, data and target do not fit.
        FileNotFoundError: a photograph is missing.
    """
    recipe = find_recipe(settings.method, read_options(settings.options))
    if "act" in recipe.needs or (recipe.horizon > 1 and settings.photographs):
        raise ValueError(
            "`method` must train on frames alone, and on single frames for photographs: the environments of "
            f"a split have different actions. Received {settings.method!r}, which needs more."
        )
    build_head(settings.head, 1, 2)
    make_untrained = partial(
        make_encoder, settings.encoder, settings.image_size, device=settings.device, seed=settings.seed
    )
    RepresentationModel(make_untrained(), recipe, updates=settings.updates)
    run = folder or settings.default_folder
    settings.sources(run).check()
    run = create_or_resume_run(run, settings, resume=resume)
    check_run_inputs(run, {"encoder": make_untrained().fingerprint().digest})
    sources = settings.sources(run / "frames")
    cells = StudyCells(
        run,
        sources,
        sources.target(),
        recipe=recipe,
        make_untrained=make_untrained,
        training=settings.training(),
        segmentation=settings.segmentation(),
        n_pretraining_images=settings.updates * settings.batch_size,
        device=settings.device,
    )
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for split in sources.splits:
            cells.run_split(split, settings.labels, settings.modes, writer)
    rows = _rows(run, settings.target_name, settings.seed)
    write_rows(run / "study.csv", rows)
    console = Console(highlight=False)
    console.print(study_table(rows))
    console.print(f"Pictures: tensorboard --logdir {run}", soft_wrap=True, markup=False)
    console.print(str(run / "study.csv"), soft_wrap=True, markup=False)
    return run


@dataclass(frozen=True)
class StudyCells:
    """Cells of a study: pretraining on each split, and segmentation of the target."""

    run: Path
    """Folder of the run."""
    sources: Sources
    """Frames of the splits."""
    target: Target
    """Labeled frames of the target."""
    recipe: Recipe
    """Recipe of the pretraining."""
    make_untrained: Callable[[], ImageEncoder]
    """Function that returns the untrained encoder."""
    training: TrainingSettings
    """Settings of the pretraining."""
    segmentation: SegmentationSettings
    """Settings of the segmentation."""
    n_pretraining_images: int
    """Number of images that the pretraining processes."""
    device: str
    """Device of the networks."""

    def run_split(
        self, split: str, labels: tuple[int, ...], modes: tuple[StudyMode, ...], writer: SummaryWriter
    ) -> None:
        """Run all unfinished cells of a split."""
        cells = [(n, mode) for n in labels for mode in modes]
        if split == "scratch":  # a head alone does not replace pretraining
            cells = [cell for cell in cells if cell[1] == "full"]
        unfinished = [cell for cell in cells if not _cell_file(self.run, split, *cell).exists()]
        if not unfinished and (split in UNTRAINED or _distances_file(self.run, split).exists()):
            return
        encoder = self.load_encoder(split)
        for n_labels, mode in unfinished:
            settings = replace(self.segmentation, mode=mode)
            if split == "scratch":
                batch_size = min(settings.batch_size, n_labels)
                more = extra_updates(self.n_pretraining_images, batch_size)
                settings = replace(settings, updates=settings.updates + more)
            scores, segmenter = segment(encoder, self.target, n_labels, settings, seed=self.training.seed)
            iou = [None if np.isnan(value) else value for value in scores.iou.tolist()]  # JSON has no NaN
            means = {"miou": scores.miou, "pixel_accuracy": scores.pixel_accuracy}
            for metric, value in means.items():
                writer.add_scalar(f"{metric}/{mode}/{split}", value, n_labels)
            self.draw(segmenter, f"{split}-{n_labels}-{mode}", writer)
            cell = {**means, "iou": dict(zip(self.target.classes, iou, strict=True))}
            write_json(_cell_file(self.run, split, n_labels, mode), cell)

    def load_encoder(self, split: str) -> ImageEncoder:
        """Return the encoder of a split, after its pretraining, and write the split's distances."""
        if split in UNTRAINED:
            return self.make_untrained()
        store, folder = self.sources.frames(split), self.run / "pretrained" / split
        encoder = train_on_split(
            self.make_untrained, self.recipe, self.training, store, self.target, folder, device=self.device
        )
        if not _distances_file(self.run, split).exists():
            names = [name for name in self.sources.splits if name not in CONTROLS]
            all_stores = [self.sources.frames(name) for name in names] or [store]
            distances = split_distances(
                store,
                self.target,
                all_stores,
                image_size=self.sources.image_size,
                seed=self.training.seed,
            )
            write_json(_distances_file(self.run, split), distances)
        return encoder

    def draw(self, segmenter: Segmenter, name: str, writer: SummaryWriter) -> None:
        """Log some test frames with their masks and predictions."""
        rows = np.linspace(0, self.target.test.n_frames - 1, N_PICTURES).astype(int)
        frames = np.asarray(self.target.test.frames[rows])
        masks = np.asarray(self.target.test.arrays["mask"][rows])
        pictures = compare_masks(frames, masks, predict(segmenter, frames))
        writer.add_images(f"predictions/{name}", pictures, dataformats="NHWC")


def _cell_file(run: Path, split: str, n_labels: int, mode: str) -> Path:
    path = run / "cells" / f"{split}-{n_labels}-{mode}.json"
    path.parent.mkdir(exist_ok=True)
    return path


def _distances_file(run: Path, split: str) -> Path:
    return run / "pretrained" / split / "distances.json"


def _rows(run: Path, target: str, seed: int) -> list[Row]:
    """Return the rows of all finished cells."""
    rows = []
    for path in sorted((run / "cells").glob("*.json")):
        split, n_labels, mode = path.stem.rsplit("-", 2)
        distances: dict[str, float | None] = {"distance_frechet": None, "distance_auc": None}
        reconstruction = None
        if split not in UNTRAINED:
            file = _distances_file(run, split)
            distances = json.loads(file.read_text())
            reconstruction = json.loads(file.with_name("held_out.json").read_text())["held_out"]
        rows.append(
            Row(
                target=target,
                split=split,
                labels=int(n_labels),
                mode=mode,
                seed=seed,
                distance_frechet=distances["distance_frechet"],
                distance_recon=reconstruction,
                distance_auc=distances["distance_auc"],
                miou=json.loads(path.read_text())["miou"],
            )
        )
    return rows
