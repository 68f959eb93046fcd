"""Where a network can be cut: its blocks, whatever family it is of.

`find_blocks`    the blocks of a transformer, or the stages of a convolutional network, in order
`layer_numbers`  how deep each weight lies
`layer_groups`   weights with learning rates that fall towards the input
"""

import re
from collections import defaultdict
from typing import Any

from torch import nn

__all__ = ["find_blocks", "layer_groups", "layer_numbers"]


def find_blocks(network: nn.Module) -> list[nn.Module]:
    """The repeated parts of a network: the numbered siblings with most weights, the outermost of equals.

    Empty where nothing is numbered.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("vit-nano", weights="none", device="cpu")
        >>> [type(block).__name__ for block in find_blocks(encoder.backbone)]
        ['Block', 'Block', 'Block', 'Block']
    """
    best: list[nn.Module] = []
    most = 0
    for module in network.modules():
        groups: defaultdict[str, list[nn.Module]] = defaultdict(list)
        for name, child in module.named_children():
            numbered = re.fullmatch(r"(\D*)\d+", name)  # "0", "1" of a list; "layer1", "layer2" of a ResNet
            if numbered and any(True for _ in child.parameters()):
                groups[numbered[1]].append(child)
        for siblings in groups.values():
            size = sum(weight.numel() for child in siblings for weight in child.parameters())
            if len(siblings) > 1 and size > most:
                best, most = siblings, size
    return best


def layer_numbers(network: nn.Module) -> dict[str, int]:
    """How deep each parameter lies, by its name.

    0 for what comes before the blocks (embeddings, a stem), 1 to the number of blocks for what is in
    them, one more for what comes behind.  What lies between blocks counts to the one before.  The
    order is that in which the network was put together.  Everything is behind where there are no
    blocks.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> numbers = layer_numbers(load_encoder("vit-nano", weights="none", device="cpu").backbone.network)
        >>> numbers["enter.weight"], numbers["blocks.0.mlp_norm.weight"], numbers["norm.weight"]
        (0, 1, 5)
    """
    blocks = find_blocks(network)
    inside = {id(weight): number for number, block in enumerate(blocks, 1) for weight in block.parameters()}
    numbers, reached = {}, 0
    for name, weight in network.named_parameters():
        reached = max(reached, inside.get(id(weight), 0))
        behind = reached == len(blocks) and id(weight) not in inside
        numbers[name] = len(blocks) + 1 if behind else inside.get(id(weight), reached)
    return numbers


def layer_groups(
    network: nn.Module, lr: float, *, layer_decay: float = 0.75, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Groups of parameters for an optimizer, those nearer the input with a lower learning rate.

    Layer i of d blocks, as `layer_numbers` counts, gets `lr` * `layer_decay` ** (d + 1 - i): what is
    behind the blocks has `lr`, the last block a step less, embeddings the least (as BEiT, 2106.08254,
    and MAE, 2111.06377, are fine-tuned).  Weights of one axis, biases and scales, do not decay.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> [(group["lr"], group["weight_decay"]) for group in layer_groups(network, 1.0, layer_decay=0.5)]
        [(0.25, 0.0), (0.25, 0.0), (0.5, 0.0), (0.5, 0.0)]
    """
    top = len(find_blocks(network)) + 1
    numbers = layer_numbers(network)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, weight in network.named_parameters():
        number, decays = numbers[name], weight.ndim > 1
        rate = lr * layer_decay ** (top - number)
        empty = {"params": [], "lr": rate, "weight_decay": weight_decay if decays else 0.0}
        groups.setdefault((number, decays), empty)["params"].append(weight)
    return list(groups.values())
