"""Attention and saliency maps of an encoder, at the resolution of the frames.

`attention_map`      heat maps from attention, energy or saliency
`record_attention`   context manager that records the attention weights of every layer
`AttentionMethod`    names of the methods
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
N_PROJECTIONS = 8  # backward passes of a saliency map
SOFTMAX_FUNCTIONS = (functional.softmax, torch.softmax, Tensor.softmax)


def attention_map(
    encoder: ImageEncoder,
    frames: Shaped[np.ndarray, "batch _ _ _"] | Shaped[Tensor, "batch _ _ _"],
    method: AttentionMethod = "auto",
) -> Float[Tensor, "batch height width"]:
    """Return the importance of each pixel to the encoder, scaled from 0 to 1 in every frame.

    `attention`   attention of the class token to each patch in the last layer, averaged over heads;
                  of the pooling query if the network ends in one; the mean over patches if it has
                  neither
    `rollout`     the same through all layers and their residual connections (2005.00928, sec. 3)
    `energy`      norm of the feature vector at each position; any network, no gradient
    `saliency`    norm of the Jacobian's column of each pixel, estimated by eight random projections
                  (after 1312.6034, sec. 3); any network
    `auto`        `attention` if the network has any, otherwise `energy`

    Pixels that the preprocessing crops are 0, since they do not reach the network.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> frames = np.random.default_rng(0).integers(256, size=(2, 84, 84, 3), dtype=np.uint8)
        >>> attention_map(encoder, frames, "energy").shape
        torch.Size([2, 84, 84])

    Raises:
        ValueError: the method is unknown, or this network does not support it.
    """
    if method not in get_args(AttentionMethod):
        raise ValueError(f"`method` must be one of {list(get_args(AttentionMethod))}. Received {method!r}.")
    checked = encoder.preprocess.check(frames)  # channels last
    x = encoder.preprocess(frames)
    if x.ndim != 4:
        raise ValueError(
            f"`encoder` must take single frames. Received {encoder.spec.name!r}, which takes clips of "
            f"{encoder.spec.frames} frames; pass another encoder."
        )
    if method == "saliency":
        heat = _saliency(encoder, x)
    elif method == "energy":
        with torch.no_grad():
            heat = _energy(encoder, encoder.backbone(x))
    else:
        with torch.no_grad(), record_attention() as weights:
            features = encoder.backbone(x)
        layers = _patch_attention(features, weights)
        if layers and features.maps is not None:
            rows, columns = features.maps.shape[-2:]
            flat = (_rollout if method == "rollout" else _last_layer)(layers, rows * columns)
            heat = flat.unflatten(1, (rows, columns))
        elif method == "auto":
            heat = _energy(encoder, features)
        else:
            raise ValueError(
                f"`method` {method!r} needs attention between all patches, which {encoder.spec.name!r} does "
                'not have. Use "energy" or "saliency".'
            )
    heat = functional.interpolate(heat[:, None].float(), x.shape[-2:], mode="bilinear", antialias=True)[:, 0]
    heat = _project_to_frames(heat, encoder, checked)
    low, high = heat.amin((1, 2), keepdim=True), heat.amax((1, 2), keepdim=True)
    return (heat - low) / (high - low).clamp_min(torch.finfo(heat.dtype).tiny)


@contextmanager
def record_attention() -> Iterator[list[Float[Tensor, "batch heads queries keys"]]]:
    """Record the attention weights of every layer that runs in the body, in order.

    Fused attention, which never materializes its weights, is replaced by explicit attention in the
    body.  This works for any network written in torch and needs no names of its modules.

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
    """Torch function mode that intercepts every call of torch from Python."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.weights = weights

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is functional.scaled_dot_product_attention:
            output, weights = _explicit_attention(*args, **(kwargs or {}))
            self.weights.append(weights)
            return output
        result = func(*args, **(kwargs or {}))
        if func in SOFTMAX_FUNCTIONS and result.ndim == 4 and result.shape[-2] in (1, result.shape[-1]):
            self.weights.append(result.detach())
        return result


def _explicit_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return `scaled_dot_product_attention` as torch documents it, without dropout, and its weights."""
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


def _patch_attention(features: Features, weights: list[Tensor]) -> list[Tensor]:
    """Select the weights among all tokens, class tokens first, without those of windowed attention."""
    if features.tokens is None:
        return []
    batch, n_patches = features.tokens.shape[:2]
    candidates = [w for w in weights if len(w) == batch and w.shape[-1] >= n_patches]
    return [w.float().mean(1) for w in candidates if w.shape[-1] == candidates[-1].shape[-1]]


def _last_layer(layers: list[Tensor], n_patches: int) -> Float[Tensor, "batch patches"]:
    weights = layers[-1]
    # One query: a pooling query.  More keys than patches: the first token is the class token.
    first_query = weights.shape[1] == 1 or weights.shape[2] > n_patches
    attention = weights[:, 0] if first_query else weights.mean(1)
    return attention[:, -n_patches:]


def _rollout(layers: list[Tensor], n_patches: int) -> Float[Tensor, "batch patches"]:
    size = layers[0].shape[-1]
    identity = torch.eye(size, device=layers[0].device)
    flow = identity.expand(len(layers[0]), size, size)
    for weights in layers:
        is_pooling = weights.shape[1] == 1  # a pooling query has no residual connection
        flow = (weights if is_pooling else 0.5 * weights + 0.5 * identity) @ flow
    return _last_layer([flow], n_patches)


def _energy(encoder: ImageEncoder, features: Features) -> Float[Tensor, "batch rows columns"]:
    if features.maps is None:
        raise ValueError(
            f'`method` "energy" needs maps, which {encoder.spec.name!r} does not have. Use "saliency".'
        )
    energy: Tensor = torch.linalg.vector_norm(features.maps.float(), dim=1)
    return energy


def _saliency(encoder: ImageEncoder, x: Tensor) -> Float[Tensor, "batch rows columns"]:
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        vector = encoder.backbone(x).global_.float()
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros_like(x)
    for i in range(N_PROJECTIONS):
        signs = torch.randint(0, 2, vector.shape, generator=generator).to(vector) * 2 - 1
        retain_graph = i + 1 < N_PROJECTIONS
        total += torch.autograd.grad(vector, x, signs, retain_graph=retain_graph)[0].square()
    saliency: Tensor = total.sum(1).sqrt()
    return saliency


def _project_to_frames(
    heat: Float[Tensor, "batch rows columns"], encoder: ImageEncoder, frames: Tensor
) -> Float[Tensor, "batch height width"]:
    """Project heat maps from the network's input back to the pixels of the frames.

    The preprocessing is linear, so its transpose gives the contribution of each pixel to each input
    value.  This inverts any resize, padding or crop.
    """
    spec, (count, height, width) = encoder.spec, frames.shape[:3]
    smooth = replace(spec, interpolation="bilinear", antialias=True)  # bicubic weights may be below 0
    prepare = Preprocess(smooth).to(heat.device).prepare
    with torch.enable_grad():
        pixels = torch.full(
            (count, height, width, spec.channels), 0.5, device=heat.device, requires_grad=True
        )
        x = prepare(pixels)[:, 0]
    weighted, total = (
        torch.autograd.grad(x, pixels, weight, retain_graph=True)[0][..., 0]
        for weight in (heat, torch.ones_like(heat))
    )
    return weighted / total.clamp_min(torch.finfo(heat.dtype).tiny)
