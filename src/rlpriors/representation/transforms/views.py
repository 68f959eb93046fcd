"""What a method looks at: parts of a window, each changed in its own way.

`View`      which frames, how they are augmented, and which branch encodes them
`Pixels`    the views of a batch, before anything is encoded
`ViewMaker` makes them
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.representation.clips import Batch
from rlpriors.representation.transforms.augmentations import Augment
from rlpriors.representation.transforms.jigsaw import Arrange
from rlpriors.representation.transforms.masks import TokenMask

__all__ = ["Pixels", "View", "ViewMaker"]

Encoding = Literal["online", "target", "both", "none"]


@dataclass(frozen=True)
class View:
    """One way to look at a window.

    Raises:
        ValueError: `branch` is unknown.
    """

    name: str
    """What losses and predictors call it; EIRLI's words are context, target and extra."""
    frames: tuple[int, ...] | None = None
    """Which frames of the window, negative ones from its end; None for all."""
    augment: str = "none"
    """Augmentations joined by "+"; see `AUGMENTATIONS`."""
    consistent: bool = True
    """Whether all frames of a window are augmented alike."""
    branch: Encoding = "both"
    """Which branch encodes it: what learns, what it is compared with, both, or none, where only its pixels
    are wanted."""
    arrange: Arrange | None = None
    """Other images made of the frames, such as a jigsaw's tiles."""
    mask: TokenMask | None = None
    """Which tokens the online encoder sees; it must be a transformer that can leave some out."""

    def __post_init__(self) -> None:
        if self.branch not in get_args(Encoding):
            raise ValueError(f"`branch` must be one of {get_args(Encoding)}. Received {self.branch!r}.")


class Pixels(NamedTuple):
    """One view of a batch, in [0, 1]; of a view of one frame, time is 1."""

    view: View
    images: Float[Tensor, "batch time channels rows columns"]
    extra: dict[str, Tensor]
    """What `arrange` and `mask` have chosen, by name; of masks also the tokens that are "kept"."""
    kept: Int[Tensor, "images tokens"] | None
    """The tokens that the online encoder sees of each image."""


class ViewMaker(nn.Module):
    """Makes the views of a recipe for the input of an encoder.

    Frames are resized as the encoder does it, brought to [0, 1], and augmented there.

    Raises:
        ValueError: views share a name, or name frames that windows do not have.

    Example:
        >>> import torch
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> maker = ViewMaker([View("last", frames=(-1,))], encoder, horizon=2)
        >>> batch = Batch(torch.zeros(4, 2, 36, 36, 3, dtype=torch.uint8), None, None)
        >>> maker(batch)[0].images.shape
        torch.Size([4, 1, 3, 84, 84])
    """

    def __init__(self, views: Sequence[View], encoder: ImageEncoder, horizon: int) -> None:
        super().__init__()
        self.views, self.horizon = tuple(views), horizon
        if not views or len({view.name for view in views}) < len(views):
            raise ValueError(
                f"`views` must have names, each its own. Received {[view.name for view in views]}."
            )
        for view in views:
            if view.frames is not None and not all(-horizon <= i < horizon for i in view.frames):
                raise ValueError(
                    f"`frames` of view {view.name!r} must be in windows of {horizon}. Received {view.frames}."
                )
        spec = encoder.spec
        self.augment = nn.ModuleList(
            Augment(view.augment, size=spec.input_size, channels=spec.channels, consistent=view.consistent)
            for view in views
        )
        self.size = (spec.channels, *spec.input_size)
        self._preprocess = [encoder.preprocess]  # in a list: it is the encoder's, and no part of this module

    def forward(self, batch: Batch, tokens: tuple[int, int] | None = None) -> list[Pixels]:
        """The views of a batch; `tokens` is the grid of tokens for masks."""
        preprocess = self._preprocess[0]
        window = self.to_pixels(preprocess.prepare(batch.frames.flatten(0, 1)))
        window = window.unflatten(0, batch.frames.shape[:2])
        made = []
        for view, augment in zip(self.views, self.augment, strict=True):
            images = window if view.frames is None else window[:, list(view.frames)]
            images = augment(images)
            extra: dict[str, Tensor] = {}
            if view.arrange is not None:
                images, extra = view.arrange(images)
            kept = None
            if view.mask is not None:
                assert tokens is not None
                kept, chosen = view.mask(images.shape[0] * images.shape[1], tokens, images.device)
                extra = {**extra, "kept": kept, **chosen}
            made.append(Pixels(view, images, extra, kept))
        return made

    def to_pixels(self, prepared: Tensor) -> Tensor:
        """What the encoder takes, back to [0, 1]."""
        preprocess = self._preprocess[0]
        return (prepared - preprocess.shift) / (255 * preprocess.scale)

    def to_input(self, pixels: Tensor) -> Tensor:
        """The reverse."""
        preprocess = self._preprocess[0]
        return pixels * (255 * preprocess.scale) + preprocess.shift
