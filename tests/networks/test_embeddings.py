"""Embeddings of the diffusion timestep, with numbers by hand."""

import math

import pytest
import torch

from rlpriors.networks.embeddings import TimeEmbedding, check_time_features, sinusoidal_embedding


def test_sinusoidal_by_hand() -> None:
    # Two frequencies: 1 and 100 ** -(1/2) = 0.1.
    code = sinusoidal_embedding(torch.tensor([0, 3]), features=4, max_period=100.0)
    expected = [[1.0, 1.0, 0.0, 0.0], [math.cos(3), math.cos(0.3), math.sin(3), math.sin(0.3)]]
    torch.testing.assert_close(code, torch.tensor(expected))


def test_sinusoidal_separates_all_timesteps() -> None:
    code = sinusoidal_embedding(torch.arange(1000), features=32)
    distance = torch.cdist(code, code) + torch.eye(1000) * 9
    assert distance.min() > 0.3


@pytest.mark.parametrize("features", [0, 1, 5])
def test_sinusoidal_refuses_odd_features(features: int) -> None:
    with pytest.raises(ValueError, match=rf"`features` must be even .* Received {features}"):
        sinusoidal_embedding(torch.tensor([0]), features)


def test_time_embedding_follows_its_dtype_but_not_in_the_phase() -> None:
    embedding = TimeEmbedding(features=8, width=4)
    t = torch.tensor([998, 999])
    half = TimeEmbedding(features=8, width=4).to(torch.bfloat16)
    half.load_state_dict(embedding.state_dict())
    out = half(t)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), embedding(t), atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("time_features", "message"), [(0, "at least 2. Received 0"), (3, "by 2 .*Received 3")]
)
def test_time_features_are_even(time_features: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"`time_features` must be .*{message}"):
        check_time_features(time_features)
