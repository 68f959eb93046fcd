"""One cell of a study: learn an encoder from a split, tell how far the split lies, segment with it.

`learn_split`   an encoder from the frames of a split
`distances`     how far a split's frames lie from the target's
`segment`       how well the target's pixels are told apart by an encoder, from few labels
`start`         the encoder that all of them begin with
`updates_to_make_up`  how much longer a segmentation learns that makes up for no pretraining
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from torch.utils.tensorboard import SummaryWriter

from rlpriors.checkpoint import load_resume
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.evaluation.domain_distance import FixedFeatures, domain_auc, frechet_distance
from rlpriors.evaluation.segmentation.metrics import SegmentationScores, segmentation_scores
from rlpriors.evaluation.segmentation.training import SegmentationSettings, Segmenter, fit_segmenter, predict
from rlpriors.representation import RepresentationLearner, TrainingSettings
from rlpriors.representation.validation import held_out_losses
from rlpriors.scripts.pretrain.run import find_recipe
from rlpriors.scripts.pretrain.settings import read_options
from rlpriors.scripts.study.settings import StudyMode, StudySettings
from rlpriors.scripts.study.sources import Target
from rlpriors.training.representation import learn_encoder
from rlpriors.training.run_folder import write_json

__all__ = ["distances", "learn_split", "segment", "start", "updates_to_make_up"]

STRETCHES = 10
"""No stretch of frames that is told apart as a whole is longer than such a part of all."""
SEGMENTATION_BATCH = 16


def start(settings: StudySettings) -> ImageEncoder:
    """The encoder before anything is learned: the same for all splits of a seed."""
    return load_encoder(
        settings.encoder,
        weights="none",
        device=settings.device,
        input_size=(settings.size, settings.size),
        seed=settings.seed,
    )


def learn_split(settings: StudySettings, store: FrameStore, target: Target, folder: Path) -> ImageEncoder:
    """The encoder of a split, in `folder`/encoder; a training that was stopped goes on.

    What the method's loss is on the target's frames, unseen, goes to `folder`/held_out.json.
    """
    published = folder / "encoder"
    if (folder / "held_out.json").exists():
        return load_encoder(published, device=settings.device)
    recipe = find_recipe(settings.method, read_options(settings.options))
    training = TrainingSettings(
        updates=settings.updates, batch_size=settings.batch_size, amp=settings.amp, seed=settings.seed
    )
    learner = RepresentationLearner(start(settings), recipe, store, training)
    state = folder / "resume.pt"
    if state.exists():
        learner.resume(load_resume(state, learner.device))
    every = max(1, settings.updates // 4)

    def look(writer: SummaryWriter, step: int) -> dict[str, float]:
        if step % every == 0:
            for name, images in learner.pictures(8).items():
                writer.add_images(f"pictures/{name}", images, step)
        return {}

    last = learn_encoder(learner, state=state, logs=folder / "tensorboard", checkpoint_every=every, look=look)
    learner.finish().save(published)
    found = held_out_losses(learner, target.compared, seed=settings.seed)
    write_json(folder / "held_out.json", {"held_out": found["loss"], "loss": last.get("loss")})
    return load_encoder(published, device=settings.device)


def distances(
    settings: StudySettings, store: FrameStore, target: Target, every: Sequence[FrameStore]
) -> dict[str, float]:
    """Between a split's frames and as many of the target's: "distance_frechet", "distance_auc".

    Both are told from features that nobody learned, fitted on `every` split of the study and the target:
    with features of their own, the distances of two splits could not be compared.
    """
    n = min(one.n_frames for one in (store, target.compared, *every))
    features = FixedFeatures((settings.size, settings.size), seed=0)
    features.fit(
        np.concatenate([one.frames[_some(one, n, settings.seed)] for one in (*every, target.compared)])
    )
    rows = [_some(one, n, settings.seed) for one in (store, target.compared)]
    a, b = features(store.frames[rows[0]]), features(target.compared.frames[rows[1]])
    groups = _stretches(store, rows[0]), _stretches(target.compared, rows[1])
    return {
        "distance_frechet": frechet_distance(a, b),
        "distance_auc": domain_auc(a, b, seed=settings.seed, groups=groups),
    }


def _some(store: FrameStore, n: int, seed: int) -> Int[np.ndarray, " n"]:
    """`n` frames, drawn by `seed`."""
    return np.sort(np.random.default_rng(seed).choice(store.n_frames, n, replace=False))


def _stretches(store: FrameStore, rows: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """A number for each frame, that of its episode, or where this is long of a part of it."""
    longest = max(1, store.n_frames // STRETCHES)
    ends = np.cumsum(store.lengths)
    episode = np.searchsorted(ends, rows, side="right")
    place = rows - (ends - store.lengths)[episode]
    return np.asarray(np.unique(np.stack([episode, place // longest]), axis=1, return_inverse=True)[1])


def segment(
    settings: StudySettings,
    encoder: ImageEncoder,
    target: Target,
    labels: int,
    mode: StudyMode,
    *,
    more_updates: int = 0,
) -> tuple[SegmentationScores, Segmenter]:
    """Learn from `labels` of the target's labeled frames, and be judged by the others.

    Which ones follows from the seed; the fewer are among the more.
    """
    n_classes = len(target.classes)
    how = SegmentationSettings(
        head=settings.head,
        mode=mode,
        updates=settings.segmentation_updates + more_updates,
        batch_size=SEGMENTATION_BATCH,
        layer_decay=settings.layer_decay,
    )
    rows = np.random.default_rng(settings.seed).permutation(target.train.n_frames)[:labels]
    frames, masks = target.train.frames[rows], target.train.arrays["mask"][rows]
    segmenter = fit_segmenter(encoder, frames, masks, n_classes, how, seed=settings.seed, progress=True)
    predicted = predict(segmenter, target.test.frames)
    return segmentation_scores(predicted, np.asarray(target.test.arrays["mask"]), n_classes), segmenter


def updates_to_make_up(settings: StudySettings, labels: int) -> int:
    """Updates of a segmentation, on so many labeled images, that see as many images as the pretraining."""
    return -(-settings.updates * settings.batch_size // min(SEGMENTATION_BATCH, labels))
