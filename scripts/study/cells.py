"""Cells of a study: pretraining on a split, its distance from the target, and segmentation.

`make_encoder`     the untrained encoder, equal for all splits of a seed
`train_on_split`   an encoder that is trained on the frames of a split
`split_distances`  distances of a split's frames from the target's frames
`segment`          segmentation of the target from a few labeled images
`extra_updates`    updates of the segmentation that process the number of images of the pretraining
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from rlpriors.checkpoint import load_resume
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.evaluation.domain_distance import FixedFeatures, domain_auc, frechet_distance
from rlpriors.evaluation.segmentation.metrics import SegmentationScores, segmentation_scores
from rlpriors.evaluation.segmentation.training import SegmentationSettings, Segmenter, fit_segmenter, predict
from rlpriors.representation import Recipe, RepresentationLearner, TrainingSettings
from rlpriors.representation.validation import validation_losses
from rlpriors.scripts.study.sources import Target
from rlpriors.training.representation import train_encoder
from rlpriors.training.run_folder import write_json
from rlpriors.training.tracking.figures import image_grid
from rlpriors.training.tracking.writer import RunWriter

__all__ = ["extra_updates", "make_encoder", "segment", "split_distances", "train_on_split"]

MIN_GROUPS = 10
"""Each group of frames that cross-validation keeps together is at most 1 / MIN_GROUPS of all frames."""


def make_encoder(name: str, image_size: int, *, device: str, seed: int) -> ImageEncoder:
    """Return the untrained encoder, which is equal for all splits of a seed."""
    size = (image_size, image_size)
    return load_encoder(name, weights="none", device=device, input_size=size, seed=seed)


def train_on_split(
    make_untrained: Callable[[], ImageEncoder],
    recipe: Recipe,
    training: TrainingSettings,
    store: FrameStore,
    target: Target,
    folder: Path,
    *,
    device: str,
) -> ImageEncoder:
    """Train an encoder on the frames of a split, and return it from `folder`/encoder; a stopped training
    resumes.

    The method's loss on held-out frames of the target is written to `folder`/held_out.json.
    """
    encoder_folder = folder / "encoder"
    if (folder / "held_out.json").exists():
        return load_encoder(encoder_folder, device=device)
    learner = RepresentationLearner(make_untrained(), recipe, store, training)
    resume_file = folder / "resume.pt"
    if resume_file.exists():
        learner.resume(load_resume(resume_file, learner.device))
    log_every = max(1, training.updates // 4)

    def log_pictures(writer: RunWriter, step: int) -> dict[str, float]:
        if step % log_every == 0:
            for name, images in learner.visualize(8).items():
                writer.image(f"pictures/{name}", image_grid(images), step)
        return {}

    last = train_encoder(
        learner,
        resume_file=resume_file,
        folder=folder,
        checkpoint_every=log_every,
        callback=log_pictures,
    )
    learner.finish().save(encoder_folder)
    losses = validation_losses(learner, target.compared, seed=training.seed)
    write_json(folder / "held_out.json", {"held_out": losses["loss"], "loss": last.get("loss")})
    return load_encoder(encoder_folder, device=device)


def split_distances(
    store: FrameStore, target: Target, all_stores: Sequence[FrameStore], *, image_size: int, seed: int
) -> dict[str, float]:
    """Return the distances "distance_frechet" and "distance_auc" of a split's frames from the target's.

    Both use fixed features that are fitted on all splits of the study and on the target: with features of its
    own for each split, the distances would not be comparable.
    """
    n = min(one.n_frames for one in (store, target.compared, *all_stores))
    features = FixedFeatures((image_size, image_size), seed=0)
    features.fit(
        np.concatenate([one.frames[_sample_rows(one, n, seed)] for one in (*all_stores, target.compared)])
    )
    rows = [_sample_rows(one, n, seed) for one in (store, target.compared)]
    a, b = features(store.frames[rows[0]]), features(target.compared.frames[rows[1]])
    groups = _frame_groups(store, rows[0]), _frame_groups(target.compared, rows[1])
    return {
        "distance_frechet": frechet_distance(a, b),
        "distance_auc": domain_auc(a, b, seed=seed, groups=groups),
    }


def _sample_rows(store: FrameStore, n: int, seed: int) -> Int[np.ndarray, " n"]:
    """Return the indices of `n` random frames, sorted."""
    return np.sort(np.random.default_rng(seed).choice(store.n_frames, n, replace=False))


def _frame_groups(store: FrameStore, rows: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return the group of each frame: its episode, or its part of a long episode."""
    longest = max(1, store.n_frames // MIN_GROUPS)
    ends = np.cumsum(store.lengths)
    episode = np.searchsorted(ends, rows, side="right")
    position = rows - (ends - store.lengths)[episode]
    return np.asarray(np.unique(np.stack([episode, position // longest]), axis=1, return_inverse=True)[1])


def segment(
    encoder: ImageEncoder, target: Target, n_labels: int, settings: SegmentationSettings, *, seed: int
) -> tuple[SegmentationScores, Segmenter]:
    """Train a segmentation on `n_labels` labeled frames of the target, and evaluate it on the test frames.

    The labeled frames depend on the seed only: a smaller number of them is contained in a larger one.
    """
    n_classes = len(target.classes)
    rows = np.random.default_rng(seed).permutation(target.train.n_frames)[:n_labels]
    frames, masks = target.train.frames[rows], target.train.arrays["mask"][rows]
    segmenter = fit_segmenter(encoder, frames, masks, n_classes, settings, seed=seed, progress=True)
    predictions = predict(segmenter, target.test.frames)
    return segmentation_scores(predictions, np.asarray(target.test.arrays["mask"]), n_classes), segmenter


def extra_updates(n_images: int, batch_size: int) -> int:
    """Return the number of updates that process `n_images` images, those of the pretraining.

    Example:
        >>> extra_updates(160 * 256, 16)
        2560
    """
    return -(-n_images // batch_size)
