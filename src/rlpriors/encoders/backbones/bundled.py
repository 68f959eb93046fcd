"""Encoders that come with the library, for the first minute and for machines without a network.

`PRETRAINED`      where they lie
`PREFIX`          what their names begin with
`shipped_names`   what there is
`shipped_folder`  where the one of that name lies
`publish`         makes another
"""

import re
from dataclasses import replace
from pathlib import Path

from rlpriors.checkpoint import CONFIG, MODEL, write_atomically
from rlpriors.encoders.encoder import ImageEncoder

__all__ = ["PREFIX", "PRETRAINED", "publish", "shipped_folder", "shipped_names"]

PRETRAINED = Path(__file__).parents[1] / "pretrained"
PREFIX = "rlpriors/"
LARGEST = 5_000_000
"""Bytes of one encoder: everybody who installs the library fetches them all."""
LICENSE = "mit"
CARD = "README.md"


def shipped_names() -> tuple[str, ...]:
    """The names of all encoders that come with the library, "rlpriors/..."."""
    return tuple(sorted(f"{PREFIX}{path.parent.name}" for path in PRETRAINED.glob(f"*/{CONFIG}")))


def shipped_folder(name: str) -> Path:
    """Where the encoder of that name lies.

    Raises:
        ValueError: none of that name comes with the library.

    Example:
        >>> shipped_folder("rlpriors/no-such")
        Traceback (most recent call last):
        ...
        ValueError: `name` must be an encoder that ships with rlpriors: ... Received 'rlpriors/no-such'...
    """
    names = shipped_names()
    if name not in names:
        raise ValueError(
            f"`name` must be an encoder that ships with rlpriors: {', '.join(names) or 'none does yet'}. "
            f"Received {name!r}; for a folder of your own write 'local:{name}'."
        )
    return PRETRAINED / name.removeprefix(PREFIX)


def publish(encoder: ImageEncoder, name: str, card: str, root: Path | None = None) -> Path:
    """Put `encoder` among those that ship, as `name`, and return its folder.

    Weights are written in half precision, and loaded again in full; `card` is the text that tells how
    it was made, and what it is worth.  `root` is `PRETRAINED` unless it is given.

    Raises:
        ValueError: `name` does not begin with "rlpriors/", weights are too large for half precision, or
            what comes out is larger than 5 MB; what was written of it is removed then.
    """
    short = name.removeprefix(PREFIX)
    if short == name or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", short):
        raise ValueError(
            f"`name` must be '{PREFIX}<name>', in small letters, digits, . and -. Received {name!r}."
        )
    folder = (PRETRAINED if root is None else root) / short
    own, encoder.spec = encoder.spec, replace(encoder.spec, name=name, license=LICENSE)
    try:
        encoder.save(folder, half=True)
    finally:
        encoder.spec = own
    size = sum((folder / file).stat().st_size for file in (MODEL, CONFIG))
    if size > LARGEST:
        for file in (CONFIG, MODEL):
            (folder / file).unlink()
        raise ValueError(f"`encoder` must take at most {LARGEST / 1e6:g} MB. Received {size / 1e6:.1f} MB.")

    def write(temporary: Path) -> None:
        temporary.write_text(card)

    write_atomically(folder / CARD, write)
    return folder
