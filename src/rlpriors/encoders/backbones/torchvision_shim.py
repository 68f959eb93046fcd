"""Import of a CUDA build of torchvision next to a CPU build of torch.

`ensure_torchvision`   make such a torchvision importable; no effect on a matching installation

The wheel of torchvision on PyPI is a CUDA build.  Next to a CPU build of torch its operator library
does not load, and `import torchvision` raises "operator torchvision::nms does not exist".  timm and
transformers then fail too, although they do not need these operators.
"""

import importlib.util
import sys
from pathlib import Path

import torch

__all__ = ["ensure_torchvision"]

OPERATORS = ("nms", "qnms")  # operators without which the import fails
_declared: list[torch.library.Library] = []  # torch unregisters operators when their library is collected


def ensure_torchvision() -> bool:
    """Declare missing operators of torchvision; call it before timm or transformers is imported.

    Return True if torchvision has its own operators, and False if not or if it is not installed.
    Missing operators are declared without an implementation: the import works, and box operators
    raise when called.  Repeated calls have no further effect.
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
