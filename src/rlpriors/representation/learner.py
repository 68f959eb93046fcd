"""Training an encoder by a recipe, one update at a time.

`RepresentationLearner`   draws windows, makes updates, stops and goes on
`TrainingSettings`        how long, in which batches, how fast
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from rlpriors.checkpoint import CheckpointError
from rlpriors.data.frames import FrameStore
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.representation.clips import FrameWindows
from rlpriors.representation.model import RepresentationModel
from rlpriors.representation.recipe import Recipe

__all__ = ["RepresentationLearner", "TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """How an encoder is trained; None takes what the recipe says.

    Raises:
        ValueError: a field is out of its bounds.
    """

    updates: int = 2000
    """Updates of the whole training; schedules know it, so a resumed run must have the same."""
    batch_size: int | None = None
    """Windows in an update, of each process."""
    lr: float | None = None
    """Highest learning rate of AdamW, between a linear warm-up and a cosine to nothing."""
    weight_decay: float | None = None
    """Of weights of two or more axes; biases and scales have none."""
    warm_up: float = 0.05
    """The part of all updates that the learning rate rises in, in [0, 1)."""
    max_norm: float = 10.0
    """Longer gradients are shortened to this."""
    amp: Literal["bf16", "fp16"] | None = None
    """Half precision for everything between pixels and losses."""
    one_store: bool = False
    """Whether the windows of an update are all of one store, as contrastive methods want them; see
    `FrameWindows`."""
    resident: bool = False
    """Whether all frames are copied to the device at the start."""
    seed: int = 0
    """Decides windows, augmentations and the initial weights of everything but the encoder."""

    def __post_init__(self) -> None:
        for name in ("updates", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {value}.")
        for name in ("lr", "max_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"`{name}` must be above 0. Received {value}.")
        if self.weight_decay is not None and not self.weight_decay >= 0:
            raise ValueError(f"`weight_decay` must be at least 0. Received {self.weight_decay}.")
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"`warm_up` must be in [0, 1). Received {self.warm_up}.")
        if self.amp not in (None, "bf16", "fp16"):
            raise ValueError(f"`amp` must be None, 'bf16' or 'fp16'. Received {self.amp!r}.")


class RepresentationLearner:
    """Trains `encoder` in place, by `recipe`, on the frames of `store`, or of several.

    Each update is a function of the state before it, of `settings.seed` and of its number: a run that
    was saved and resumed on a CPU gives the same bits as one without a stop.  torch's global generators,
    from which augmentations draw, are seeded for the update and put back.

    Where torch.distributed is initialized, as by torchrun, each process draws other windows and
    gradients are averaged (`DistributedDataParallel`); negatives and statistics stay its own.  A state is
    one process's, also of these: from the first's all go on alike, and there must be as many as before.

    Raises:
        ValueError: data or encoder do not give what the recipe needs; see `RepresentationModel`.  Or
            batches are too small for it, or no window fits into any episode.

    Example:
        >>> import tempfile, numpy as np
        >>> from rlpriors.data.frames import FrameWriter
        >>> from rlpriors.encoders import load_encoder
        >>> from rlpriors.representation import RECIPES
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
        settings: TrainingSettings = TrainingSettings(),
        *,
        n_actions: int | None = None,
    ) -> None:
        self.recipe, self.settings, self.encoder = recipe, settings, encoder
        self.device = encoder.device
        self.windows = FrameWindows(
            store,
            recipe.horizon,
            recipe.stride,
            n_actions=n_actions,
            one_store=settings.one_store,
            resident=settings.resident,
            device=self.device,
        )
        self.batch_size = settings.batch_size or recipe.batch_size
        if self.batch_size < recipe.min_batch_size:
            raise ValueError(
                f"`batch_size` must be at least {recipe.min_batch_size} for recipe {recipe.name!r}, whose "
                f"windows are compared with each other. Received {self.batch_size}."
            )
        self.part, self.parts = 0, 1
        if distributed.is_available() and distributed.is_initialized():
            self.part, self.parts = distributed.get_rank(), distributed.get_world_size()
        self.windows.check(self.batch_size, self.parts)
        encoder.preprocess.check(self.windows.at(self.windows.starts[:1]).frames.flatten(0, 1))
        with self._seeded(-1):
            self.model = RepresentationModel(
                encoder, recipe, actions=self.windows.actions, updates=settings.updates
            )
        self._parallel: nn.Module = self.model
        if self.parts > 1:
            # Queues, pools and statistics are each process's own: broadcasting would overwrite all but one's.
            self._parallel = DistributedDataParallel(
                self.model, broadcast_buffers=False, find_unused_parameters=True
            )
        self.lr = settings.lr or recipe.lr
        self.optim = torch.optim.AdamW(self._groups(), lr=self.lr, betas=(0.9, 0.95))
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.amp == "fp16")
        self.updates = 0

    def update(self) -> dict[str, float]:
        """One update: each loss by its name, their sum, the gradient's length, the learning rate, and
        "latent_std", how far the first view's projections lie apart, as `feature_std` of
        `rlpriors.evaluation` says it of features: 1 where they point everywhere, 0 where all are one.

        Raises:
            FloatingPointError: the loss is no number any more.
        """
        batch = self.windows.draw(
            self.batch_size, self.settings.seed, self.updates, part=self.part, parts=self.parts
        )
        rate = self._rate(self.updates)
        for group in self.optim.param_groups:
            group["lr"] = rate
        with self._seeded(self.updates):
            with self._autocast():
                losses: dict[str, Tensor] = self._parallel(batch)
            loss = losses["loss"]
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"The loss of {self.recipe.name!r} is {loss.item()} after {self.updates} updates. Lower "
                    f"`lr` ({self.lr}), or leave `amp` out."
                )
            self.optim.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optim)
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_norm)
            self.scaler.step(self.optim)
            self.scaler.update()
            self.updates += 1
            with torch.no_grad():
                self.model.after_step(self.updates / self.settings.updates)
        self.encoder.changes += 1  # what was encoded before is out of date
        numbers = {name: value.item() for name, value in losses.items()}
        return numbers | {"grad_norm": float(norm), "lr": rate, "latent_std": _latent_std(self.model.outputs)}

    def pictures(self, count: int = 8) -> dict[str, Tensor]:
        """What the recipe shows of so many windows, always the same ones, changed and masked alike; see
        `RepresentationModel.pictures`.
        """
        starts = self.windows.starts
        chosen = np.linspace(0, len(starts) - 1, min(count, len(starts))).astype(int)
        with self._seeded(-3), self._autocast():
            return self.model.pictures(self.windows.at(starts[chosen]))

    def state(self) -> dict[str, Any]:
        """Everything that `resume` needs."""
        return {
            "recipe": self.recipe.name,
            "began": self._began(),
            "updates": self.updates,
            "model": self.model.state_dict(),
            "optim": self.optim.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Raises:
            CheckpointError: it is another recipe's or network's, or of other settings.
        """
        if state.get("recipe") != self.recipe.name:
            raise CheckpointError(
                f"The state is of recipe {state.get('recipe')!r}, and cannot go on as "
                f"{self.recipe.name!r}. Take another folder."
            )
        began = state.get("began", {})
        differ = [
            f"{name} {began.get(name)} (now {now})"
            for name, now in self._began().items()
            if began.get(name) != now
        ]
        if differ:
            raise CheckpointError(
                f"The run began with {', '.join(differ)}. Go on as it began: schedules and draws depend on "
                "it."
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
        """The encoder, frozen again: ready to be saved, or to go in front of an environment."""
        return self.encoder.freeze()

    def _began(self) -> dict[str, Any]:
        """What a run must go on with."""
        return {
            "updates": self.settings.updates,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "horizon": self.recipe.horizon,
            "stride": self.recipe.stride,
            "one_store": self.settings.one_store,
            "seed": self.settings.seed,
            "processes": self.parts,
        }

    def _groups(self) -> list[dict[str, Any]]:
        learning = [p for p in self.model.parameters() if p.requires_grad]
        decay = self.settings.weight_decay
        return [
            {
                "params": [p for p in learning if p.ndim > 1],
                "weight_decay": self.recipe.weight_decay if decay is None else decay,
            },
            {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
        ]

    def _rate(self, update: int) -> float:
        warm_up = max(1, round(self.settings.warm_up * self.settings.updates))
        if update < warm_up:
            return self.lr * (update + 1) / warm_up
        done = (update - warm_up) / max(1, self.settings.updates - warm_up)
        return self.lr * (1 + math.cos(math.pi * min(1.0, done))) / 2

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.settings.amp is None:
            return nullcontext()
        dtype = torch.bfloat16 if self.settings.amp == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype)

    @contextmanager
    def _seeded(self, update: int) -> Iterator[None]:
        """torch's global generators as this update finds them."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            # What is made before the first update is the same in all processes.
            part = self.part if update >= 0 else 0
            torch.manual_seed(hash((self.settings.seed, update, part)) % 2**63)
            yield


def _latent_std(outputs: dict[str, Tensor]) -> float:
    """Mean over entries of the standard deviation of unit vectors, times sqrt(dim) (2011.10566, sec. 4.1)."""
    latent = next((tensor for name, tensor in outputs.items() if name.startswith("z.")), None)
    if latent is None:
        return math.nan
    unit = nn.functional.normalize(latent.float().flatten(0, -2), dim=1)
    return float(unit.std(0, correction=0).mean()) * math.sqrt(unit.shape[1])
