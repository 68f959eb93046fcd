"""Supervised baseline: an encoder trained on the labels, the upper bound of probes.

`fit_supervised`  training of an encoder with a linear layer for each variable
"""

import copy

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from rlpriors.encoders.backbones.weights import seeded_init
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.evaluation.probing.batched_linear import ClassTable, PerVariableSchedule, ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.sampling import draw_epoch, frame_weights

__all__ = ["fit_supervised"]

CHUNK = 256
"""Number of frames in one prediction batch."""


def fit_supervised(
    encoder: ImageEncoder,
    frames: UInt8[np.ndarray, "frames height width channels"],
    task: ProbeTask,
    settings: ProbeSettings | None = None,
    *,
    seed: int = 0,
    progress: bool = False,
) -> Int[np.ndarray, "test variables"]:
    """Train a copy of `encoder` on the labels of `task`; return predictions for the test part.

    Data, losses, optimizer and stopping rule are those of `fit_probe`.  All variables share one network,
    whose learning rate follows their mean validation accuracy.  Each variable's predictions are those of
    its own best epoch.  (AtariARI trains one network for each variable.)  `encoder` stays unchanged.

    Raises:
        ValueError: there is not one frame for each label.
    """
    if len(frames) != len(task.labels):
        raise ValueError(
            f"`frames` must hold {len(task.labels)} images, one for each label. Received {len(frames)}."
        )
    settings = ProbeSettings() if settings is None else settings
    table, mixed = ClassTable(task), np.random.default_rng(seed)
    body = copy.deepcopy(encoder).unfreeze().train()
    with seeded_init(seed):
        head = nn.Linear(int(np.prod(encoder.output_shape)), sum(table.sizes)).to(encoder.device)
    parameters = [*body.parameters(), *head.parameters()]
    fused = all(parameter.dtype == torch.float32 for parameter in parameters)
    optimizer = torch.optim.Adam(parameters, lr=settings.lr, eps=settings.eps, fused=fused)
    targets = table.encoded.to(encoder.device)

    def logits(rows: np.ndarray) -> Tensor:
        x = body.preprocess(np.array(frames[rows]))
        out: Tensor = head(body.apply_readout(body(x)).flatten(1))
        return out

    def predict(rows: np.ndarray) -> Tensor:
        body.eval()
        with torch.inference_mode():
            chunks = [logits(rows[first : first + CHUNK]) for first in range(0, len(rows), CHUNK)]
        body.train()
        return torch.cat(chunks)

    rate, schedule = PerVariableSchedule(1, settings), PerVariableSchedule(len(table.sizes), settings)
    best = np.zeros((len(task.test), len(table.sizes)), np.int64)
    val_weights = frame_weights(task, task.val, settings.sampling)
    with tqdm(
        total=settings.epochs, desc="supervised", unit="epoch", disable=not progress, leave=False
    ) as bar:
        for _ in range(settings.epochs):
            order = draw_epoch(task, settings.sampling, mixed)
            for first in range(0, len(order), settings.batch_size):
                rows = order[first : first + settings.batch_size]
                parts = logits(rows).split(table.sizes, 1)
                truth = targets[torch.from_numpy(rows).to(targets.device)]
                loss = torch.stack([F.cross_entropy(p, t) for p, t in zip(parts, truth.T, strict=True)]).sum()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            labels = targets[torch.from_numpy(task.val).to(targets.device)]
            correct = (table.argmax(predict(task.val)) == labels).cpu().numpy()
            right = np.average(correct, axis=0, weights=val_weights)
            better = schedule.step(right)
            rate.step(right.mean(keepdims=True))
            for group in optimizer.param_groups:
                group["lr"] = float(rate.lr[0])
            if better.any():
                best[:, better] = table.decode(predict(task.test))[:, better]
            bar.update(1)
            bar.set_postfix(accuracy=f"{schedule.best.mean():.3f}", running=int(schedule.running.sum()))
            if not schedule.running.any():
                break
    return best
