"""Settings of `rlpriors pretrain`, apart from the rest so that `--help` need not import it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["PretrainSettings", "read_options"]


@dataclass(frozen=True)
class PretrainSettings:
    """What `rlpriors pretrain` does.

    Raises:
        ValueError: a field is out of its bounds.
    """

    method: str = "atc"
    """How it learns; each is a function in rlpriors.representation.methods:
    - views of one image: simclr, moco, byol, vicreg, barlow, swav, dino, curl, myow
    - what comes later: temporal-cpc, recurrent-cpc, st-dim, atc, ceb, fixed-variance-ceb,
      fixed-variance-target-projected-ceb, dynamo
    - what is done: inverse-dynamics, contrastive-inverse-dynamics, action-prediction,
      action-conditioned-cpc, dynamics-latent, spr, act-jepa
    - pixels: ae, vae, dynamics, action-conditioned-vae, jigsaw
    - what is hidden, for a vit: mae, i-jepa
    - the control: gaussian-prior
    The names of EIRLI's classes, such as TemporalCPC, stand for ours."""

    data: tuple[Path, ...] = ()
    """Folders of frames (FrameStore), all of one size; `--env` makes one instead."""

    env: str | None = None
    """An environment to collect frames from first, by random actions: a Gymnasium id such as ALE/Pong-v5
    or HalfCheetah-v5, or <module>:<id>.  Frames are the image in its observation, if there is one, and
    else rendered."""

    env_steps: int = 10_000
    """Steps to collect there."""

    size: tuple[int, int] | None = None
    """Height and width of frames that are rendered or Atari's; by default what the encoder sees."""

    encoder: str = "nature-cnn"
    """What learns: nature-cnn, impala-cnn, atari-cnn, vit-nano, vit-micro, vit-tiny, any other name that
    `load_encoder` knows, or the folder of a saved encoder.  Methods that hide tokens, such as mae and
    i-jepa, need a vit."""

    weights: str = "auto"
    """Where it starts: "none" at random, "auto" from published weights where there are any, or a file."""

    input_size: tuple[int, int] | None = None
    """Height and width that the encoder sees, where not its usual ones."""

    readout: str | None = None
    """What the published encoder gives for each frame, such as cls, mean or "grid(2)"; its own by default.
    The methods that hide tokens train these more than cls: mean is a good choice there."""

    options: str = "{}"
    """Options of the method, as JSON: '{"ratio": 0.6}'; its function in
    rlpriors.representation.methods tells which there are."""

    updates: int = 5000
    """Updates of the whole training."""

    batch_size: int | None = None
    """Windows in an update, of each process; what the method says by default."""

    lr: float | None = None
    """Highest learning rate, between a warm-up and a cosine to nothing; what the method says by default."""

    weight_decay: float | None = None
    """Of AdamW; what the method says by default."""

    amp: Literal["bf16", "fp16"] | None = None
    """Half precision, on a GPU."""

    one_store: bool = False
    """Draw the windows of each update from one of the folders of `--data`: a contrastive method that
    meets several games at once learns to tell games apart, and little else."""

    compile: bool = False
    """Compile the encoder's network first (torch.compile): takes a minute, then runs faster on a GPU."""

    resident: bool = False
    """Copy all frames to the device at the start; right for a GPU that they fit on."""

    log_every: int = 10
    """Updates between scalars on TensorBoard."""

    look_every: int = 500
    """Updates between pictures and measures of collapse on TensorBoard."""

    sample: int = 512
    """Frames that collapse is measured on, always the same ones."""

    checkpoint_every: int = 500
    """Updates between checkpoints, from where `--resume` goes on."""

    seed: int = 0
    """Of collection, first weights, batches and augmentations."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 0
    """Threads of torch; 0 for torch's own choice."""

    def __post_init__(self) -> None:
        for name in (
            "env_steps", "updates", "log_every", "look_every", "sample", "checkpoint_every"
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("seed", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        if bool(self.data) == (self.env is not None):
            raise ValueError(
                "Either `data` or `env` must be given. Received "
                f"{'both' if self.data else 'neither'}: --data for frames on disk, --env to collect them."
            )
        self.method_options()

    def method_options(self) -> dict[str, Any]:
        """`options`, read."""
        return read_options(self.options)


def read_options(options: str) -> dict[str, Any]:
    """Options of a method, written as JSON.

    Raises:
        ValueError: that is no JSON object.
    """
    try:
        found = json.loads(options)
    except json.JSONDecodeError as error:
        raise ValueError(f"`options` must be JSON. Received {options!r} ({error}).") from error
    if not isinstance(found, dict):
        raise ValueError(f"`options` must be a JSON object, {{...}}. Received {options!r}.")
    return found
