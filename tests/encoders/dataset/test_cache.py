"""Equal features with and without the cache under random access, evictions and collisions."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch

from rlpriors.encoders.dataset import image_hash
from rlpriors.encoders.dataset.cache import FeatureCache
from rlpriors.encoders.dataset.image_hash import hash_images
from rlpriors.encoders.readouts.crops import Crops

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


class Counting:
    """An encoder with a distinct vector for each image, which counts its images and calls."""

    def __init__(self) -> None:
        self.images = 0
        self.calls = 0

    def __call__(self, parts: list[torch.Tensor]) -> torch.Tensor:
        self.calls += 1
        self.images += sum(map(len, parts))
        assert all(len(part) for part in parts)
        return torch.cat([self.vectors(part) for part in parts])

    @staticmethod
    def vectors(part: torch.Tensor) -> torch.Tensor:
        values = part.flatten(1).float()
        places = torch.arange(values.shape[1], device=part.device) + 1.0
        return torch.stack(
            [values.sum(1), (values * places).sum(1), values.new_full((len(part),), len(places))], 1
        )


def pool_of_images(n: int = 12, shape: tuple[int, ...] = (3, 3, 1), seed: int = 0) -> torch.Tensor:
    return torch.randint(
        0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def constant_hash(words: np.ndarray) -> list[int]:
    return [7] * len(words)


def coarse_hash(words: np.ndarray) -> list[int]:
    return [int(row[0]) % 3 for row in words]


@pytest.mark.parametrize("hash_function", [hash_images, constant_hash, coarse_hash])
@pytest.mark.parametrize("capacity", [1, 3, 8, 100])
@pytest.mark.parametrize("device", DEVICES)
def test_on_equals_off(
    hash_function: Callable[[np.ndarray], list[int]],
    capacity: int,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_hash, "hash_images", hash_function)
    rng = np.random.default_rng(capacity)
    large, small = pool_of_images().to(device), pool_of_images(6, (2, 2, 1)).to(device)
    cache, encoder = FeatureCache(capacity), Counting()
    for _ in range(60):
        # Batches up to larger than the cache, with repetitions, of two sizes.
        parts = [images[rng.integers(0, len(images), rng.integers(1, 7))] for images in (large, small)]
        encoded = cache.encode(parts, encoder)
        assert encoded.device.type == device
        assert torch.equal(encoded, torch.cat([Counting.vectors(part) for part in parts]))
        assert len(cache) <= capacity
    stats = cache.stats
    assert stats.misses == encoder.images
    if capacity == 100:
        assert encoder.images == 18  # each of the 18 images once
        assert (stats.evictions, len(cache)) == (0, 18)
    else:
        assert stats.evictions > 0
        assert len(cache) == capacity


def test_statistics_do_not_depend_on_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for function in (hash_images, constant_hash):
        monkeypatch.setattr(image_hash, "hash_images", function)
        rng, images, cache = np.random.default_rng(0), pool_of_images(), FeatureCache(5)
        for _ in range(40):
            cache.encode([images[rng.integers(0, 12, 3)]], Counting())
        found.append(cache.stats)
    assert found[0] == found[1]
    assert found[0].hits > 0


def test_the_least_recently_used_is_evicted_first() -> None:
    images = pool_of_images(4)
    cache = FeatureCache(2)

    def known() -> list[bool]:
        return [bool(cache.lookup(images[i : i + 1])[0]) for i in (2, 1, 0)]  # looking makes it seen

    cache.encode([images[:2]], Counting())
    cache.encode([images[:1]], Counting())  # image 0 is seen again
    cache.encode([images[2:3]], Counting())  # so image 1 must go
    assert known() == [True, False, True]
    assert cache.stats.evictions == 1


def test_repetitions_inside_a_batch_are_encoded_once() -> None:
    images, encoder, cache = pool_of_images(2), Counting(), FeatureCache(10)
    batch = images[[0, 1, 0, 0, 1]]
    assert torch.equal(cache.encode([batch], encoder), Counting.vectors(batch))
    assert encoder.images == 2
    assert (cache.stats.hits, cache.stats.misses, cache.stats.hit_rate) == (3, 2, 0.6)
    cache.encode([batch], encoder)
    assert encoder.calls == 1  # nothing was missing: the encoder was left alone


def test_a_batch_larger_than_the_cache_is_encoded_completely() -> None:
    images, cache = pool_of_images(12), FeatureCache(5)
    cache.encode([images[:5]], Counting())
    assert torch.equal(cache.encode([images], Counting()), Counting.vectors(images))
    hits, vectors = cache.lookup(images)
    assert hits.tolist() == [False] * 7 + [True] * 5  # the last of the batch stay
    assert vectors is not None
    assert torch.equal(vectors, Counting.vectors(images[7:]))


def test_lookup_and_insert() -> None:
    images, cache = pool_of_images(4), FeatureCache(10)
    hits, vectors = cache.lookup(images)
    assert hits.tolist() == [False] * 4
    assert vectors is None
    cache.insert(images[[1, 3, 1]], Counting.vectors(images[[1, 3, 1]]))
    assert len(cache) == 2
    hits, vectors = cache.lookup(images)
    assert hits.tolist() == [False, True, False, True]
    assert vectors is not None
    assert torch.equal(vectors, Counting.vectors(images[[1, 3]]))
    assert (cache.stats.hits, cache.stats.misses) == (2, 6)


def test_positions_and_shapes_keep_images_apart() -> None:
    black = torch.zeros(1, 2, 8, 1, dtype=torch.uint8)
    cache, encoder = FeatureCache(10), Counting()
    cache.encode([black, black.reshape(1, 4, 4, 1)], encoder)  # the same bytes, another picture
    assert encoder.images == 2
    cache.encode([black.repeat(3, 1, 1, 1)], encoder, positions=torch.tensor([0, 5, 5]))
    assert encoder.images == 3  # position 0 is what no position means
    cache.encode([black], encoder)
    assert encoder.images == 3


def test_crops_of_a_game_in_which_little_moves() -> None:
    frames = torch.zeros(20, 16, 16, 3, dtype=torch.uint8)
    for t in range(20):
        frames[t, t % 16, 5] = 255
    readout, encoder, cache = Crops((1, 2, 4)), Counting(), FeatureCache(1000)
    for frame in frames:
        views = readout.make_views(frame[None])
        given = Counting()(list(views.batches))
        encoded = cache.encode(views.batches, encoder, views.positions)
        assert torch.equal(
            readout.combine_views(encoded, views.indices), readout.combine_views(given, views.indices)
        )
    assert encoder.images < 20 * 21 / 3


def test_rows_that_words_of_four_bytes_do_not_divide() -> None:
    images = torch.zeros(3, 1, 5, 1, dtype=torch.uint8)
    images[1, 0, 4] = 1
    images[2, 0, 0] = 1
    cache, encoder = FeatureCache(10), Counting()
    assert torch.equal(cache.encode([images], encoder), Counting.vectors(images))
    assert encoder.images == 3


def test_strided_images_are_read_as_they_look() -> None:
    images = pool_of_images(6).flip(1).transpose(1, 2)
    cache = FeatureCache(10)
    cache.encode([images], Counting())
    assert bool(cache.lookup(images.contiguous())[0].all())


def test_a_changed_image_is_not_a_hit() -> None:
    image, cache = pool_of_images(1), FeatureCache(10)
    cache.encode([image], Counting())
    image[0, 0, 0] += 1  # an environment that writes into its own buffer
    assert torch.equal(cache.encode([image], Counting()), Counting.vectors(image))


def test_inference_mode_outside_and_inside() -> None:
    images, cache = pool_of_images(3), FeatureCache(10)
    with torch.inference_mode():
        cache.encode([images[:1]], Counting())
    cache.encode([images[1:2]], Counting())
    with torch.inference_mode():
        assert torch.equal(cache.encode([images], Counting()), Counting.vectors(images))


def test_hash_tells_images_apart_that_differ_in_one_bit() -> None:
    images = torch.zeros(1 + 64 * 8, 64, dtype=torch.uint8).numpy()
    for bit in range(64 * 8):
        images[1 + bit, bit // 8] = 1 << (bit % 8)
    assert len(set(hash_images(images))) == len(images)
    swapped = np.roll(np.arange(64, dtype=np.uint8), 1)[None]
    assert hash_images(np.arange(64, dtype=np.uint8)[None]) != hash_images(swapped)


def test_clearing_and_copies_start_empty() -> None:
    cache = FeatureCache(10)
    cache.encode([pool_of_images(3)], Counting())
    for other in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert (len(other), other.capacity, other.stats.misses) == (0, 10, 0)
    cache.clear()
    assert (len(cache), cache.stats.misses) == (0, 0)
    cache.encode([pool_of_images(3)], lambda parts: Counting()(parts).half())  # another encoder may follow


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="`capacity` must be at least 1"):
        FeatureCache(0)
    images, cache = pool_of_images(3), FeatureCache(10)
    with pytest.raises(ValueError, match="at least one image"):
        cache.encode([], Counting())
    with pytest.raises(ValueError, match="`positions` must be 3"):
        cache.encode([images], Counting(), torch.tensor([1]))
    with pytest.raises(ValueError, match="must be 3 vectors"):
        cache.encode([images], lambda parts: Counting()(parts)[:2])
    with pytest.raises(ValueError, match="must be 3 vectors"):
        cache.insert(images, torch.zeros(2, 4))
    cache.encode([images[:1]], Counting())
    with pytest.raises(ValueError, match=r"one encoder: it holds vectors \[3\].*call `clear\(\)`"):
        cache.encode([images], lambda parts: torch.zeros(2, 8))
    with pytest.raises(TypeError, match="must be uint8"):
        cache.encode([images.float()], Counting())
