"""Does pretraining on data closer to the target help?  A study, from the command line: `rlpriors study`."""

import json
import re
from pathlib import Path

import numpy as np
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from rlpriors.encoders import ImageEncoder
from rlpriors.evaluation.segmentation.plots import compare
from rlpriors.evaluation.segmentation.training import Segmenter, predict
from rlpriors.networks.segmentation import build_head
from rlpriors.representation.model import RepresentationModel
from rlpriors.scripts.pretrain.run import find_recipe
from rlpriors.scripts.pretrain.settings import read_options
from rlpriors.scripts.study.cells import distances, learn_split, segment, start, updates_to_make_up
from rlpriors.scripts.study.report import Row, study_table, write_rows
from rlpriors.scripts.study.settings import CONTROLS, StudyMode, StudySettings
from rlpriors.scripts.study.sources import Sources, Target
from rlpriors.training.run_folder import create_or_resume_run, write_json

__all__ = ["study"]

SHOWN = 8
"""Predictions that are drawn."""
NOT_LEARNED = ("none", "scratch")
"""Splits without pretraining, which are at no distance."""


def study(settings: StudySettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Run all cells of a study and seed that are not yet done, print the table, and return the folder.

    A cell is a split, a number of labels and a mode.  Each finished one is a file: a run that was
    stopped goes on with `resume`.
    """
    _check(settings)
    name = re.sub(r"[^\w.]+", "-", f"{settings.method}-{settings.target_name}-seed{settings.seed}")
    run = folder or Path("runs") / f"study-{name}"
    Sources(settings, run).check()
    run = create_or_resume_run(run, settings, resume=resume)
    sources = Sources(settings, run / "frames")
    target = sources.target()
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for split in sources.splits:
            _run_split(settings, sources, target, split, run, writer)
    rows = _rows(settings, run)
    write_rows(run / "study.csv", rows)
    console = Console(highlight=False)
    console.print(study_table(rows))
    console.print(f"Pictures: tensorboard --logdir {run}", soft_wrap=True, markup=False)
    console.print(str(run / "study.csv"), soft_wrap=True, markup=False)
    return run


def _check(settings: StudySettings) -> None:
    """Refuse before anything is collected what would else be found out after minutes."""
    recipe = find_recipe(settings.method, read_options(settings.options))
    if "act" in recipe.needs or (recipe.horizon > 1 and settings.photographs):
        raise ValueError(
            "`method` must learn from frames alone, and from single ones where they are photographs: the "
            f"worlds of a split have actions of their own. Received {settings.method!r}, which needs more."
        )
    build_head(settings.head, 1, 2)
    RepresentationModel(start(settings), recipe, updates=settings.updates)


def _run_split(
    settings: StudySettings, sources: Sources, target: Target, split: str, run: Path, writer: SummaryWriter
) -> None:
    """All cells of one split."""
    cells: list[tuple[int, StudyMode]] = [(n, mode) for n in settings.labels for mode in settings.modes]
    if split == "scratch":  # a head alone has nothing to make up for
        cells = [cell for cell in cells if cell[1] == "full"]
    todo = [cell for cell in cells if not _file(run, split, *cell).exists()]
    if not todo and (split in NOT_LEARNED or _distances(run, split).exists()):
        return
    encoder = _encoder(settings, sources, target, split, run)
    for labels, mode in todo:
        more = updates_to_make_up(settings, labels) if split == "scratch" else 0
        scores, segmenter = segment(settings, encoder, target, labels, mode, more_updates=more)
        seen = [None if np.isnan(value) else value for value in scores.iou.tolist()]  # JSON has no NaN
        iou = dict(zip(target.classes, seen, strict=True))
        told = {"miou": scores.miou, "pixel_accuracy": scores.pixel_accuracy}
        for metric, value in told.items():
            writer.add_scalar(f"{metric}/{mode}/{split}", value, labels)
        _draw(writer, segmenter, target, f"{split}-{labels}-{mode}")
        write_json(_file(run, split, labels, mode), {**told, "iou": iou})


def _encoder(
    settings: StudySettings, sources: Sources, target: Target, split: str, run: Path
) -> ImageEncoder:
    """What a split's cells begin with; how far the split lies from the target is written beside it."""
    if split in NOT_LEARNED:
        return start(settings)
    store = sources.frames(split)
    encoder = learn_split(settings, store, target, run / "pretrained" / split)
    if not _distances(run, split).exists():
        every = [sources.frames(one) for one in sources.splits if one not in CONTROLS] or [store]
        write_json(_distances(run, split), distances(settings, store, target, every))
    return encoder


def _draw(writer: SummaryWriter, segmenter: Segmenter, target: Target, name: str) -> None:
    """Some test frames, the truth, and what was predicted."""
    chosen = np.linspace(0, target.test.n_frames - 1, SHOWN).astype(int)
    frames = np.asarray(target.test.frames[chosen])
    truth = np.asarray(target.test.arrays["mask"][chosen])
    drawn = compare(frames, truth, predict(segmenter, frames))
    writer.add_images(f"predictions/{name}", drawn, dataformats="NHWC")


def _file(run: Path, split: str, labels: int, mode: str) -> Path:
    path = run / "cells" / f"{split}-{labels}-{mode}.json"
    path.parent.mkdir(exist_ok=True)
    return path


def _distances(run: Path, split: str) -> Path:
    return run / "pretrained" / split / "distances.json"


def _rows(settings: StudySettings, run: Path) -> list[Row]:
    """Every finished cell."""
    rows = []
    for path in sorted((run / "cells").glob("*.json")):
        split, labels, mode = path.stem.rsplit("-", 2)
        apart: dict[str, float | None] = {"distance_frechet": None, "distance_auc": None}
        recon = None
        if split not in NOT_LEARNED:
            apart = json.loads(_distances(run, split).read_text())
            recon = json.loads(_distances(run, split).with_name("held_out.json").read_text())["held_out"]
        rows.append(
            Row(
                target=settings.target_name,
                split=split,
                labels=int(labels),
                mode=mode,
                seed=settings.seed,
                distance_frechet=apart["distance_frechet"],
                distance_recon=recon,
                distance_auc=apart["distance_auc"],
                miou=json.loads(path.read_text())["miou"],
            )
        )
    return rows
