"""Settings of `rlpriors pretrain`.

`PretrainSettings`  settings of the command
`read_options`      options of a method, written as JSON
`HELP`              help of the command
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlpriors.scripts.encoder_args import EncoderArgs

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.representation import TrainingSettings
from rlpriors.settings import check_fields

__all__ = ["HELP", "PretrainSettings", "read_options"]

HELP = """
The frames come from an environment under random actions, or from folders that a FrameWriter wrote:

    rlpriors pretrain --method atc --env ALE/Pong-v5
    rlpriors pretrain --method mae --env HalfCheetah-v5 --encoder vit-nano --readout mean
    rlpriors pretrain --method spr --data my-frames more-frames --encoder nature-cnn
    torchrun --nproc-per-node 2 -m rlpriors.scripts.main pretrain ...

The last command trains on several devices.

It writes runs/pretrain-<method>-<encoder>-<data>-seed<seed>: the encoder in encoder/, collected frames in
frames/, numbers in results.json and TensorBoard logs in tensorboard/.  EncodeObservation(env,
"<run>/encoder") puts the encoder in front of an environment.
"""


@dataclass(frozen=True)
class PretrainSettings:
    """Settings of `rlpriors pretrain`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    method: str = "atc"
    """Training method, a function of rlpriors.representation.methods:
    - views of one image: simclr, moco, byol, vicreg, barlow, swav, dino, curl, myow
    - later frames: temporal-cpc, recurrent-cpc, st-dim, atc, ceb, fixed-variance-ceb,
      fixed-variance-target-projected-ceb, dynamo
    - actions: inverse-dynamics, contrastive-inverse-dynamics, action-prediction,
      action-conditioned-cpc, dynamics-latent, spr, act-jepa
    - pixels: ae, vae, dynamics, action-conditioned-vae, jigsaw
    - hidden patches, for a vit: mae, i-jepa
    - control: gaussian-prior
    The names of EIRLI's classes, such as TemporalCPC, are accepted, too."""

    data: tuple[Path, ...] = ()
    """Folders of frames (FrameStore), all of one image size; `--env` collects frames instead."""

    env: str | None = None
    """Environment whose frames are collected first, under random actions: a Gymnasium id such as ALE/Pong-v5
    or HalfCheetah-v5, or <module>:<id>.  A frame is the image in the observation, or is rendered."""

    env_steps: int = 10_000
    """Number of steps to collect in the environment."""

    collector: Literal["ale_py", "envpool"] = "ale_py"
    """Program that steps an Atari game: ale_py, or EnvPool (pip install envpool), whose episodes differ."""

    image_size: tuple[int, int] | None = None
    """Height and width of Atari frames and of rendered frames; the encoder's input size by default."""

    encoder: EncoderArgs = EncoderArgs("nature-cnn")  # noqa: RUF009 (frozen)
    """Encoder to train: nature-cnn, impala-cnn, atari-cnn, vit-nano, vit-micro, vit-tiny, any other name that
    `load_encoder` accepts, or the folder of a saved encoder.  Methods that hide tokens, such as mae and
    i-jepa, need a vit; they train the readout mean more than cls."""

    options: str = "{}"
    """Options of the method as JSON: '{"mask_ratio": 0.6}'; they are the arguments of its function in
    rlpriors.representation.methods."""

    updates: int = 5000
    """Number of updates of the whole training."""

    batch_size: int | None = None
    """Number of clips in an update, for each process; the method's own by default."""

    lr: float | None = None
    """Peak learning rate between a warm-up and a cosine decay to 0; the method's own by default."""

    weight_decay: float | None = None
    """Weight decay of AdamW; the method's own by default."""

    amp: Literal["bf16", "fp16"] | None = None
    """Half-precision computation, on a GPU; full precision by default."""

    single_source_batches: bool = False
    """Clips of one folder of `--data` only in each update: a contrastive method with several games in a batch
    learns to distinguish the games, and little else."""

    compile: bool = False
    """Compilation of the encoder (torch.compile): takes a minute, then runs faster on a GPU."""

    preload_to_device: bool = False
    """Copying of all frames to the device at the start, for frames that fit into its memory."""

    log_every: int = 10
    """Number of updates between scalars on TensorBoard."""

    log_images_every: int = 500
    """Number of updates between pictures and measures of collapse on TensorBoard."""

    collapse_sample_size: int = 512
    """Number of frames on which collapse is measured, always the same ones."""

    checkpoint_every: int = 500
    """Number of updates between checkpoints; `--resume` continues from the last one."""

    seed: int = 0
    """Random seed of collection, initial weights, batches and augmentations."""

    device: str = "auto"
    """Device of the encoder: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 0
    """Number of threads of torch; 0 for torch's default."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in (
            "env_steps", "updates", "log_every", "log_images_every", "collapse_sample_size",
            "checkpoint_every"
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
        """Return `options` as a dictionary."""
        return read_options(self.options)

    def training_settings(self) -> "TrainingSettings":
        """Return the settings of the `RepresentationLearner`."""
        from rlpriors.representation import TrainingSettings

        names = "updates batch_size lr weight_decay amp single_source_batches preload_to_device seed"
        return TrainingSettings(**{name: getattr(self, name) for name in names.split()})

    @property
    def default_folder(self) -> Path:
        """Folder of the run, named by method, encoder, data and seed."""
        source = self.env or "-".join(path.name for path in self.data[:3])
        encoder = Path(self.encoder.name).name
        name = re.sub(r"[^\w.]+", "-", f"{self.method}-{encoder}-{source}-seed{self.seed}")
        return Path("runs") / f"pretrain-{name.strip('-').lower()}"


def read_options(options: str) -> dict[str, Any]:
    """Read the options of a method, written as JSON.

    Raises:
        ValueError: `options` is not a JSON object.
    """
    try:
        content = json.loads(options)
    except json.JSONDecodeError as error:
        raise ValueError(f"`options` must be JSON. Received {options!r} ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"`options` must be a JSON object, {{...}}. Received {options!r}.")
    return content
