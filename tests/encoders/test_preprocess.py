"""Preprocessing of frames: golden values against PIL and torchvision, channel orders, error messages."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from rlpriors.encoders import EncoderSpec, encoder_spec
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
from rlpriors.encoders.preprocess import LUMA_WEIGHTS, Preprocess

SPEC = EncoderSpec(
    name="tiny",
    source="network",
    model_id="nature-cnn",
    license="mit",
    input_size=(60, 50),
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
)
# An Atari-like frame (210 x 160) with edges, where bicubic overshoots, and noise.
FRAME = np.random.default_rng(0).integers(0, 256, (210, 160, 3), dtype=np.uint8)
FRAME[40:120, 30:90] = 255
FRAME[120:200, 60:150] = 0
LEVEL = 1 / 255


def prepared(spec: EncoderSpec, frames: Any, **options: Any) -> Tensor:
    return Preprocess(spec, **options)(frames)


def as_image(x: Tensor) -> np.ndarray:
    return (x[0] * 255).movedim(0, -1).numpy()


@pytest.mark.parametrize("filter_name", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(60, 50), (84, 84), (224, 224), (300, 320)])
def test_squash_is_pils_resize(filter_name: str, size: tuple[int, int]) -> None:
    """uint8 throughout, as PIL does it: at most one level of 255 apart, shrinking and growing."""
    spec = replace(SPEC, input_size=size, interpolation=filter_name)
    resample = getattr(Image.Resampling, filter_name.upper())
    expected = np.asarray(Image.fromarray(FRAME).resize(size[::-1], resample), np.float32)
    assert np.abs(as_image(prepared(spec, FRAME[None])) - expected).max() <= 1 + 1e-3


def test_nearest_is_pils() -> None:
    spec = replace(SPEC, interpolation="nearest", input_size=(84, 64))  # 2.5 pixels to one: no ties
    expected = np.asarray(Image.fromarray(FRAME).resize((64, 84), Image.Resampling.NEAREST))
    np.testing.assert_allclose(as_image(prepared(spec, FRAME[None])), expected, atol=1e-3)


@pytest.mark.parametrize(("frame", "edge"), [(FRAME, 256), (FRAME.transpose(1, 0, 2), 256), (FRAME, 224)])
def test_shortest_crop_is_torchvisions(frame: np.ndarray, edge: int) -> None:
    """Resize(edge), CenterCrop(224), ToTensor, Normalize on a PIL image: one level of 255 at most."""
    ensure_torchvision()
    from torchvision import transforms

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    pipeline = transforms.Compose(
        [
            transforms.Resize(edge, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    spec = replace(
        SPEC, input_size=(224, 224), resize="shortest_crop", crop_pct=224 / edge, mean=mean, std=std
    )
    x = prepared(spec, np.ascontiguousarray(frame)[None])
    difference = (x[0] - pipeline(Image.fromarray(np.ascontiguousarray(frame)))).abs()
    assert (difference.amax((1, 2)) <= (LEVEL + 1e-5) / torch.tensor(std)).all()


def test_pad_keeps_proportions_and_adds_black() -> None:
    x = prepared(replace(SPEC, resize="pad", input_size=(84, 84)), np.full((1, 210, 160, 3), 200, np.uint8))
    assert x.shape == (1, 3, 84, 84)
    columns = (x[0, 0] > 0).any(0)  # 84 x 64 in the middle
    assert columns.tolist() == [False] * 10 + [True] * 64 + [False] * 10


def test_native_takes_the_size_only() -> None:
    spec = replace(SPEC, resize="native")
    frames = FRAME[None, :60, :50]
    np.testing.assert_allclose(as_image(prepared(spec, frames)), frames[0], atol=1e-4)
    with pytest.raises(ValueError, match=r"must be 60x50 .* Received 210x160; pass input_size=\(210, 160\)"):
        prepared(spec, FRAME[None])


def test_normalization_by_hand() -> None:
    spec = replace(SPEC, resize="native", input_size=(1, 2), mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    frames = np.array([[[[0, 255, 51], [255, 0, 102]]]], np.uint8)
    expected = torch.tensor([[[[-1.0, 1.0]], [[3.0, -1.0]], [[0.1, 0.2]]]])
    torch.testing.assert_close(prepared(spec, frames), expected)
    torch.testing.assert_close(prepared(spec, frames.astype(np.float32) / 255), expected)


FORMS = {
    "numpy last": lambda f: f,
    "numpy first": lambda f: np.ascontiguousarray(f.transpose(0, 3, 1, 2)),
    "numpy flipped twice": lambda f: np.ascontiguousarray(f[:, ::-1])[:, ::-1],
    "numpy read-only": lambda f: _read_only(f),
    "tensor last": lambda f: torch.from_numpy(f.copy()),
    "tensor first": lambda f: torch.from_numpy(f.copy()).permute(0, 3, 1, 2),
}


def _read_only(frames: np.ndarray) -> np.ndarray:
    frames = frames.copy()
    frames.flags.writeable = False
    return frames


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_all_forms_give_the_same(form: str, channels_last: bool) -> None:
    frames = np.stack([FRAME, FRAME[::-1]])
    x = prepared(SPEC, FORMS[form](frames), channels_last=channels_last)
    assert torch.equal(x, prepared(SPEC, frames))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert x.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_bytes_to_one_level(dtype: Any) -> None:
    x = prepared(SPEC, (FRAME[None] / 255).astype(dtype))
    assert x.dtype == torch.float32
    assert (x - prepared(SPEC, FRAME[None])).abs().max() <= 1.5 * LEVEL
    assert x.min() >= 0
    assert x.max() <= 1


def test_bytes_stay_bytes_until_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are moved to the device, and resized on a CPU, as uint8."""
    preprocess = Preprocess(SPEC)
    seen = []
    resize = torch.nn.functional.interpolate
    monkeypatch.setattr(
        "rlpriors.encoders.preprocess.F.interpolate",
        lambda x, *a, **k: seen.append(x.dtype) or resize(x, *a, **k),
    )
    checked = preprocess.check(FRAME[None])
    assert checked.dtype == torch.uint8
    assert checked.data_ptr() == FRAME.ctypes.data  # nothing was copied
    preprocess(FRAME[None])
    assert seen == [torch.uint8]


def test_gray_stands_for_all_colors() -> None:
    gray = FRAME[None, :, :, :1]
    expected = prepared(SPEC, np.repeat(gray, 3, -1))
    assert torch.equal(prepared(SPEC, gray), expected)
    assert torch.equal(prepared(SPEC, np.ascontiguousarray(gray.transpose(0, 3, 1, 2))), expected)


def test_colors_become_the_brightness_that_a_gray_network_sees() -> None:
    """Pillow's "L" is Rec. 601 too, in integers: it may be one level off."""
    spec = replace(SPEC, channels=1, mean=(0.0,), std=(1.0,), resize="native", input_size=(210, 160))
    seen = prepared(spec, FRAME[None])
    assert seen.shape == (1, 1, 210, 160)
    expected = np.asarray(Image.fromarray(FRAME).convert("L"), np.float32)
    assert np.abs(as_image(seen)[..., 0] - expected).max() <= 1 + 1e-3
    first = np.ascontiguousarray(FRAME[None].transpose(0, 3, 1, 2))
    assert torch.equal(prepared(spec, first), seen)
    floats = prepared(spec, FRAME[None].astype(np.float32) / 255)
    torch.testing.assert_close(floats, seen, atol=0.51 * LEVEL, rtol=0)  # not rounded to levels


def test_every_color_has_the_bytes_of_the_plain_sum() -> None:
    """All 256^3 colors: the product with the channels last rounds as the sum over channels does."""
    spec = replace(SPEC, channels=1, mean=(0.0,), std=(1 / 255,), resize="native", input_size=(256, 256))
    levels = torch.arange(256, dtype=torch.uint8)
    red, green, blue = (weight * levels.float() for weight in LUMA_WEIGHTS)
    frames = torch.empty(1, 256, 256, 3, dtype=torch.uint8)
    frames[..., 1], frames[..., 2] = levels[:, None], levels
    for level in range(256):
        frames[..., 0] = level
        expected = (red[level] + green[:, None] + blue).round()
        assert torch.equal(prepared(spec, frames)[0, 0], expected)
        assert torch.equal(prepared(spec, frames.movedim(-1, 1).contiguous())[0, 0], expected)
    spec = replace(spec, input_size=(1, 256))  # other shapes take other paths of the library
    assert torch.equal(prepared(spec, frames[:, 87:88], channels="last")[0, 0], expected[87:88])


def test_atari_in_color_is_atari_in_gray() -> None:
    gym = pytest.importorskip("gymnasium")
    gym.register_envs(pytest.importorskip("ale_py", reason="needs the `atari` extra"))
    spec = replace(SPEC, channels=1, mean=(0.0,), std=(1.0,))
    color, gray = (gym.make("ALE/Seaquest-v5", obs_type=kind) for kind in ("rgb", "grayscale"))
    seen = [env.reset(seed=0)[0] for env in (color, gray)]
    assert torch.equal(prepared(spec, seen[0][None]), prepared(spec, seen[1][None, ..., None]))


def test_channel_order_can_be_said() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r'could have their 3 channels first or last.*channels="first"'):
        prepared(SPEC, frames)
    first, last = prepared(SPEC, frames, channels="first"), prepared(SPEC, frames, channels="last")
    assert torch.equal(last, prepared(SPEC, frames.transpose(0, 3, 1, 2), channels="first"))
    assert not torch.equal(first, last)
    with pytest.raises(ValueError, match=r"must have 3 or 1 channels.*Received 210 in the first place"):
        prepared(SPEC, FRAME[None], channels="first")
    # Type checks are on in these tests and come first.
    with pytest.raises((ValueError, TypeCheckError), match="channels"):
        Preprocess(SPEC, channels="middle")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        (FRAME, ValueError, r"one image alone needs a batch axis \(frames\[None\]\)"),
        (FRAME[None, None], ValueError, "must be"),
        (
            FRAME[None, :, :, :2],
            ValueError,
            r"must have 3 or 1 channels.*Received 2 in the last place and 210",
        ),
        (np.concatenate([FRAME[None]] * 4, -1), ValueError, "encode the frames of a stack one by one"),
        (FRAME[None].astype(np.int64), TypeError, "Received int64"),
        (FRAME[None].astype(np.uint16), TypeError, "Received uint16"),
        (FRAME[None] > 5, TypeError, "Received bool"),
        (torch.zeros(1, 8, 8, 3, dtype=torch.int32), TypeError, r"Received torch\.int32"),
        (FRAME[None].astype(np.float32), ValueError, r"must be in \[0, 1\].*to 255; give uint8"),
        (np.full((1, 8, 8, 3), np.nan, np.float32), ValueError, "Received values from nan to nan"),
        (-(FRAME[None] / 255), ValueError, "from -1 to -0"),
        (np.zeros((1, 0, 8, 3), np.uint8), ValueError, "must have pixels"),
    ],
)
def test_refusals(frames: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        prepared(SPEC, frames)


def test_not_an_array() -> None:
    with pytest.raises(TypeError):
        Preprocess(SPEC).check([[0]])  # type: ignore[arg-type]


def test_clips() -> None:
    spec = replace(SPEC, frames=2)
    clips = np.stack([FRAME, FRAME[::-1]])[None]
    x = prepared(spec, clips)
    assert x.shape == (1, 2, 3, 60, 50)
    torch.testing.assert_close(x[0], prepared(SPEC, clips[0]))
    still = prepared(spec, FRAME[None])
    assert torch.equal(still[:, 0], still[:, 1])
    first = np.ascontiguousarray(clips.transpose(0, 1, 4, 2, 3))
    assert torch.equal(prepared(spec, first), x)
    with pytest.raises(ValueError, match="clips of 2 frames"):
        prepared(spec, np.concatenate([clips, clips], 1))


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu(cuda_device: str) -> None:
    for name in ("bilinear", "bicubic", "nearest"):
        spec = replace(SPEC, interpolation=name)
        difference = Preprocess(spec).to(cuda_device)(FRAME[None]).cpu() - prepared(spec, FRAME[None])
        assert difference.abs().max() <= LEVEL + 1e-5


@pytest.mark.parametrize("name", ["r3m-18", "r3m-34", "r3m-50", "vip-50"])
def test_robot_encoders_leave_frames_of_their_size_unchanged(name: str) -> None:
    """The published forward pass resizes to 256 and crops 224 for frames of other sizes only."""
    spec = encoder_spec(name)
    frames = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    mean, std = torch.tensor(spec.mean)[:, None, None], torch.tensor(spec.std)[:, None, None]
    normalized = (torch.from_numpy(frames).permute(0, 3, 1, 2) / 255 - mean) / std
    torch.testing.assert_close(prepared(spec, frames), normalized, atol=1e-5, rtol=0)
    cropped = prepared(replace(spec, resize="shortest_crop"), frames)
    assert torch.nn.functional.cosine_similarity(cropped.flatten(), normalized.flatten(), dim=0) < 0.9
    other = FRAME[None]
    assert torch.equal(prepared(spec, other), prepared(replace(spec, resize="shortest_crop"), other))


def test_vc1_crops_frames_of_every_size() -> None:
    frames = np.zeros((1, 224, 224, 3), np.uint8)
    frames[:, :10] = 255  # cut off by Resize(256), CenterCrop(224): 16 of 256 rows at the top
    assert prepared(encoder_spec("vc1-b"), frames).amax((1, 2, 3)) < prepared(
        encoder_spec("r3m-18"), frames
    ).amax((1, 2, 3))


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("order", ["first", "last"])
def test_one_column_is_resized_as_any_other(order: str, floats: bool) -> None:
    """PyTorch's own antialiasing is wrong by 100 levels here, for uint8 and for channels-last memory."""
    frames = FRAME[None, :, :2]
    planes = torch.from_numpy(frames).movedim(-1, 1).double().contiguous()
    exact = F.interpolate(planes, (60, 1), mode="bilinear", antialias=True)
    given = frames.astype(np.float32) / 255 if floats else frames
    given = np.ascontiguousarray(given.transpose(0, 3, 1, 2)) if order == "first" else given
    x = prepared(replace(SPEC, input_size=(60, 1), interpolation="bilinear"), given, channels=order)
    torch.testing.assert_close(x.double(), exact / 255, rtol=0, atol=1.6 * LEVEL)
