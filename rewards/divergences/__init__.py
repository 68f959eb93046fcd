"""Distances between generated and demonstrated samples.

divergence             `Divergence`: a distance with a scale that is fitted once and saved
two_sample_statistics  MMD, energy distance and Sinkhorn divergence as pure functions
"""

from rlpriors.rewards.divergences.divergence import (
    DIVERGENCES,
    Divergence,
    DivergenceName,
    DivergenceSettings,
)

__all__ = ["DIVERGENCES", "Divergence", "DivergenceName", "DivergenceSettings"]
