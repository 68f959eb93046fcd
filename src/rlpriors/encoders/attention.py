"""What an encoder looks at: a heat map for each frame, on the frame's own pixels.

`attention_map`    attention of a transformer, or energy or saliency of any network, as pictures
`record_attention` the attention weights of every layer during a forward pass
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.preprocess import Preprocess
from rlpriors.types import Features

__all__ = ["AttentionMethod", "attention_map", "record_attention"]

AttentionMethod = Literal["auto", "attention", "rollout", "energy", "saliency"]
PROBES = 8  # backward passes of a saliency picture
SOFTMAX = (functional.softmax, torch.softmax, Tensor.softmax)


def attention_map(
    encoder: ImageEncoder,
    frames: Shaped[np.ndarray, "batch _ _ _"] | Shaped[Tensor, "batch _ _ _"],
    method: AttentionMethod = "auto",
) -> Float[Tensor, "batch height width"]:
    """How much each pixel of each frame matters to the encoder, from 0 to 1 in every frame.

    `attention`   how much the class token attends to each patch in the last layer, over all heads;
                  a pooling query where the network ends in one, the mean over patches where it has
                  neither
    `rollout`     the same through all layers and the residual paths between them (2005.00928, sec. 3)
    `energy`      the length of the feature vector at each place; any network, no gradient
    `saliency`    how far the image's vector moves with each pixel: the length of that column of the
                  Jacobian, estimated by eight random projections (after 1312.6034, sec. 3); any network
    `auto`        attention where there is any, else energy

    What the preprocessing cuts off is 0: the encoder does not see it.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> frames = np.random.default_rng(0).integers(256, size=(2, 84, 84, 3), dtype=np.uint8)
        >>> attention_map(encoder, frames, "energy").shape
        torch.Size([2, 84, 84])

    Raises:
        ValueError: an unknown method, or one that this network cannot give.
    """
    if method not in get_args(AttentionMethod):
        raise ValueError(f"`method` must be one of {list(get_args(AttentionMethod))}. Received {method!r}.")
    checked = encoder.preprocess.check(frames)  # channels last, wherever they were
    x = encoder.preprocess(frames)
    if x.ndim != 4:
        raise ValueError(
            f"Pictures need an encoder of single frames; {encoder.spec.name!r} sees clips of "
            f"{encoder.spec.frames}. Give another encoder."
        )
    if method == "saliency":
        heat = _saliency(encoder, x)
    elif method == "energy":
        with torch.no_grad():
            heat = _energy(encoder, encoder.backbone(x))
    else:
        with torch.no_grad(), record_attention() as weights:
            features = encoder.backbone(x)
        seen = _patches(features, weights)
        if seen and features.maps is not None:
            rows, columns = features.maps.shape[-2:]
            flat = (_rollout if method == "rollout" else _last)(seen, rows * columns)
            heat = flat.unflatten(1, (rows, columns))
        elif method == "auto":
            heat = _energy(encoder, features)
        else:
            raise ValueError(
                f"`method` {method!r} needs a network that attends from every patch to every other, which "
                f'{encoder.spec.name!r} does not. Use "energy" or "saliency".'
            )
    heat = functional.interpolate(heat[:, None].float(), x.shape[-2:], mode="bilinear", antialias=True)[:, 0]
    placed = _place(heat, encoder, checked)
    low, high = placed.amin((1, 2), keepdim=True), placed.amax((1, 2), keepdim=True)
    return (placed - low) / (high - low).clamp_min(torch.finfo(placed.dtype).tiny)


@contextmanager
def record_attention() -> Iterator[list[Float[Tensor, "batch heads queries keys"]]]:
    """The attention weights of every layer that runs inside, in order.

    Fused attention, which never forms its weights, is taken apart while this is active, so it works
    for any network that is written in torch, and needs none of its parts by name.

    Example:
        >>> q = torch.zeros(1, 2, 3, 4)
        >>> with record_attention() as weights:
        ...     _ = functional.scaled_dot_product_attention(q, q, q)
        >>> weights[0][0, 0, 0]
        tensor([0.3333, 0.3333, 0.3333])
    """
    weights: list[Tensor] = []
    with _Recorder(weights):
        yield weights


class _Recorder(TorchFunctionMode):
    """Sees every call of torch from Python, whichever library made it."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.weights = weights

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is functional.scaled_dot_product_attention:
            output, weights = _attend(*args, **(kwargs or {}))
            self.weights.append(weights)
            return output
        result = func(*args, **(kwargs or {}))
        if func in SOFTMAX and result.ndim == 4 and result.shape[-2] in (1, result.shape[-1]):
            self.weights.append(result.detach())
        return result


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    """What torch's documentation gives for `scaled_dot_product_attention`, and its weights; no dropout."""
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        masked = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if masked else scores + attn_mask
    weights = scores.softmax(-1)
    return weights.to(value.dtype) @ value, weights.detach()


def _patches(features: Features, weights: list[Tensor]) -> list[Tensor]:
    """The weights among the network's own tokens, class tokens first; windows of them are left out."""
    if features.tokens is None:
        return []
    batch, patches = features.tokens.shape[:2]
    among = [w for w in weights if len(w) == batch and w.shape[-1] >= patches]
    return [w.float().mean(1) for w in among if w.shape[-1] == among[-1].shape[-1]]


def _last(seen: list[Tensor], patches: int) -> Float[Tensor, "batch patches"]:
    weights = seen[-1]
    # One query: the network pools by it.  More keys than patches: the first is the class token.
    asked = weights[:, 0] if weights.shape[1] == 1 or weights.shape[2] > patches else weights.mean(1)
    return asked[:, -patches:]


def _rollout(seen: list[Tensor], patches: int) -> Float[Tensor, "batch patches"]:
    size = seen[0].shape[-1]
    identity = torch.eye(size, device=seen[0].device)
    flow = identity.expand(len(seen[0]), size, size)
    for weights in seen:
        pools = weights.shape[1] == 1  # nothing goes past a pooling query
        flow = (weights if pools else 0.5 * weights + 0.5 * identity) @ flow
    return _last([flow], patches)


def _energy(encoder: ImageEncoder, features: Features) -> Float[Tensor, "batch rows columns"]:
    if features.maps is None:
        raise ValueError(
            f'`method` "energy" needs maps, which {encoder.spec.name!r} does not give. Use "saliency".'
        )
    energy: Tensor = torch.linalg.vector_norm(features.maps.float(), dim=1)
    return energy


def _saliency(encoder: ImageEncoder, x: Tensor) -> Float[Tensor, "batch rows columns"]:
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        vector = encoder.backbone(x).global_.float()
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros_like(x)
    for probe in range(PROBES):
        signs = torch.randint(0, 2, vector.shape, generator=generator).to(vector) * 2 - 1
        keep = probe + 1 < PROBES
        total += torch.autograd.grad(vector, x, signs, retain_graph=keep)[0].square()
    saliency: Tensor = total.sum(1).sqrt()
    return saliency


def _place(
    heat: Float[Tensor, "batch rows columns"], encoder: ImageEncoder, frames: Tensor
) -> Float[Tensor, "batch height width"]:
    """From the network's input to the pixels that each of its points was made from.

    The preprocessing is linear, so its transpose says how much each pixel went into each point:
    whatever is squashed, padded or cut off is undone without knowing how.
    """
    spec, (count, height, width) = encoder.spec, frames.shape[:3]
    smooth = replace(spec, interpolation="bilinear", antialias=True)  # bicubic weights may be below 0
    prepare = Preprocess(smooth).to(heat.device).prepare
    with torch.enable_grad():
        pixels = torch.full(
            (count, height, width, spec.channels), 0.5, device=heat.device, requires_grad=True
        )
        x = prepare(pixels)[:, 0]
    given, seen = (
        torch.autograd.grad(x, pixels, weight, retain_graph=True)[0][..., 0]
        for weight in (heat, torch.ones_like(heat))
    )
    return given / seen.clamp_min(torch.finfo(heat.dtype).tiny)
