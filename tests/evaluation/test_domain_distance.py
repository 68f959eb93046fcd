"""How far sets of images lie apart: closed forms for Gaussians, and images that are plainly near or far."""

from typing import Any

import numpy as np
import pytest

from rlpriors.evaluation.domain_distance import FixedFeatures, domain_auc, frechet_distance

RNG = np.random.default_rng(0)
TWO = (np.ones((9, 3)), np.ones((9, 3)))


def with_moments(mean: Any, covariance: Any, n: int = 40) -> np.ndarray:
    """Vectors with exactly this mean and covariance."""
    x = np.random.default_rng(1).normal(size=(n, len(mean)))
    x = x - x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T).reshape(len(mean), -1))).T
    values, vectors = np.linalg.eigh(np.asarray(covariance, float))
    return np.asarray(mean + x @ (vectors * np.sqrt(values.clip(0))).T)


def test_frechet_distance_of_gaussians() -> None:
    a = with_moments([0, 0], np.diag([4, 9]))
    b = with_moments([3, 4], np.diag([1, 1]))
    assert frechet_distance(a, b) == pytest.approx(25 + 1 + 4)  # |mean|^2 + (2 - 1)^2 + (3 - 1)^2
    assert frechet_distance(b, a) == pytest.approx(30)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    # Not commuting: tr((C_a C_b)^(1/2)) of two by two is sqrt(tr(C_a C_b) + 2 sqrt(det C_a det C_b)).
    c = with_moments([0, 0], [[5, 4], [4, 5]])
    want = 13 + 10 - 2 * np.sqrt(4 * 5 + 9 * 5 + 2 * np.sqrt(36 * 9))
    assert frechet_distance(a, c) == pytest.approx(want)


def test_frechet_distance_of_fewer_vectors_than_dimensions() -> None:
    a = RNG.normal(size=(5, 30))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 30)
    line = with_moments([0, 0], [[1, 1], [1, 1]])  # of rank 1
    assert frechet_distance(line, np.zeros((3, 2))) == pytest.approx(2)
    assert frechet_distance(a.astype(np.float32), a.astype(np.float32)) == pytest.approx(0, abs=1e-6)


def test_a_classifier_tells_apart_what_differs() -> None:
    a, b = RNG.normal(size=(2, 200, 3))
    assert domain_auc(a, b, seed=0) == pytest.approx(0.5, abs=0.1)
    assert domain_auc(a, b + 50, seed=0) == 1
    # Two normals one deviation apart: the area is the chance that b > a, Phi(1 / sqrt(2)) = 0.76.
    assert domain_auc(a[:, :1], b[:, :1] + 1, seed=0) == pytest.approx(0.76, abs=0.06)
    assert domain_auc(a, b, seed=3) == domain_auc(a, b, seed=3)
    assert domain_auc(a, b[:20] + 50, seed=0) == 1  # of unlike numbers


def test_what_an_episode_shares_is_not_learned_from_it() -> None:
    rng = np.random.default_rng(0)
    episodes = np.arange(40).repeat(10)
    a, b = (rng.normal(size=(40, 20))[episodes] + 0.01 * rng.normal(size=(400, 20)) for _ in range(2))
    assert domain_auc(a, b, seed=0) > 0.75  # each episode is known again
    assert domain_auc(a, b, seed=0, groups=(episodes, episodes)) == pytest.approx(0.5, abs=0.15)


def textures(n: int, coarse: int, level: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-40, 40, size=(n, 32 // coarse, 32 // coarse, 3))
    return np.clip(noise.repeat(coarse, 1).repeat(coarse, 2) + level, 0, 255).astype(np.uint8)


def test_like_images_are_nearer_than_unlike_ones() -> None:
    here, near, far = textures(30, 4, 100), textures(30, 4, 100, seed=1), textures(30, 1, 130, seed=2)
    features = FixedFeatures((32, 32), dim=16).fit(np.concatenate([here, near, far]))
    a, b, c = features(here), features(near), features(far)
    assert a.shape == (30, 16)
    every = np.concatenate([a, b, c])
    assert np.allclose(every.mean(0), 0, atol=1e-4)
    assert np.allclose(every.std(0, ddof=1), 1, atol=1e-3)
    assert 10 * frechet_distance(a, b) < frechet_distance(a, c)
    assert domain_auc(a, b, seed=0) < 0.8 < domain_auc(a, c, seed=0)


def test_features_follow_the_seed_and_take_any_size() -> None:
    frames = textures(8, 2, 100)
    one, same, other = (FixedFeatures((16, 16), 8, seed).fit(frames)(frames) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    features = FixedFeatures((16, 16), 8).fit(frames)
    assert features(frames[:1, :20, :30, :1]).shape == (1, 8)
    black = np.zeros((4, 16, 16, 3), np.uint8)
    assert (FixedFeatures((16, 16), 8).fit(black)(black) == 0).all()  # nothing varies, nothing is said


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FixedFeatures((7, 16)), "`size` must be .*at least 8"),
        (lambda: FixedFeatures(dim=10), r"`dim` must be a multiple of 4 in 4..256. Received 10"),
        (lambda: FixedFeatures()(textures(2, 1, 9)), "must be fitted first"),
        (lambda: FixedFeatures().fit(textures(1, 1, 9)), "`frames` must hold at least 2"),
        (lambda: FixedFeatures().fit(textures(2, 1, 9)[..., :2]), r"`frames` must be uint8 .*1 or 3"),
        (lambda: frechet_distance(np.ones((1, 3)), np.ones((4, 3))), "`a` must hold at least 2 vectors"),
        (lambda: frechet_distance(np.ones((4, 3)), np.full((4, 3), np.nan)), "`b` must be finite"),
        (lambda: domain_auc(np.ones((9, 3)), np.ones((4, 3)), seed=0), "`b` must hold at least 5 vectors"),
        (
            lambda: domain_auc(*TWO, seed=0, groups=(np.arange(9), np.arange(9) // 2 % 4)),
            "at least 5 groups of `a`",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_unlike_dimensions_are_refused(without_type_checks: None) -> None:
    with pytest.raises(ValueError, match="same number of dimensions"):
        frechet_distance(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="must be 9 and 9 numbers"):
        domain_auc(*TWO, seed=0, groups=(np.arange(9), np.arange(8)))
