"""Keys of EfficientNet files in TensorFlow's naming, under the names of timm.

`is_tensorflow_naming`   test of the naming of a file
`rename_efficientnet`    tensors under the names of timm's `tf_efficientnet_*`

TensorFlow's ports to PyTorch (EfficientNet-PyTorch and its descendants) number all blocks in one list.
timm groups them into stages.
"""

from collections.abc import Mapping

from torch import Tensor

__all__ = ["is_tensorflow_naming", "rename_efficientnet"]

OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
WITH_EXPANSION = SQUEEZE | {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
WITHOUT_EXPANSION = SQUEEZE | {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def is_tensorflow_naming(weights: Mapping[str, Tensor]) -> bool:
    """Return True if `weights` are those of an EfficientNet in TensorFlow's naming."""
    return "_conv_stem.weight" in weights and "_blocks.0._project_conv.weight" in weights


def rename_efficientnet(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of an EfficientNet under the names of timm's `tf_efficientnet_*`.

    A stage begins where the number of output channels changes, as in all EfficientNets (1905.11946,
    table 1).  Keys that belong to no known layer keep their names, so that strict loading reports them.

    Example:
        >>> import torch
        >>> renamed = rename_efficientnet({"_bn0.bias": torch.zeros(2), "_fc.bias": torch.zeros(3)})
        >>> sorted(renamed)
        ['bn1.bias', 'classifier.bias']
    """
    places: list[str] = []
    stage, block, channels = -1, 0, -1
    while (project := weights.get(f"_blocks.{len(places)}._project_conv.weight")) is not None:
        block += 1
        if len(project) != channels:
            stage, block, channels = stage + 1, 0, len(project)
        places.append(f"blocks.{stage}.{block}")
    renamed = {}
    for key, value in weights.items():
        first, *rest = key.split(".")
        if first == "_blocks" and len(rest) > 2 and rest[0].isdigit() and int(rest[0]) < len(places):
            expands = f"_blocks.{rest[0]}._expand_conv.weight" in weights
            names = WITH_EXPANSION if expands else WITHOUT_EXPANSION
            key = ".".join([places[int(rest[0])], names.get(rest[1], rest[1]), *rest[2:]])
        elif first in OUTSIDE_BLOCKS:
            key = ".".join([OUTSIDE_BLOCKS[first], *rest])
        renamed[key] = value
    return renamed
