"""Tensors of torch checkpoints that other people saved, without running code.

`load_tensors`   content of a torch checkpoint; objects other than tensors and plain data become stubs
`Stub`           placeholder for such an object

Training scripts save more than tensors: numpy numbers, paths, their arguments.  torch refuses a file with
any of them.  Here unknown names of a file stand for a placeholder that ignores all its arguments.  torch's
own restricted reader reads the file, and imports nothing that the file names.
"""

import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

__all__ = ["Stub", "load_tensors"]

LEGACY_PICKLES = 5  # of a file before torch 1.6: magic number, protocol, system, content, keys of storages


class Stub:
    """Placeholder for an object of a checkpoint; it ignores its arguments and its state.

    Example:
        >>> vars(Stub("an argument", of="any kind"))
        {}
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


class _DictStub(Stub):
    """Placeholder for a subclass of dict, whose entries are kept."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Any:
        return OrderedDict[Any, Any]()  # one of the dictionaries that torch's reader fills


def load_tensors(path: Path) -> Any:
    """Return the content of a torch checkpoint on the CPU, with stubs for objects of other libraries.

    Raises:
        Exception: the file is damaged, or uses more of pickle than `torch.save` does by default.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "model.pt"
        >>> torch.save({"bias": torch.zeros(1), "folder": Path("data")}, path)
        >>> load_tensors(path)["bias"]
        tensor([0.])
    """
    stubs: list[Any] = []
    for name in _global_names(path):
        base = _DictStub if name.lower().endswith("dict") else Stub
        # torch prefers its own safe names, such as that of OrderedDict, to these.
        stubs.append((type(name.rpartition(".")[2], (base,), {}), name))
    with torch.serialization.safe_globals(stubs):
        return torch.load(path, map_location="cpu", weights_only=True)


def _global_names(path: Path) -> set[str]:
    """Return the names of all classes and functions in a checkpoint, as torch's reader spells them."""
    names: set[str] = set()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for record in archive.namelist():
                if record.rpartition("/")[2] == "data.pkl":
                    with archive.open(record) as file:
                        _read_names(file, names)
    else:
        with open(path, "rb") as file:
            for _ in range(LEGACY_PICKLES):
                _read_names(file, names)
    return names


def _read_names(file: Any, names: set[str]) -> None:
    for opcode, argument, _position in pickletools.genops(file):
        if opcode.name == "GLOBAL":
            module, name = str(argument).split(" ", 1)
            names.add(f"{module}.{name}")
            # Python 2 had other names for some modules.
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
            names.add(f"{module}.{name}")
