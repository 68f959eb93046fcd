"""Settings of `rlpriors imitate`, apart from the rest so that `--help` need not import it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rlpriors.scripts.pretrain.settings import read_options

__all__ = ["ImitateSettings"]


@dataclass(frozen=True)
class ImitateSettings:
    """What `rlpriors imitate` does.

    Raises:
        ValueError: a field is out of its bounds, or two do not go together.
    """

    env: str
    """An Atari game, or the id of an installed environment that renders, such as Reacher-v5."""

    demos: Path
    """Folder of demonstrations as frames (FrameStore) with `act`, such as `rlpriors demonstrate` leaves."""

    mode: Literal["pretrain", "joint", "scratch", "gail"] = "pretrain"
    """pretrain: learn the encoder by `method` first, then clone with it; joint: learn both together by
    one optimizer; scratch: clone alone; gail: learn the encoder by `method`, then GAIL on its
    encodings."""

    method: str = "simclr"
    """How the encoder learns: a name of rlpriors.representation.RECIPES; not read by scratch.  "none"
    leaves it as it starts, in pretrain and gail."""

    options: str = "{}"
    """Options of the method, as JSON: '{"temperature": 0.2}'; its function in
    rlpriors.representation.methods tells which there are."""

    augment: bool = True
    """Whether the cloning's images are augmented; the control is without.  The method has its own.  In gail
    no image is, whatever is said here: nothing is cloned, and frames pass a frozen encoder."""

    augmentations: str = "translate+rotate+gaussian-blur+color-jitter-mid"
    """How, joined by "+"; these are EIRLI's."""

    encoder: str = "nature-cnn"
    """What sees: a name that `load_encoder` knows, or the folder of a saved encoder."""

    weights: str = "auto"
    """Where it starts: published weights where there are any, else "none" at random, or a file."""

    encoder_mode: Literal["full", "last-n", "lora", "frozen"] = "full"
    """How much of it cloning moves."""

    stack: int = 2
    """Frames that the policy sees, each encoded by itself."""

    size: int = 64
    """Rows and columns of a frame; the demonstrations' own."""

    steps: int = 500
    """An episode is cut after so many steps, in evaluation and in random play."""

    demo_episodes: int | None = None
    """Take only so many of the demonstrations; all by default."""

    updates: int = 1000
    """Of the cloning."""

    batch_size: int = 64
    """Of the cloning."""

    lr: float = 3e-4
    """Of the cloning, and of everything else in joint."""

    hidden: tuple[int, ...] = (256,)
    """Widths behind the encoder."""

    representation_updates: int = 500
    """Of the method, before cloning."""

    representation_batch: int | None = None
    """Of the method; its own by default."""

    representation_weight: float = 1.0
    """Of the method's loss beside the cloning's, in joint."""

    frames: Path | None = None
    """Further frames that the encoder learns from, beside the demonstrations'; by default random play."""

    random_steps: int = 2000
    """Steps of that, at least; 0 for demonstrations alone."""

    env_steps: int = 40_000
    """Steps that GAIL acts."""

    n_envs: int = 8
    """Environments side by side for GAIL."""

    episodes: int = 10
    """Episodes that the policy is judged by."""

    checkpoint_every: int = 250
    """Updates between checkpoints, from where `--resume` goes on; a divisor of `updates`."""

    seed: int = 0
    """Of everything."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Threads of torch."""

    def __post_init__(self) -> None:
        counts = "stack updates batch_size representation_updates representation_batch demo_episodes "
        counts += "env_steps n_envs episodes checkpoint_every threads"
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
                '`mode` "joint" needs a `method` and `encoder_mode` "full", as both losses move the encoder. '
                f'Received {self.method!r} and {self.encoder_mode!r}; "scratch" clones alone.'
            )
        self.method_options()

    def method_options(self) -> dict[str, Any]:
        """`options`, read."""
        return read_options(self.options)
