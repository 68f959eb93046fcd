"""Random changes of images that leave their meaning alone, each by a name.

`AUGMENTATIONS`   every one by its name; EIRLI's list, and those of ATC, SPR and SimCLR
`Augment`         some of them in a row, as one module

Kornia makes them, on the device and for each image of a batch by its own numbers, which it draws from
torch's global generator: `RepresentationLearner` seeds that for each update, and puts it back.
"""

import warnings
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["AUGMENTATIONS", "Augment"]

Make = Callable[[Any, tuple[int, int], int], nn.Module]
"""From kornia.augmentation, (rows, columns) and the number of channels."""


def _jitter(strength: float) -> Make:
    def make(kornia: Any, size: tuple[int, int], channels: int) -> nn.Module:
        colors = (strength, min(0.5, strength / 4)) if channels == 3 else (0.0, 0.0)
        module: nn.Module = kornia.ColorJitter(strength, strength, *colors)
        return module

    return make


def _affine(degrees: float, translate: float) -> Make:
    def make(kornia: Any, size: tuple[int, int], channels: int) -> nn.Module:
        moved = (translate, translate) if translate else None
        module: nn.Module = kornia.RandomAffine(degrees, translate=moved, padding_mode="border")
        return module

    return make


def _shift(pad: int) -> Make:
    def make(kornia: Any, size: tuple[int, int], channels: int) -> nn.Module:
        module: nn.Module = kornia.RandomCrop(size, padding=pad, padding_mode="replicate")
        return module

    return make


AUGMENTATIONS: dict[str, Make] = {
    # Random shift by up to 4 pixels (DrQ, arXiv 2004.13649; ATC and SPR use it too).
    "shift": _shift(4),
    # What SimCLR (arXiv 2002.05709) starts with; no less than half of the image, as small things matter here.
    "crop": lambda kornia, size, channels: kornia.RandomResizedCrop(size, scale=(0.5, 1.0)),
    # SPR's (arXiv 2007.05929): each image brighter or darker by a few percent.
    # Kornia's RandomBrightness adds; its jitter multiplies, as SPR does.
    "intensity": lambda kornia, size, channels: kornia.ColorJitter(brightness=(0.9, 1.1), p=1.0),
    # EIRLI's, by its names.
    "translate": _affine(0.0, 0.05),
    "translate-ex": _affine(0.0, 0.3),
    "rotate": _affine(5.0, 0.0),
    "rotate-mid": _affine(20.0, 0.0),
    "rotate-ex": _affine(35.0, 0.0),
    "color-jitter": _jitter(0.2),
    "color-jitter-mid": _jitter(0.4),
    "color-jitter-ex": _jitter(0.8),
    "flip-ud": lambda kornia, size, channels: kornia.RandomVerticalFlip(),
    "flip-lr": lambda kornia, size, channels: kornia.RandomHorizontalFlip(),
    "rot90": lambda kornia, size, channels: kornia.RandomRotation90((0, 3)),
    "noise": lambda kornia, size, channels: kornia.RandomGaussianNoise(std=0.01, p=1.0),
    "erase": lambda kornia, size, channels: kornia.RandomErasing(p=0.5),
    "gray": lambda kornia, size, channels: kornia.RandomGrayscale(p=0.5) if channels == 3 else nn.Identity(),
    "gaussian-blur": lambda kornia, size, channels: kornia.RandomGaussianBlur((5, 5), (0.1, 1.0)),
}


class Augment(nn.Module):
    """Augmentations in a row, "shift+color-jitter"; "none" is none.

    Takes and gives pixels in [0, 1], [batch, time, channels, rows, columns].  With `consistent` all
    frames of a window are changed alike, so that motion stays what it was.

    Raises:
        ValueError: a name is unknown.
        ImportError: kornia is not installed.

    Example:
        >>> import torch
        >>> Augment("shift+noise", size=(24, 24), channels=3)(torch.rand(2, 4, 3, 24, 24)).shape
        torch.Size([2, 4, 3, 24, 24])
    """

    def __init__(self, names: str, *, size: tuple[int, int], channels: int, consistent: bool = True) -> None:
        super().__init__()
        self.names, self.consistent = names, consistent
        parts = [] if names in ("", "none") else [name.strip() for name in names.split("+")]
        unknown = [name for name in parts if name not in AUGMENTATIONS]
        if unknown:
            raise ValueError(
                f"`augment` must be names joined by '+', out of {', '.join(AUGMENTATIONS)}. "
                f"Received {unknown[0]!r} in {names!r}."
            )
        self.sequence: Any = None
        if parts:
            kornia = _kornia()
            made = [AUGMENTATIONS[name](kornia, size, channels) for name in parts]
            made = [module for module in made if not isinstance(module, nn.Identity)]
            self.sequence = kornia.VideoSequential(*made, data_format="BTCHW", same_on_frame=consistent)

    def forward(
        self, x: Float[Tensor, "batch time channels rows columns"]
    ) -> Float[Tensor, "batch time channels rows columns"]:
        """Changed pixels, still in [0, 1]."""
        if self.sequence is None:
            return x
        changed: Tensor = self.sequence(x)
        return changed.clamp(0, 1)


def _kornia() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other packages that kornia imports
            import kornia.augmentation
    except ImportError as error:
        raise ImportError(
            "Augmentations need kornia. Install it by `pip install rlpriors[pretrain]`."
        ) from error
    return kornia.augmentation
