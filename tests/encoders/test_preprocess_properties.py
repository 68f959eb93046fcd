"""Preprocessing over random frames: equal for both orders of the axes."""

import numpy as np
import torch
from hypothesis import event, given
from hypothesis import strategies as st
from torch.nn import functional as F

from rlpriors.encoders import EncoderSpec
from rlpriors.encoders.preprocess import Preprocess

LEVEL = 1 / 255


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    to=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    count=st.sampled_from([1, 3]),
    network=st.sampled_from([1, 3]),
    resize=st.sampled_from(["squash", "pad", "shortest_crop"]),
    interpolation=st.sampled_from(["bilinear", "bicubic", "nearest"]),
    floats=st.booleans(),
    n=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_channels_first_and_last_are_the_same_image(
    size, to, count, network, resize, interpolation, floats, n, seed
):
    plain = {"mean": (0.0,) * network, "std": (1.0,) * network, "channels": network}
    spec = EncoderSpec(
        name="tiny",
        source="network",
        model_id="nature-cnn",
        license="mit",
        input_size=to,
        resize=resize,
        interpolation=interpolation,
        **plain,
    )
    frames = np.random.default_rng(seed).integers(0, 256, (n, *size, count), dtype=np.uint8)
    if floats:
        frames = frames.astype(np.float32) / 255
    first = np.ascontiguousarray(np.moveaxis(frames, -1, 1))
    x = Preprocess(spec, channels="last")(frames)
    assert x.shape == (n, network if count == 1 else min(count, network), *to)
    assert 0 <= x.min() <= x.max() <= 1 + 1e-6
    torch.testing.assert_close(Preprocess(spec, channels="first")(first), x, rtol=0, atol=LEVEL + 1e-6)
    if resize == "squash" and interpolation != "nearest" and count == network:
        exact = torch.from_numpy(first).double() / (1 if floats else 255)
        exact = F.interpolate(exact, to, mode=interpolation, antialias=True).clamp(0, 1)
        torch.testing.assert_close(
            x.double(), exact, rtol=0, atol=1.6 * LEVEL if interpolation == "bilinear" else 0.1
        )
    # Without an order: the same image, or a refusal that names both.
    for unnamed in (frames, first):
        message = ""
        try:
            read = Preprocess(spec)(unnamed)
        except ValueError as error:
            message = str(error)
        if message:
            event("refused")
            assert 'Pass channels="first" or channels="last"' in message
        elif len({unnamed.shape[-1], unnamed.shape[1]} & {1, 3}) == 1:
            torch.testing.assert_close(read, x, rtol=0, atol=LEVEL + 1e-6)
