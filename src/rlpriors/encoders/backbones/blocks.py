"""Blocks of a network of any family, and layer-wise learning rates.

`find_blocks`          blocks of a transformer, or stages of a convolutional network, in order
`layer_ids`            depth of each parameter
`layer_decay_groups`   parameter groups whose learning rate decays towards the input
"""

import re
from collections import defaultdict
from typing import Any

from torch import nn

__all__ = ["find_blocks", "layer_decay_groups", "layer_ids"]


def find_blocks(network: nn.Module) -> list[nn.Module]:
    """Return the blocks of a network: the numbered siblings with the most weights, outermost if equal.

    The list is empty if no modules are numbered.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("vit-nano", weights="none", device="cpu")
        >>> [type(block).__name__ for block in find_blocks(encoder.backbone)]
        ['TransformerBlock', 'TransformerBlock', 'TransformerBlock', 'TransformerBlock']
    """
    largest: list[nn.Module] = []
    largest_size = 0
    for module in network.modules():
        groups: defaultdict[str, list[nn.Module]] = defaultdict(list)
        for name, child in module.named_children():
            numbered = re.fullmatch(r"(\D*)\d+", name)  # "0", "1" of a list; "layer1", "layer2" of a ResNet
            if numbered and any(True for _ in child.parameters()):
                groups[numbered[1]].append(child)
        for siblings in groups.values():
            size = sum(weight.numel() for child in siblings for weight in child.parameters())
            if len(siblings) > 1 and size > largest_size:
                largest, largest_size = siblings, size
    return largest


def layer_ids(network: nn.Module) -> dict[str, int]:
    """Return the layer id of each parameter by name.

    The id is 0 before the blocks (embeddings, a stem), 1 to the number of blocks in the blocks, and
    one more after them.  Parameters between blocks belong to the block before.  The order is that of
    the network's definition.  Without blocks, all parameters count as after them.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> ids = layer_ids(load_encoder("vit-nano", weights="none", device="cpu").backbone.network)
        >>> ids["enter.weight"], ids["blocks.0.mlp_norm.weight"], ids["norm.weight"]
        (0, 1, 5)
    """
    blocks = find_blocks(network)
    in_block = {id(weight): number for number, block in enumerate(blocks, 1) for weight in block.parameters()}
    ids, last_block = {}, 0
    for name, weight in network.named_parameters():
        last_block = max(last_block, in_block.get(id(weight), 0))
        after_blocks = last_block == len(blocks) and id(weight) not in in_block
        ids[name] = len(blocks) + 1 if after_blocks else in_block.get(id(weight), last_block)
    return ids


def layer_decay_groups(
    network: nn.Module, lr: float, *, layer_decay: float = 0.75, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Return parameter groups for an optimizer whose learning rate decays towards the input.

    Layer i of d blocks, as numbered by `layer_ids`, has the learning rate
    `lr` * `layer_decay` ** (d + 1 - i): `lr` after the blocks, one factor less in the last block, and
    the lowest for embeddings, as BEiT (2106.08254) and MAE (2111.06377) are fine-tuned.
    One-dimensional parameters, biases and scales, have no weight decay.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> groups = layer_decay_groups(network, 1.0, layer_decay=0.5)
        >>> [(group["lr"], group["weight_decay"]) for group in groups]
        [(0.25, 0.0), (0.25, 0.0), (0.5, 0.0), (0.5, 0.0)]
    """
    top = len(find_blocks(network)) + 1
    ids = layer_ids(network)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, weight in network.named_parameters():
        layer, decays = ids[name], weight.ndim > 1
        layer_lr = lr * layer_decay ** (top - layer)
        empty = {"params": [], "lr": layer_lr, "weight_decay": weight_decay if decays else 0.0}
        groups.setdefault((layer, decays), empty)["params"].append(weight)
    return list(groups.values())
