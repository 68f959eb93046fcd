"""Distances between two sets of images, without any training on them.

`FixedFeatures`     image features from random and principal-component filters
`frechet_distance`  distance of two Gaussians with the sets' means and covariances
`domain_auc`        accuracy of a linear classifier that separates the sets
"""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.arguments import check_arguments
from rlpriors.evaluation.array_arguments import array_arguments

__all__ = ["FixedFeatures", "domain_auc", "frechet_distance"]

Vectors = Float[np.ndarray, "frames dim"]
PATCH = 8
PATCHES = 20_000  # enough for 192 numbers per patch
CHUNK = 256
FOLDS = 5
LARGEST = 1e75  # the product of two covariances is finite


class FixedFeatures:
    """Image features of `dim` numbers, the same for all sources of a comparison.

    One half are means over the image of a network of random convolutions, which respond to textures and
    colors (Saxe et al. 2011, "On random weights and unsupervised feature learning").  The other half are
    mean and standard deviation, over the image, of the principal components of its patches.  `fit`
    computes the components and scales each feature to mean 0 and deviation 1.  Pass it the same number
    of frames of *all* sources; otherwise the distance is not symmetric.

    Raises:
        ValueError: `size` is below a patch of 8 pixels, or `dim` is no multiple of 4 in 4..256.

    Example:
        >>> frames = np.random.default_rng(0).integers(256, size=(12, 16, 16, 3), dtype=np.uint8)
        >>> features = FixedFeatures((16, 16), dim=8).fit(frames)
        >>> features(frames).shape
        (12, 8)
    """

    @torch.random.fork_rng(devices=[])  # layers draw initial weights before those of `seed`
    @check_arguments
    def __init__(self, size: tuple[int, int] = (64, 64), dim: int = 64, seed: int = 0) -> None:
        if len(size) != 2 or min(size) < PATCH:
            raise ValueError(f"`size` must be (height, width), at least {PATCH}. Received {size}.")
        if dim % 4 or not 4 <= dim <= 256:
            raise ValueError(f"`dim` must be a multiple of 4 in 4..256. Received {dim}.")
        self.size, self.dim, self.seed = size, dim, seed
        generator = torch.Generator().manual_seed(seed)
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 32), (32, 64), (64, dim // 2)):
            layer = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, padding_mode="replicate", bias=False)
            with torch.no_grad():
                # He's scale keeps the responses of all layers equal in size (arXiv 1502.01852, equation 10).
                layer.weight.normal_(0, (2 / (9 * inputs)) ** 0.5, generator=generator)
            layers += [layer, nn.ReLU()]
        self._network = nn.Sequential(*layers).requires_grad_(False)
        self._components: Tensor | None = None
        self._mean = self._scale = torch.zeros(dim)

    def fit(self, frames: UInt8[np.ndarray, "frames height width channels"]) -> "FixedFeatures":
        """Compute the patch components and the scale of each feature from `frames`; return the object."""
        if len(frames) < 2:
            raise ValueError(f"`frames` must hold at least 2 images. Received {len(frames)}.")
        rng = np.random.default_rng(self.seed)
        each = -(-PATCHES // len(frames))
        patches = []
        for start in range(0, len(frames), CHUNK):
            cut = self._patches(self._images(frames[start : start + CHUNK])).transpose(1, 2)
            places = rng.integers(cut.shape[1], size=(len(cut), min(each, cut.shape[1])))
            patches.append(cut[torch.arange(len(cut))[:, None], torch.from_numpy(places)].flatten(0, 1))
        samples = torch.cat(patches).double()
        centered = samples - samples.mean(0)
        vectors = torch.linalg.eigh(centered.T @ centered / len(centered)).eigenvectors  # smallest first
        self._components = vectors[:, -(self.dim // 4) :].flip(1).T.float()
        raw = self._raw(frames)
        # A constant feature carries no information; its rounding errors must not either.
        spread = raw.std(0)
        self._mean, self._scale = raw.mean(0), torch.where(spread > 1e-6, spread, torch.inf)
        return self

    def __call__(self, frames: UInt8[np.ndarray, "frames height width channels"]) -> Vectors:
        """Return the feature vectors of `frames` of any size; gray frames are treated as color."""
        if self._components is None:
            raise ValueError(
                "FixedFeatures must be fitted first. Call `.fit(frames)` with the frames of all sources."
            )
        return np.asarray(((self._raw(frames) - self._mean) / self._scale).numpy())

    def _raw(self, frames: np.ndarray) -> Float[Tensor, "frames dim"]:
        assert self._components is not None
        rows = []
        for start in range(0, len(frames), CHUNK):
            images = self._images(frames[start : start + CHUNK])
            responses = self._components @ self._patches(images)
            textures = self._network(images).mean((2, 3))
            rows.append(torch.cat([textures, responses.mean(2), responses.std(2, correction=0)], 1))
        return torch.cat(rows)

    def _images(self, frames: np.ndarray) -> Float[Tensor, "frames 3 height width"]:
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] not in (1, 3) or not len(frames):
            raise ValueError(
                "`frames` must be uint8 [frames, height, width, 1 or 3], at least one. Received "
                f"{frames.dtype} of shape {frames.shape}."
            )
        images = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float() / 255 - 0.5
        images = images.expand(-1, 3, -1, -1)
        if tuple(images.shape[2:]) == tuple(self.size):
            return images
        return F.interpolate(images, self.size, mode="bilinear", antialias=True, align_corners=False)

    def _patches(self, images: Tensor) -> Float[Tensor, "frames numbers places"]:
        return F.unfold(images, PATCH, stride=PATCH // 2)


@array_arguments(a=1, b=1)
def frechet_distance(a: Float[np.ndarray, "n dim"], b: Float[np.ndarray, "m dim"]) -> float:
    """Compute |mean_a - mean_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two sets of vectors.

    C_a and C_b are the covariances.  The distance is 0 for equal sets and has squared units of the
    features (Heusel et al. 2017, arXiv 1706.08500, equation 6).  The trace of the root is computed from
    the symmetric C_a^(1/2) C_b C_a^(1/2), so sets smaller than the dimension are valid.  Small sets
    overestimate the distance: use the same number of vectors in both sets and in all comparisons.

    Raises:
        ValueError: fewer than 2 vectors, or numbers that are not finite.

    Example:
        >>> a = np.array([[-1.0], [1.0]]) / np.sqrt(2)
        >>> round(frechet_distance(a, 3 * a + 2), 6)  # (0 - 2)^2 + (1 - 3)^2
        8.0
    """
    x, y = _checked(a=a, b=b)
    root = _root(_covariance(x))
    values = np.linalg.eigvalsh(root @ _covariance(y) @ root)
    spread = np.square(x.mean(0) - y.mean(0)).sum() + x.var(0, ddof=1).sum() + y.var(0, ddof=1).sum()
    return float(max(spread - 2 * np.sqrt(values.clip(min=0)).sum(), 0))


@array_arguments(a=1, b=1)
def domain_auc(
    a: Float[np.ndarray, "n dim"],
    b: Float[np.ndarray, "m dim"],
    *,
    seed: int,
    groups: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]] | None = None,
) -> float:
    """Compute the ROC AUC of a logistic regression that separates `a` from `b`, on held-out vectors.

    The result is 0.5 for inseparable sets, 1 for separable ones: the mean of 5 folds drawn by `seed`.
    Consecutive frames resemble each other.  `groups` holds one number for each vector of `a` and of `b`;
    vectors with the same number, such as those of one episode, stay in one fold.

    Raises:
        ValueError: a set has fewer than 5 vectors or groups, a vector has no group, or a number is not
            finite.

    Example:
        >>> a = np.random.default_rng(0).normal(size=(40, 2))
        >>> domain_auc(a, a + 100, seed=0)
        1.0
    """
    from sklearn.linear_model import LogisticRegression  # imported here, since it takes a second
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if seed >= 2**32:
        raise ValueError(f"`seed` must be below 2**32. Received {seed}.")
    x, y = _checked(least=FOLDS, a=a, b=b)
    one, two = (np.arange(len(x)), np.arange(len(y))) if groups is None else groups
    if (len(one), len(two)) != (len(x), len(y)):
        raise ValueError(
            f"`groups` must be {len(x)} and {len(y)} numbers, one for each vector. Received {len(one)} and "
            f"{len(two)}."
        )
    if min(len(np.unique(side)) for side in (one, two)) < FOLDS:
        raise ValueError(
            f"`groups` must hold at least {FOLDS} groups of `a` and of `b`. Received {len(np.unique(one))} "
            f"and {len(np.unique(two))}; use frames of more episodes, or cut episodes into pieces."
        )
    fold_groups = np.concatenate(
        [np.unique(one, return_inverse=True)[1], -1 - np.unique(two, return_inverse=True)[1]]
    )
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, class_weight="balanced"))
    kind = np.repeat([0, 1], [len(x), len(y)])
    both = np.concatenate([x, y])
    return float(np.mean(cross_val_score(model, both, kind, groups=fold_groups, cv=folds, scoring="roc_auc")))


def _covariance(x: np.ndarray) -> np.ndarray:
    centered = x - x.mean(0)
    return np.asarray(centered.T @ centered / (len(x) - 1))


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(values.clip(min=0)) @ vectors.T)


def _checked(least: int = 2, **sets: np.ndarray) -> list[np.ndarray]:
    dims = {name: vectors.shape[1:] for name, vectors in sets.items()}
    if len(set(dims.values())) > 1:
        raise ValueError(f"`a` and `b` must have the same number of dimensions. Received {dims}.")
    for name, vectors in sets.items():
        if len(vectors) < least:
            raise ValueError(f"`{name}` must hold at least {least} vectors. Received {len(vectors)}.")
        if not np.isfinite(vectors).all():
            raise ValueError(f"`{name}` must be finite. Received NaN or infinity.")
        largest = float(np.abs(vectors).max(initial=0))
        if largest > LARGEST:
            raise ValueError(f"`{name}` must hold numbers of at most {LARGEST:g}. Received {largest:g}.")
    return [vectors.astype(np.float64) for vectors in sets.values()]
