"""Views of a clip: selected frames with their own augmentation, tiles and token mask.

`View`       settings of a view: frames, augmentation, and the branch that encodes it
`ViewBatch`  one view of a batch, in pixels
`ViewMaker`  module from a batch of clips to its views
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.representation.clips import ClipBatch
from rlpriors.representation.transforms.augmentations import Augment
from rlpriors.representation.transforms.jigsaw import TileTransform
from rlpriors.representation.transforms.masks import TokenMask
from rlpriors.settings import check_fields

__all__ = ["View", "ViewBatch", "ViewMaker"]

Branch = Literal["online", "target", "both", "none"]


@dataclass(frozen=True)
class View:
    """Settings of one view of a clip.

    Raises:
        ValueError: `branch` is unknown.
    """

    name: str
    """Name of the view for losses and predictors; EIRLI's names are context, target and extra."""
    frames: tuple[int, ...] | None = None
    """Indices of the clip's frames, negative ones from its end; None takes all frames."""
    augment: str = "none"
    """Names of augmentations joined by "+"; see `AUGMENTATIONS`."""
    consistent: bool = True
    """Augment all frames of a clip with the same random parameters."""
    branch: Branch = "both"
    """Network that encodes the view: "online", "target", "both", or "none" for a view that is read as pixels
    only."""
    tiles: TileTransform | None = None
    """Transform from frames to other images, such as a jigsaw's tiles."""
    mask: TokenMask | None = None
    """Mask of the online encoder's tokens; needs a vision transformer that can skip masked tokens."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.branch not in get_args(Branch):
            raise ValueError(f"`branch` must be one of {get_args(Branch)}. Received {self.branch!r}.")


class ViewBatch(NamedTuple):
    """One view of a batch, in [0, 1]; the time axis of a view of one frame has length 1."""

    view: View
    images: Float[Tensor, "batch time channels rows columns"]
    extra: dict[str, Tensor]
    """Random choices of `tiles` and `mask` by name; masks add the "visible" tokens."""
    visible: Int[Tensor, "images tokens"] | None
    """Indices of each image's visible tokens; None without a mask."""


class ViewMaker(nn.Module):
    """Module from a batch of clips to the views of a recipe, for the input of an encoder.

    Frames are resized by the encoder's preprocessing, scaled to [0, 1] and augmented.

    Raises:
        ValueError: views share a name, or `frames` of a view exceed the clip.

    Example:
        >>> import torch
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> maker = ViewMaker([View("last", frames=(-1,))], encoder, horizon=2)
        >>> batch = ClipBatch(torch.zeros(4, 2, 36, 36, 3, dtype=torch.uint8), None, None)
        >>> maker(batch)[0].images.shape
        torch.Size([4, 1, 3, 84, 84])
    """

    def __init__(self, views: Sequence[View], encoder: ImageEncoder, horizon: int) -> None:
        super().__init__()
        self.views, self.horizon = tuple(views), horizon
        if not views or len({view.name for view in views}) < len(views):
            raise ValueError(f"`views` must have different names. Received {[view.name for view in views]}.")
        for view in views:
            if view.frames is not None and not all(-horizon <= i < horizon for i in view.frames):
                raise ValueError(
                    f"`frames` of view {view.name!r} must be in clips of {horizon}. Received {view.frames}."
                )
        spec = encoder.spec
        self.augment = nn.ModuleList(
            Augment(view.augment, size=spec.input_size, channels=spec.channels, consistent=view.consistent)
            for view in views
        )
        self.size = (spec.channels, *spec.input_size)
        self._preprocess = [encoder.preprocess]  # in a list, so that it is no submodule: the encoder owns it

    def forward(self, batch: ClipBatch, tokens: tuple[int, int] | None = None) -> list[ViewBatch]:
        """Return the views of a batch; `tokens` is the encoder's grid of tokens, for masks."""
        preprocess = self._preprocess[0]
        clip = self.to_pixels(preprocess.prepare(batch.frames.flatten(0, 1)))
        clip = clip.unflatten(0, batch.frames.shape[:2])
        views = []
        for view, augment in zip(self.views, self.augment, strict=True):
            images = clip if view.frames is None else clip[:, list(view.frames)]
            images = augment(images)
            extra: dict[str, Tensor] = {}
            if view.tiles is not None:
                images, extra = view.tiles(images)
            visible = None
            if view.mask is not None:
                assert tokens is not None
                visible, choices = view.mask(images.shape[0] * images.shape[1], tokens, images.device)
                extra = {**extra, "visible": visible, **choices}
            views.append(ViewBatch(view, images, extra, visible))
        return views

    def to_pixels(self, prepared: Tensor) -> Tensor:
        """Return the pixels in [0, 1] of an encoder input."""
        preprocess = self._preprocess[0]
        return (prepared - preprocess.shift) / (255 * preprocess.scale)

    def to_input(self, pixels: Tensor) -> Tensor:
        """Return the encoder input of pixels in [0, 1]."""
        preprocess = self._preprocess[0]
        return pixels * (255 * preprocess.scale) + preprocess.shift
