"""Measures of collapse: independence of the scale of the features."""

import numpy as np
import pytest

from rlpriors.evaluation.probing.rank import feature_std, rankme


@pytest.mark.parametrize("scale", [1e300, 1e160, 1e-160, 1e-300])
def test_the_scale_of_features_changes_nothing(scale: float) -> None:
    features = np.array([[3.0, 1.0, 0.5], [-2.0, 2.0, 1.0], [1.0, -1.0, 4.0], [0.0, 0.0, 0.0]])
    assert rankme(scale * features) == pytest.approx(rankme(features), rel=1e-6)
    assert feature_std(scale * features) == pytest.approx(feature_std(features), rel=1e-9)
