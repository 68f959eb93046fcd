"""Settings of `rlpriors imitate`.

`ImitateSettings`       settings of the command
`CloningSettings`       settings of behavior cloning
`GAILTrainingSettings`  settings of GAIL
`HELP`                  help of the command
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlpriors.scripts.encoder_args import EncoderArgs
from rlpriors.scripts.pretrain.settings import read_options

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.representation import TrainingSettings
from rlpriors.settings import check_fields

__all__ = ["HELP", "CloningSettings", "GAILTrainingSettings", "ImitateSettings"]

HELP = """
The policy is trained with a learned representation or without.  The benefit of a representation is its
difference from cloning alone, so run the controls (scratch, with and without augmentation), too:

    rlpriors demonstrate --env pong
    rlpriors imitate --env pong --demos demos/pong --mode pretrain --method simclr
    rlpriors imitate --env pong --demos demos/pong --mode joint --method simclr
    rlpriors imitate --env pong --demos demos/pong --mode scratch
    rlpriors imitate --env pong --demos demos/pong --mode scratch --no-augment
    rlpriors imitate --env pong --demos demos/pong --mode gail --method simclr

It prints the true return of the policy, also normalized: 0 is a random policy, 1 the demonstrations.  It
writes runs/imitate-<env>-<mode>-<method>-seed<seed>: the policy in policy/, numbers in results.json and
TensorBoard logs in tensorboard/.
"""

EncoderMode = Literal["full", "last-n", "lora", "frozen"]


@dataclass(frozen=True)
class CloningSettings:
    """Settings of behavior cloning."""

    n_updates: int
    """Number of gradient updates."""
    batch_size: int
    """Number of stacks of frames in an update."""
    lr: float
    """Learning rate."""
    hidden: tuple[int, ...]
    """Widths of the hidden layers after the encoder."""
    stack: int
    """Number of frames that the policy receives."""
    encoder_mode: EncoderMode
    """Trained part of the encoder."""
    augmentations: str
    """Augmentations of the frames, joined by "+"; "none" for none."""
    representation_weight: float
    """Weight of the representation loss in joint training."""
    checkpoint_every: int
    """Number of updates between checkpoints."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class GAILTrainingSettings:
    """Settings of GAIL."""

    env_steps: int
    """Number of steps in all environments together."""
    n_envs: int
    """Number of parallel environments."""
    exact_resume: bool
    """New episodes after each checkpoint, so that a resumed run equals an undisturbed one."""
    lr: float
    """Learning rate of policy and discriminator."""
    hidden: tuple[int, ...]
    """Widths of the policy's hidden layers."""
    device: str
    """Device of the networks."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ImitateSettings:
    """Settings of `rlpriors imitate`.

    Raises:
        ValueError: a field is out of its bounds, or two fields contradict each other.
    """

    env: str
    """Environment: an Atari game, or the id of an installed environment that renders, such as Reacher-v5."""

    demos: Path
    """Folder of demonstrations as frames (FrameStore) with `act`, such as `rlpriors demonstrate` writes."""

    mode: Literal["pretrain", "joint", "scratch", "gail"] = "pretrain"
    """Training mode.  pretrain: train the encoder by `method`, then clone with it.  joint: train both
    together with one optimizer.  scratch: clone alone.  gail: train the encoder by `method`, then run GAIL on
    its features."""

    method: str = "simclr"
    """Training method of the encoder, a name of rlpriors.representation.RECIPES; ignored by scratch.  "none"
    leaves the encoder untrained in pretrain and gail."""

    options: str = "{}"
    """Options of the method as JSON: '{"temperature": 0.2}'; they are the arguments of its function in
    rlpriors.representation.methods."""

    augment: bool = True
    """Augmentation of the images in cloning; the control is --no-augment.  The method has its own
    augmentations. In gail no image is augmented, with either flag: nothing is cloned, and the encoder is
    frozen."""

    augmentations: str = "translate+rotate+gaussian-blur+color-jitter-mid"
    """Augmentations of cloning, joined by "+"; the default is EIRLI's."""

    encoder: EncoderArgs = EncoderArgs("nature-cnn")  # noqa: RUF009 (frozen)
    """Encoder of the policy."""

    encoder_mode: EncoderMode = "full"
    """Part of the encoder that cloning trains."""

    stack: int = 2
    """Number of frames that the policy receives, each encoded separately."""

    image_size: int = 64
    """Rows and columns of a frame, equal to those of the demonstrations."""

    max_episode_steps: int = 500
    """Number of steps after which an episode is truncated, in evaluation and in random episodes."""

    demo_episodes: int | None = None
    """Number of demonstrations that are used; all by default."""

    updates: int = 1000
    """Number of gradient updates of cloning."""

    batch_size: int = 64
    """Number of stacks of frames in an update of cloning."""

    lr: float = 3e-4
    """Learning rate of cloning and of GAIL; in joint also of the encoder's method."""

    hidden: tuple[int, ...] = (256,)
    """Widths of the hidden layers after the encoder."""

    representation_updates: int = 500
    """Number of updates of the method, before cloning."""

    representation_batch: int | None = None
    """Batch size of the method; the method's own by default."""

    representation_weight: float = 1.0
    """Weight of the method's loss in joint; the weight of the cloning loss is 1."""

    frames: Path | None = None
    """Folder of further frames for the method, in addition to the demonstrations; frames of random episodes
    by default."""

    random_steps: int = 2000
    """Number of steps in the random episodes, at least; 0 for demonstrations alone."""

    env_steps: int = 40_000
    """Number of environment steps of GAIL."""

    n_envs: int = 8
    """Number of parallel environments of GAIL."""

    n_episodes: int = 10
    """Number of evaluation episodes of the policy."""

    checkpoint_every: int = 250
    """Number of updates between checkpoints, a divisor of `updates`; `--resume` continues from the last
    one."""

    exact_resume: bool = False
    """New episodes after each of the 8 checkpoints of GAIL, so that a resumed run equals an undisturbed one
    bit by bit (CPU).  It cuts an episode of each environment, so `env_steps / n_envs` should be hundreds of
    episodes."""

    seed: int = 0
    """Random seed of networks, training, environments and evaluation."""

    device: str = "auto"
    """Device of the networks: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Number of threads of torch."""

    def __post_init__(self) -> None:
        check_fields(self)
        counts = "stack updates batch_size representation_updates representation_batch demo_episodes "
        counts += "env_steps n_envs n_episodes checkpoint_every threads"
        for name in counts.split():
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {value}.")
        for name in ("seed", "random_steps", "representation_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        if not self.lr > 0:
            raise ValueError(f"`lr` must be above 0. Received {self.lr}.")
        if self.updates % self.checkpoint_every:
            raise ValueError(
                f"`checkpoint_every` must divide `updates`, {self.updates}. Received {self.checkpoint_every}."
            )
        if self.mode == "joint" and (self.method == "none" or self.encoder_mode != "full"):
            raise ValueError(
                '`mode` "joint" needs a `method` and `encoder_mode` "full", as both losses train the encoder.'
                f' Received {self.method!r} and {self.encoder_mode!r}; "scratch" clones alone.'
            )
        self.method_options()

    def method_options(self) -> dict[str, Any]:
        """Return `options` as a dictionary."""
        return read_options(self.options)

    @property
    def uses_method(self) -> bool:
        """True where a method trains the encoder."""
        return self.mode != "scratch" and self.method != "none"

    def representation(self, seed: int) -> "TrainingSettings":
        """Return the settings of the method's training."""
        from rlpriors.representation import TrainingSettings

        return TrainingSettings(
            updates=self.representation_updates, batch_size=self.representation_batch, seed=seed
        )

    def cloning(self) -> CloningSettings:
        """Return the settings of behavior cloning."""
        return CloningSettings(
            n_updates=self.updates,
            batch_size=self.batch_size,
            lr=self.lr,
            hidden=self.hidden,
            stack=self.stack,
            encoder_mode=self.encoder_mode,
            augmentations=self.augmentations if self.augment else "none",
            representation_weight=self.representation_weight,
            checkpoint_every=self.checkpoint_every,
        )

    def gail(self) -> GAILTrainingSettings:
        """Return the settings of GAIL."""
        return GAILTrainingSettings(
            env_steps=self.env_steps,
            n_envs=self.n_envs,
            exact_resume=self.exact_resume,
            lr=self.lr,
            hidden=self.hidden,
            device=self.device,
        )

    def default_folder(self, env_name: str) -> Path:
        """Return the folder of the run, named by environment, mode, method and seed."""
        method = f"-{self.method}" if self.mode != "scratch" else ""
        plain = "" if self.augment or self.mode == "gail" else "-plain"
        return Path("runs") / f"imitate-{env_name}-{self.mode}{method}{plain}-seed{self.seed}"
