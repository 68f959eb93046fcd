"""Does a representation use its dimensions, or has it collapsed?

`rankme`        how many directions its vectors fill
`feature_std`   how far they lie apart
"""

import numpy as np
from jaxtyping import Float

__all__ = ["feature_std", "rankme"]


def rankme(features: Float[np.ndarray, "frames dim"], eps: float = 1e-7) -> float:
    """The effective rank of `features`: exp of the entropy of their singular values' shares.

    Between 1, where all vectors lie on one line, and the smaller of `frames` and `dim`, where they
    fill all directions alike; it predicts how good an encoder is without any labels (Garrido et al.
    2022, arXiv 2210.02885, equations 1 and 2).  Take the same number of frames for all encoders that
    are compared, and more frames than dimensions.

    Raises:
        ValueError: `features` are empty, not finite, or all 0.

    Example:
        >>> round(rankme(np.eye(8, dtype=np.float32)), 3)
        8.0
        >>> round(rankme(np.ones((8, 4), np.float32)), 3)
        1.0
    """
    x = _checked(features)
    gram = x @ x.T if len(x) < x.shape[1] else x.T @ x
    values = np.sqrt(np.linalg.eigvalsh(gram).clip(min=0))
    if not values.sum() > 0:
        raise ValueError("`features` must not all be 0: nothing has a rank.")
    shares = values / values.sum() + eps
    return float(np.exp(-(shares * np.log(shares)).sum()))


def feature_std(features: Float[np.ndarray, "frames dim"]) -> float:
    """Mean over dimensions of the standard deviation of vectors scaled to length 1, times sqrt(dim).

    About 1 where vectors point everywhere alike, 0 where all point the same way (Chen and He 2020, arXiv
    2011.10566, section 4.1).  Vectors of length 0 stay as they are.

    Raises:
        ValueError: `features` are empty or not finite.

    Example:
        >>> feature_std(np.ones((8, 4), np.float32))
        0.0
        >>> feature_std(np.concatenate([np.eye(4), -np.eye(4)]).astype(np.float32))
        1.0
    """
    x = _checked(features)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(lengths > 0, lengths, 1)
    return float(unit.std(0).mean() * np.sqrt(x.shape[1]))


def _checked(features: Float[np.ndarray, "frames dim"]) -> Float[np.ndarray, "frames dim"]:
    if not features.size:
        raise ValueError(f"`features` must hold vectors. Received shape {features.shape}.")
    if not np.isfinite(features).all():
        raise ValueError("`features` must be finite. Received NaN or infinity.")
    return features.astype(np.float64)
