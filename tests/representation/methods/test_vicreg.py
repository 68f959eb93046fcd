"""Weights of VICReg's terms."""

import pytest
import torch

from rlpriors.representation import RECIPES


def test_vicreg_weights_its_terms_as_its_authors_code() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(6, 3), torch.randn(6, 3)
    outputs = {"z.context": a, "z.target": b}
    terms = RECIPES["vicreg"]().losses.values()
    found = sum(term.weight * term.loss(*(outputs[name] for name in term.inputs)) for term in terms)
    expected = 25 * ((a - b) ** 2).mean()
    for z in (a, b):
        expected += 25 * (1 - (z.var(0) + 1e-4).sqrt()).clamp(min=0).mean() / 2
        covariances = torch.cov(z.T)
        expected += (covariances - covariances.diag().diag()).square().sum() / 3
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
