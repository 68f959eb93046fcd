"""Random image augmentations by name.

`AUGMENTATIONS`  factories by name: EIRLI's list, and those of ATC, SPR and SimCLR
`Augment`        several augmentations in sequence, as one module

Kornia computes them on the device, with separate parameters for each image of a batch.  It draws from
torch's global generator, which `RepresentationLearner` seeds for each update and restores afterwards.
"""

import warnings
from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.extras import missing_extra

__all__ = ["AUGMENTATIONS", "Augment"]

Factory = Callable[[Any, tuple[int, int], int], nn.Module]
"""Function from kornia.augmentation, (rows, columns) and the number of channels to a module."""


def _jitter(strength: float) -> Factory:
    def make(kornia: Any, size: tuple[int, int], channels: int) -> nn.Module:
        colors = (strength, min(0.5, strength / 4)) if channels == 3 else (0.0, 0.0)
        module: nn.Module = kornia.ColorJitter(strength, strength, *colors)
        return module

    return make


def _affine(degrees: float, translate: float) -> Factory:
    def make(kornia: Any, size: tuple[int, int], channels: int) -> nn.Module:
        shift = (translate, translate) if translate else None
        module: nn.Module = kornia.RandomAffine(degrees, translate=shift, padding_mode="border")
        return module

    return make


def _shift(pad: int) -> Factory:
    def make(kornia: Any, size: tuple[int, int], channels: int) -> nn.Module:
        module: nn.Module = kornia.RandomCrop(size, padding=pad, padding_mode="replicate")
        return module

    return make


AUGMENTATIONS: dict[str, Factory] = {
    # Random shift by up to 4 pixels (DrQ, arXiv 2004.13649; ATC and SPR use it too).
    "shift": _shift(4),
    # SimCLR's first augmentation (arXiv 2002.05709), with at least half of the image to keep small objects.
    "crop": lambda kornia, size, channels: kornia.RandomResizedCrop(size, scale=(0.5, 1.0)),
    # SPR (arXiv 2007.05929): each image brighter or darker by up to 10 percent.
    # Kornia's RandomBrightness adds; its jitter multiplies, as SPR does.
    "intensity": lambda kornia, size, channels: kornia.ColorJitter(brightness=(0.9, 1.1), p=1.0),
    # EIRLI's list, with its names.
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
    """Augmentations in sequence, such as "shift+color-jitter"; "none" returns images unchanged.

    Inputs and outputs are pixels in [0, 1], [batch, time, channels, rows, columns].  With `consistent` all
    frames of a clip have the same random parameters, so that motion is preserved.

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
                f"`augment` must be names joined by '+', among {', '.join(AUGMENTATIONS)}. "
                f"Received {unknown[0]!r} in {names!r}."
            )
        self.sequence: Any = None
        if parts:
            kornia = _kornia()
            modules = [AUGMENTATIONS[name](kornia, size, channels) for name in parts]
            modules = [module for module in modules if not isinstance(module, nn.Identity)]
            self.sequence = kornia.VideoSequential(*modules, data_format="BTCHW", same_on_frame=consistent)

    def forward(
        self, x: Float[Tensor, "batch time channels rows columns"]
    ) -> Float[Tensor, "batch time channels rows columns"]:
        """Return augmented pixels in [0, 1]."""
        if self.sequence is None:
            return x
        augmented: Tensor = self.sequence(x)
        return augmented.clamp(0, 1)


def _kornia() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from other packages that kornia imports
            import kornia.augmentation
    except ImportError as error:
        raise ImportError(missing_extra("Augmentations need kornia", "pretrain")) from error
    return kornia.augmentation
