"""Image encoder inside a Tianshou policy, frozen or trained with it.

`EncoderNetwork`  `preprocess_net` of Tianshou's actors and critics with an `ImageEncoder`
`LoRALinear`      linear layer with a low-rank correction, zero at first
`EncoderMode`     trained parts of the encoder

A frozen encoder belongs in front of the environment (`wrappers.EncodeObservation`), where each frame is
encoded once.  Inside a policy every frame is encoded in every update that reads it.
"""

import copy
import math
import re
from math import prod
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from tianshou.utils.net.common import ModuleWithVectorOutput
from torch import Tensor, nn
from torch.nn import functional

from rlpriors.encoders.backbones.blocks import find_blocks
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.readouts.frame_fusion import fuse_frames, fused_shape

__all__ = ["EncoderMode", "EncoderNetwork", "LoRALinear"]

EncoderMode = Literal["frozen", "last-n", "lora", "full"]


class EncoderNetwork(ModuleWithVectorOutput):
    """Network from images to one vector each, with an encoder whose trained parts depend on `mode`.

    `frozen`  nothing, except the weights of a readout ("attention-pool", "compress")
    `last-n`  the last `n_blocks` blocks of a transformer or stages of a convolutional network, and all
              later layers
    `lora`    corrections of rank `rank` to the linear layers of the attention, or with
              `targets="linear"` to all linear layers of the blocks (2106.09685, sec. 4.1)
    `full`    all weights

    In every mode the initial output is that of the given encoder, and the encoder stays in evaluation
    mode: batch statistics do not change, there is no dropout, and PPO compares probabilities of one
    network.  The trained encoder is a copy, so the given encoder remains valid for a wrapper or a data
    set.

    Observations are [batch, height, width, channels] or [batch, channels, height, width]; the channel
    axis of gray images is optional.  With `stack` above 1 they have an axis of frames after the batch,
    oldest first, and the frames are fused as in `EncodeObservation`.  `obs_key` is the image's leaf in
    dictionary observations.

    Raises:
        ValueError: an unknown mode, more blocks than the network has, no layers for LoRA, or a readout
            that needs the previous frame.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> from tianshou.utils.net.discrete import DiscreteActor
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> network = EncoderNetwork(encoder, "last-n", n_blocks=1)
        >>> network
        EncoderNetwork(nature-cnn, cls, last-n: 1643072 of 1682080 weights are trained)
        >>> q = DiscreteActor(preprocess_net=network, action_shape=4, softmax_output=False)
        >>> values, state = q(np.zeros((2, 84, 84, 3), np.uint8))
        >>> values.shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        mode: EncoderMode = "frozen",
        *,
        n_blocks: int = 1,
        rank: int = 8,
        alpha: float = 16.0,
        targets: Literal["attention", "linear"] = "attention",
        stack: int = 1,
        fuse: str = "concat",
        obs_key: str | None = None,
        seed: int = 0,
    ) -> None:
        if mode not in get_args(EncoderMode):
            raise ValueError(f"`mode` must be one of {list(get_args(EncoderMode))}. Received {mode!r}.")
        if targets not in ("attention", "linear"):
            raise ValueError(f'`targets` must be "attention" or "linear". Received {targets!r}.')
        if encoder.readout.needs_previous:
            raise ValueError(
                f"`encoder` must have a readout of single frames. Received {encoder.readout.name!r}, which "
                "needs the previous frame; use EncodeObservation, or another readout."
            )
        super().__init__(prod(fused_shape(encoder.output_shape, stack, fuse)))
        self.mode, self.stack, self.fuse, self.obs_key = mode, stack, fuse, obs_key
        is_readout_trained = any(True for _ in encoder.readout.parameters())
        # The copy's flag `frozen` stays set, which keeps it in evaluation mode.
        self.encoder = copy.deepcopy(encoder) if is_readout_trained or mode != "frozen" else encoder
        backbone = self.encoder.backbone
        if mode == "last-n":
            _unfreeze_from(backbone, find_blocks(backbone), n_blocks, encoder.spec.name)
        elif mode == "lora":
            _adapt(backbone, targets, rank, alpha, seed, encoder.spec.name)
        elif mode == "full":
            backbone.requires_grad_(True)
        self.encoder.readout.requires_grad_(is_readout_trained)

    def forward(
        self, obs: Any, state: Any = None, info: Any = None
    ) -> tuple[Float[Tensor, "batch output_dim"], Any]:
        """Encode each observation to one vector; return `state` unchanged and ignore `info`."""
        frames = self._frames(obs)
        vectors = self._encode(frames.flatten(0, 1) if self.stack > 1 else frames)
        if self.stack > 1:
            vectors = fuse_frames(vectors.unflatten(0, (-1, self.stack)), self.fuse)
        return vectors.flatten(1), state

    def merge(self) -> ImageEncoder:
        """Return a frozen copy of the current encoder with merged corrections, to save or to wrap with."""
        encoder = copy.deepcopy(self.encoder)
        for name, module in list(encoder.backbone.named_modules()):
            if isinstance(module, LoRALinear):
                _replace(encoder.backbone, name, module.merge())
        return encoder.freeze()

    def extra_repr(self) -> str:
        """Return the encoder's name, the mode and the number of trained weights."""
        weights = list(self.encoder.parameters())
        n_trained = sum(weight.numel() for weight in weights if weight.requires_grad)
        return (
            f"{self.encoder.spec.name}, {self.encoder.readout.name}, {self.mode}: {n_trained} of "
            f"{sum(weight.numel() for weight in weights)} weights are trained"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def _frames(self, obs: Any) -> Tensor:
        if self.obs_key is not None:
            for part in self.obs_key.split("/"):
                obs = obs[part]
        if not isinstance(obs, np.ndarray | Tensor):
            raise TypeError(
                f"`obs` must be an array of images. Received {type(obs).__name__}; set `obs_key` "
                "to the image's leaf of dictionary observations."
            )
        frames = torch.as_tensor(obs, device=self.encoder.device)
        axes = 3 + (self.stack > 1)
        if self.stack > 1 and (frames.ndim < axes or frames.shape[1] != self.stack):
            raise ValueError(
                f"`obs` must have {self.stack} frames each (`stack`): [batch, {self.stack}, height, width, "
                f"channels]. Received shape {list(frames.shape)}."
            )
        return frames[..., None] if frames.ndim == axes else frames

    def _encode(self, frames: Tensor) -> Tensor:
        if not any(weight.requires_grad for weight in self.encoder.parameters()):
            return self.encoder.encode(frames)
        encoder = self.encoder
        views = encoder.readout.make_views(encoder.preprocess.check(frames))
        vectors = [encoder.apply_readout(encoder(encoder.preprocess.prepare(part))) for part in views.batches]
        return encoder.readout.combine_views(torch.cat(vectors), views.indices)


class LoRALinear(nn.Module):
    """W x + b + (alpha / rank) B A x with W and b frozen and B zero at first (2106.09685, eq. 3).

    Example:
        >>> linear = nn.Linear(4, 3)
        >>> layer = LoRALinear(linear, rank=2, alpha=4.0, generator=torch.Generator().manual_seed(0))
        >>> x = torch.randn(5, 4)
        >>> torch.equal(layer(x), linear(x))
        True
        >>> [name for name, weight in layer.named_parameters() if weight.requires_grad]
        ['a', 'b']
    """

    def __init__(self, base: nn.Linear, *, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        a = torch.empty(rank, base.in_features)
        nn.init.kaiming_uniform_(a, a=math.sqrt(5), generator=generator)
        self.a = nn.Parameter(a.to(base.weight))
        self.b = nn.Parameter(base.weight.new_zeros(base.out_features, rank))

    @property
    def weight(self) -> Tensor:
        """Corrected matrix, for networks that multiply by it themselves."""
        return self.base.weight + self.scale * self.b @ self.a

    @property
    def bias(self) -> Tensor | None:
        """Frozen bias."""
        return self.base.bias

    def forward(self, x: Float[Tensor, "*batch inner"]) -> Float[Tensor, "*batch outer"]:
        """Compute the output without the corrected matrix, so that gradients stay of low rank."""
        low = functional.linear(functional.linear(x, self.a), self.b)
        return functional.linear(x, self.base.weight, self.base.bias) + self.scale * low

    def merge(self) -> nn.Linear:
        """Return an equivalent linear layer."""
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight.copy_(self.weight)
        return merged


def _unfreeze_from(network: nn.Module, blocks: list[nn.Module], n_last: int, name: str) -> None:
    if not 1 <= n_last <= len(blocks):
        raise ValueError(
            f"`n_blocks` must be in 1..{len(blocks)}, the number of blocks of {name!r}. Received {n_last}."
            if blocks
            else f'`mode` "last-n" needs a network with blocks. Received {name!r} without; use "full".'
        )
    first = next(blocks[-n_last].parameters())
    is_trained = False
    for weight in network.parameters():  # in the order of the network's construction
        is_trained = is_trained or weight is first
        weight.requires_grad_(is_trained)


def _adapt(network: nn.Module, targets: str, rank: int, alpha: float, seed: int, name: str) -> None:
    if rank < 1:
        raise ValueError(f"`rank` must be at least 1. Received {rank}.")
    inside = {module for block in find_blocks(network) for module in block.modules()}
    linear = {
        path: module
        for path, module in network.named_modules()
        if isinstance(module, nn.Linear) and module in inside
        if targets == "linear" or re.search("attn|attention", path, re.IGNORECASE)
    }
    if not linear:
        raise ValueError(
            f'`mode` "lora" needs linear layers{" of attention" * (targets == "attention")} in the blocks. '
            f'Received {name!r} without; use "last-n".'
        )
    generator = torch.Generator().manual_seed(seed)
    for path, module in linear.items():
        _replace(network, path, LoRALinear(module, rank=rank, alpha=alpha, generator=generator))


def _replace(network: nn.Module, path: str, new: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(network.get_submodule(parent), leaf, new)
