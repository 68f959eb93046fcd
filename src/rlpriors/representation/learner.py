"""Training of an encoder by a recipe, one update at a time.

`RepresentationLearner`  training state: clips, model, optimizer, updates and resume
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from rlpriors.checkpoint import CheckpointError
from rlpriors.data.fingerprints import frames_fingerprint
from rlpriors.data.frames import FrameStore
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.representation.clips import FrameClips
from rlpriors.representation.model import RepresentationModel
from rlpriors.representation.recipe import Recipe
from rlpriors.representation.training_settings import TrainingSettings

__all__ = ["RepresentationLearner"]


class RepresentationLearner:
    """Training of `encoder`, in place, by `recipe` on the frames of one or several stores.

    Each update is a function of the state before it, of `settings.seed` and of the update's number: on a
    CPU a resumed run computes the same bits as an uninterrupted one.  torch's global generators, which
    augmentations read, are seeded for the update and restored afterwards.

    With torch.distributed initialized, as by torchrun, each process draws different clips and gradients
    are averaged (`DistributedDataParallel`).  Negatives, memories and batch statistics stay local to a
    process.  A saved state contains those of its process.  All processes resume from the state of the
    first, and the number of processes must be the same as before.

    Args:
        encoder: network to train.
        recipe: method of training.
        store: one store of frames, or several with frames of one size.
        settings: length, batches, learning rate and precision.
        n_actions: number of choices of discrete actions; None takes the largest index in the data.

    Raises:
        ValueError: data or encoder lack a requirement of the recipe (see `RepresentationModel`), batches
            are smaller than the recipe's minimum, or no clip fits into any episode.

    Example:
        >>> import tempfile, numpy as np
        >>> from rlpriors.data.frame_writer import FrameWriter
        >>> from rlpriors.encoders import load_encoder
        >>> from rlpriors.representation import RECIPES, TrainingSettings
        >>> with FrameWriter(tempfile.mkdtemp() + "/noise") as writer:
        ...     writer.add_episode(np.random.default_rng(0).integers(0, 255, (40, 36, 36, 3), np.uint8))
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> settings = TrainingSettings(updates=2, batch_size=8)
        >>> learner = RepresentationLearner(encoder, RECIPES["simclr"](), writer.store, settings)
        >>> sorted(learner.update())
        ['grad_norm', 'latent_std', 'loss', 'lr', 'nt_xent']
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        recipe: Recipe,
        store: FrameStore | Sequence[FrameStore],
        settings: TrainingSettings = TrainingSettings(),  # noqa: B008 (frozen)
        *,
        n_actions: int | None = None,
    ) -> None:
        self.recipe, self.settings, self.encoder = recipe, settings, encoder
        self.device = encoder.device
        self.clips = FrameClips(
            store,
            recipe.horizon,
            recipe.stride,
            n_actions=n_actions,
            single_source_batches=settings.single_source_batches,
            preload_to_device=settings.preload_to_device,
            device=self.device,
        )
        self.batch_size = settings.batch_size or recipe.batch_size
        if self.batch_size < recipe.min_batch_size:
            raise ValueError(
                f"`batch_size` must be at least {recipe.min_batch_size} for recipe {recipe.name!r}, which "
                f"compares the clips of a batch with each other. Received {self.batch_size}."
            )
        self.rank, self.world_size = 0, 1
        if distributed.is_available() and distributed.is_initialized():
            self.rank, self.world_size = distributed.get_rank(), distributed.get_world_size()
        self.clips.check(self.batch_size, self.world_size)
        self._frames = [frames_fingerprint(each) for each in self.clips.stores]
        encoder.preprocess.check(self.clips.at(self.clips.starts[:1]).frames.flatten(0, 1))
        with self._seeded(-1):
            self.model = RepresentationModel(
                encoder, recipe, actions=self.clips.actions, updates=settings.updates
            )
        self._parallel: nn.Module = self.model
        if self.world_size > 1:
            # Memories and batch statistics are local to a process: broadcasting would overwrite all but one.
            self._parallel = DistributedDataParallel(
                self.model, broadcast_buffers=False, find_unused_parameters=True
            )
        self.lr = settings.lr or recipe.lr
        self.optim = torch.optim.AdamW(self._parameter_groups(), lr=self.lr, betas=(0.9, 0.95))
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.amp == "fp16")
        self.updates = 0

    def update(self) -> dict[str, float]:
        """Make one update and return its metrics.

        Metrics are each loss by its name, their sum "loss", the gradient norm "grad_norm", the learning
        rate "lr", and "latent_std": the spread of the first view's projections, computed as `feature_std`
        of `rlpriors.evaluation`, which is 1 for evenly spread directions and 0 for a collapsed encoder.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        batch = self.clips.draw(
            self.batch_size, self.settings.seed, self.updates, rank=self.rank, world_size=self.world_size
        )
        lr = self._lr_at(self.updates)
        for group in self.optim.param_groups:
            group["lr"] = lr
        with self._seeded(self.updates):
            with self._autocast():
                losses: dict[str, Tensor] = self._parallel(batch)
            loss = losses["loss"]
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"The loss of {self.recipe.name!r} must be finite. Received {loss.item()} after "
                    f"{self.updates} updates; lower `lr` ({self.lr}), or leave `amp` out."
                )
            self.optim.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optim)
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
            self.scaler.step(self.optim)
            self.scaler.update()
            self.updates += 1
            with torch.no_grad():
                self.model.after_step(self.updates / self.settings.updates)
        self.encoder.state_version += 1  # earlier encodings are out of date
        metrics = {name: value.item() for name, value in losses.items()}
        return metrics | {"grad_norm": float(norm), "lr": lr, "latent_std": _latent_std(self.model.outputs)}

    def visualize(self, n_clips: int = 8) -> dict[str, Tensor]:
        """Return the images of `RepresentationModel.visualize` for `n_clips` clips.

        Clips, augmentations and masks are the same in every call.
        """
        starts = self.clips.starts
        chosen = np.linspace(0, len(starts) - 1, min(n_clips, len(starts))).astype(int)
        with self._seeded(-3), self._autocast():
            return self.model.visualize(self.clips.at(starts[chosen]))

    def state(self) -> dict[str, Any]:
        """Return the state that `resume` reads."""
        return {
            "recipe": self.recipe.name,
            "settings": self._fixed_settings(),
            "updates": self.updates,
            "model": self.model.state_dict(),
            "optim": self.optim.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Resume from a saved state.

        Raises:
            CheckpointError: the state is of another recipe, another network, other settings or other frames.
        """
        if state.get("recipe") != self.recipe.name:
            raise CheckpointError(
                f"The state must be of recipe {self.recipe.name!r}. Received one of "
                f"{state.get('recipe')!r}; take another folder."
            )
        saved = state.get("settings", {})
        differ = [
            f"{name} {saved.get(name)} (now {value})"
            for name, value in self._fixed_settings().items()
            if saved.get(name) != value and (name in saved or name != "frames")  # new in the files
        ]
        if differ:
            raise CheckpointError(
                f"The run started with {', '.join(differ)}. Resume with the same settings and frames: "
                "schedules and random draws depend on them."
            )
        try:
            self.model.load_state_dict(state["model"])
            self.optim.load_state_dict(state["optim"])
            self.scaler.load_state_dict(state["scaler"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"The state does not fit recipe {self.recipe.name!r} over {self.encoder.spec.name!r}: {error}"
            ) from error
        self.updates = int(state["updates"])

    def finish(self) -> ImageEncoder:
        """Freeze the encoder and return it."""
        return self.encoder.freeze()

    def _fixed_settings(self) -> dict[str, Any]:
        """Return the settings that a resumed run must share."""
        return {
            "updates": self.settings.updates,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "horizon": self.recipe.horizon,
            "stride": self.recipe.stride,
            "single_source_batches": self.settings.single_source_batches,
            "seed": self.settings.seed,
            "processes": self.world_size,
            "frames": self._frames,
        }

    def _parameter_groups(self) -> list[dict[str, Any]]:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        decay = self.settings.weight_decay
        return [
            {
                "params": [p for p in trained if p.ndim > 1],
                "weight_decay": self.recipe.weight_decay if decay is None else decay,
            },
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]

    def _lr_at(self, update: int) -> float:
        n_warmup = max(1, round(self.settings.warmup_fraction * self.settings.updates))
        if update < n_warmup:
            return self.lr * (update + 1) / n_warmup
        progress = (update - n_warmup) / max(1, self.settings.updates - n_warmup)
        return self.lr * (1 + math.cos(math.pi * min(1.0, progress))) / 2

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.settings.amp is None:
            return nullcontext()
        dtype = torch.bfloat16 if self.settings.amp == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype)

    @contextmanager
    def _seeded(self, update: int) -> Iterator[None]:
        """Seed torch's global generators for this update, and restore them afterwards."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            # Draws before the first update, such as initial weights, are the same in all processes.
            rank = self.rank if update >= 0 else 0
            torch.manual_seed(hash((self.settings.seed, update, rank)) % 2**63)
            yield


def _latent_std(outputs: dict[str, Tensor]) -> float:
    """Return the mean over entries of the std of unit vectors, times sqrt(dim) (2011.10566, sec. 4.1)."""
    latent = next((tensor for name, tensor in outputs.items() if name.startswith("z.")), None)
    if latent is None:
        return math.nan
    unit = nn.functional.normalize(latent.float().flatten(0, -2), dim=1)
    return float(unit.std(0, correction=0).mean()) * math.sqrt(unit.shape[1])
