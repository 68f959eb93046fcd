"""Measures of the collapse of a representation.

`rankme`       effective rank of the features
`feature_std`  spread of the feature directions
"""

import numpy as np
from jaxtyping import Float

from rlpriors.evaluation.array_arguments import array_arguments

__all__ = ["feature_std", "rankme"]


@array_arguments(features=2)
def rankme(features: Float[np.ndarray, "frames dim"], eps: float = 1e-7) -> float:
    """Compute the effective rank of `features`: exp of the entropy of the normalized singular values.

    The rank lies between 1, where all vectors lie on one line, and the smaller of `frames` and `dim`,
    where all directions have equal variance.  It predicts the quality of an encoder without labels
    (Garrido et al. 2022, arXiv 2210.02885, equations 1 and 2).  Use the same number of frames for all
    compared encoders, and more frames than dimensions.

    Raises:
        ValueError: `features` are empty, not finite, or all 0.

    Example:
        >>> round(rankme(np.eye(8, dtype=np.float32)), 3)
        8.0
        >>> round(rankme(np.ones((8, 4), np.float32)), 3)
        1.0
    """
    if eps < 0:
        raise ValueError(f"`eps` must be at least 0. Received {eps}.")
    x = _checked(features)
    x /= np.abs(x).max() or 1  # the ratios of singular values stay, and squares do not overflow
    gram = x @ x.T if len(x) < x.shape[1] else x.T @ x
    values = np.sqrt(np.linalg.eigvalsh(gram).clip(min=0))
    if not values.sum() > 0:
        raise ValueError(
            "`features` must hold a number other than 0. Received only zeros, which have no rank."
        )
    shares = values / values.sum() + eps
    return float(np.exp(-(shares * np.log(shares)).sum()))


@array_arguments(features=2)
def feature_std(features: Float[np.ndarray, "frames dim"]) -> float:
    """Compute the mean standard deviation of the vectors scaled to length 1, times sqrt(dim).

    The result is about 1 for uniformly distributed directions and 0 for equal ones (Chen and He 2020,
    arXiv 2011.10566, section 4.1).  Vectors of length 0 stay unchanged.

    Raises:
        ValueError: `features` are empty or not finite.

    Example:
        >>> feature_std(np.ones((8, 4), np.float32))
        0.0
        >>> feature_std(np.concatenate([np.eye(4), -np.eye(4)]).astype(np.float32))
        1.0
    """
    x = _checked(features)
    x /= np.where(x.any(1), np.abs(x).max(1), 1)[:, None]  # squares of huge numbers would overflow
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(lengths > 0, lengths, 1)
    return float(unit.std(0).mean() * np.sqrt(x.shape[1]))


def _checked(features: Float[np.ndarray, "frames dim"]) -> Float[np.ndarray, "frames dim"]:
    if features.ndim != 2 or not features.size:
        raise ValueError(f"`features` must hold vectors. Received shape {features.shape}.")
    if not np.isfinite(features).all():
        raise ValueError("`features` must be finite. Received NaN or infinity.")
    return features.astype(np.float64)
