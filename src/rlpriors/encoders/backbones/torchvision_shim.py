"""A torchvision that was built for CUDA, beside a torch that was not.

`ensure_torchvision`   makes such a torchvision importable; nothing happens on a healthy install

The wheel of torchvision on PyPI is a CUDA build.  Beside a CPU torch its library of operators cannot
load, `import torchvision` raises "operator torchvision::nms does not exist", and timm and
transformers fail with it, though neither needs these operators.
"""

import importlib.util
import sys
from pathlib import Path

import torch

__all__ = ["ensure_torchvision"]

OPERATORS = ("nms", "qnms")  # those whose absence stops the import
_declared: list[torch.library.Library] = []  # torch forgets an operator when its library is collected


def ensure_torchvision() -> bool:
    """Call before timm or transformers is imported; any number of times.

    Returns whether torchvision has its own operators; False also where it is not installed.
    Otherwise names without a body are declared: importing works, box operators raise when used.
    """
    if _declared:
        return False
    if "torchvision" in sys.modules:
        return True
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    libraries = sorted(Path(spec.origin).parent.glob("_C*"))
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        declared = torch.library.Library("torchvision", "DEF")
        for operator in OPERATORS:
            declared.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(declared)
        return False
    return True
