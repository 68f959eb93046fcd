"""An encoder inside a Tianshou policy, where it can learn with it.

`EncoderNetwork`  the `preprocess_net` of Tianshou's actors and critics, from an `ImageEncoder`
`LoRALinear`      a linear layer with a low-rank correction that starts at nothing

An encoder that stays as it is belongs in front of the environment (`wrappers.EncodeObservation`),
where each frame is encoded once; here every frame is encoded in every update that sees it.
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
from rlpriors.encoders.readouts.frame_fusion import fuse, fuse_shape

__all__ = ["EncoderMode", "EncoderNetwork", "LoRALinear"]

EncoderMode = Literal["frozen", "last-n", "lora", "full"]


class EncoderNetwork(ModuleWithVectorOutput):
    """Images to one vector each, by an encoder that learns as much as `mode` lets it.

    `frozen`  nothing learns, except a readout's own weights ("attention-pool", "compress")
    `last-n`  the last `blocks` blocks of a transformer or stages of a convolutional network, and
              whatever comes behind them
    `lora`    corrections of rank `rank` to the linear layers of the attention, or with
              `targets="linear"` to all linear layers of the blocks (2106.09685, sec. 4.1)
    `full`    everything

    In every mode the output is that of the given encoder at first, and the encoder stays in
    evaluation mode: batch statistics do not move, nothing is dropped, and the probabilities that PPO
    compares are those of one network.  What learns is a copy, so that the given encoder still is
    what a wrapper or a data set needs.

    Observations are [batch, height, width, channels] or [batch, channels, height, width]; gray ones
    may lack the channels.  With `stack` above 1 they have an axis of frames after the batch, oldest
    first, which are fused as `EncodeObservation` does it.  `key` names the image in dictionary
    observations.

    Raises:
        ValueError: an unknown mode, more blocks than there are, no layers for LoRA, or a readout
            that needs the frame before.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> from tianshou.utils.net.discrete import DiscreteActor
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> network = EncoderNetwork(encoder, "last-n", blocks=1)
        >>> network
        EncoderNetwork(nature-cnn, cls, last-n: 1643072 of 1682080 weights learn)
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
        blocks: int = 1,
        rank: int = 8,
        alpha: float = 16.0,
        targets: Literal["attention", "linear"] = "attention",
        stack: int = 1,
        fuse: str = "concat",
        key: str | None = None,
        seed: int = 0,
    ) -> None:
        if mode not in get_args(EncoderMode):
            raise ValueError(f"`mode` must be one of {list(get_args(EncoderMode))}. Received {mode!r}.")
        if targets not in ("attention", "linear"):
            raise ValueError(f'`targets` must be "attention" or "linear". Received {targets!r}.')
        if encoder.readout.needs_previous:
            raise ValueError(
                f"`encoder` reads by {encoder.readout.name!r}, which looks at the frame before, and a policy "
                "does not have it. Use EncodeObservation, or another readout."
            )
        super().__init__(prod(fuse_shape(encoder.output_shape, stack, fuse)))
        self.mode, self.stack, self.fuse, self.key = mode, stack, fuse, key
        readout_learns = any(True for _ in encoder.readout.parameters())
        # Its flag `frozen` stays set: that is what keeps it in evaluation mode.
        self.encoder = copy.deepcopy(encoder) if readout_learns or mode != "frozen" else encoder
        backbone = self.encoder.backbone
        if mode == "last-n":
            _unfreeze_from(backbone, find_blocks(backbone), blocks, encoder.spec.name)
        elif mode == "lora":
            _adapt(backbone, targets, rank, alpha, seed, encoder.spec.name)
        elif mode == "full":
            backbone.requires_grad_(True)
        self.encoder.readout.requires_grad_(readout_learns)

    def forward(
        self, obs: Any, state: Any = None, info: Any = None
    ) -> tuple[Float[Tensor, "batch output_dim"], Any]:
        """One vector for each observation, and `state` as it came; `info` is not looked at."""
        frames = self._frames(obs)
        vectors = self._encode(frames.flatten(0, 1) if self.stack > 1 else frames)
        if self.stack > 1:
            vectors = fuse(vectors.unflatten(0, (-1, self.stack)), self.fuse)
        return vectors.flatten(1), state

    def merge(self) -> ImageEncoder:
        """A frozen copy of the encoder as it is now, corrections folded in: to save, or to put in front."""
        encoder = copy.deepcopy(self.encoder)
        for name, module in list(encoder.backbone.named_modules()):
            if isinstance(module, LoRALinear):
                _replace(encoder.backbone, name, module.merge())
        return encoder.freeze()

    def extra_repr(self) -> str:
        """Which encoder, and how much of it learns."""
        weights = list(self.encoder.parameters())
        learn = sum(weight.numel() for weight in weights if weight.requires_grad)
        return (
            f"{self.encoder.spec.name}, {self.encoder.readout.name}, {self.mode}: {learn} of "
            f"{sum(weight.numel() for weight in weights)} weights learn"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def _frames(self, obs: Any) -> Tensor:
        if self.key is not None:
            for part in self.key.split("/"):
                obs = obs[part]
        if not isinstance(obs, np.ndarray | Tensor):
            raise TypeError(
                f"`obs` must be an array of images. Received {type(obs).__name__}; name the image in "
                "dictionary observations by `key`."
            )
        frames = torch.as_tensor(obs, device=self.encoder.device)
        axes = 3 + (self.stack > 1)
        if self.stack > 1 and (frames.ndim < axes or frames.shape[1] != self.stack):
            raise ValueError(
                f"`obs` must hold {self.stack} frames each (`stack`): [batch, {self.stack}, height, width, "
                f"channels]. Received shape {list(frames.shape)}."
            )
        return frames[..., None] if frames.ndim == axes else frames

    def _encode(self, frames: Tensor) -> Tensor:
        if not any(weight.requires_grad for weight in self.encoder.parameters()):
            return self.encoder.encode(frames)
        encoder = self.encoder
        views = encoder.readout.views(encoder.preprocess.check(frames))
        vectors = [encoder.read(encoder(encoder.preprocess.prepare(part))) for part in views.parts]
        return encoder.readout.join(torch.cat(vectors), views.order)


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
        """The corrected matrix, for networks that multiply by it themselves."""
        return self.base.weight + self.scale * self.b @ self.a

    @property
    def bias(self) -> Tensor | None:
        """The frozen bias."""
        return self.base.bias

    def forward(self, x: Float[Tensor, "*batch inner"]) -> Float[Tensor, "*batch outer"]:
        """The layer's output; the corrected matrix is never formed, so that gradients stay of low rank."""
        low = functional.linear(functional.linear(x, self.a), self.b)
        return functional.linear(x, self.base.weight, self.base.bias) + self.scale * low

    def merge(self) -> nn.Linear:
        """One linear layer that does the same."""
        merged = copy.deepcopy(self.base)
        with torch.no_grad():
            merged.weight.copy_(self.weight)
        return merged


def _unfreeze_from(network: nn.Module, blocks: list[nn.Module], last: int, name: str) -> None:
    if not 1 <= last <= len(blocks):
        raise ValueError(
            f"`blocks` must be in 1..{len(blocks)}, the blocks of {name!r}. Received {last}."
            if blocks
            else f'`mode` "last-n" needs a network of blocks, which {name!r} is not. Use "full".'
        )
    first = next(blocks[-last].parameters())
    learns = False
    for weight in network.parameters():  # in the order in which the network was put together
        learns = learns or weight is first
        weight.requires_grad_(learns)


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
            f'`mode` "lora" needs linear layers{" of attention" * (targets == "attention")} in the blocks of '
            f'{name!r}, which has none. Use "last-n".'
        )
    generator = torch.Generator().manual_seed(seed)
    for path, module in linear.items():
        _replace(network, path, LoRALinear(module, rank=rank, alpha=alpha, generator=generator))


def _replace(network: nn.Module, path: str, new: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(network.get_submodule(parent), leaf, new)
