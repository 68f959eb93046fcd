"""Encoders bundled with the library, which load without a network connection.

`BUNDLED_DIR`      folder of the bundled encoders
`BUNDLED_PREFIX`   prefix of their names
`bundled_names`    names of all bundled encoders
`bundled_folder`   folder of a bundled encoder
`save_bundled`     save an encoder as a bundled one
"""

import re
from dataclasses import replace
from pathlib import Path

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.sharing.card import CARD
from rlpriors.storage.atomic import write_atomically
from rlpriors.storage.module_files import CONFIG, MODEL

__all__ = ["BUNDLED_DIR", "BUNDLED_PREFIX", "bundled_folder", "bundled_names", "save_bundled"]

BUNDLED_DIR = Path(__file__).parents[1] / "pretrained"
BUNDLED_PREFIX = "rlpriors/"
MAX_BYTES = 5_000_000
"""Maximum size of one encoder: every installation of the library includes them all."""
LICENSE = "mit"


def bundled_names() -> tuple[str, ...]:
    """Return the names of all bundled encoders, "rlpriors/..."."""
    return tuple(sorted(f"{BUNDLED_PREFIX}{path.parent.name}" for path in BUNDLED_DIR.glob(f"*/{CONFIG}")))


def bundled_folder(name: str) -> Path:
    """Return the folder of the bundled encoder `name`.

    Raises:
        ValueError: there is no bundled encoder of this name.

    Example:
        >>> bundled_folder("rlpriors/no-such")
        Traceback (most recent call last):
        ...
        ValueError: `name` must be an encoder bundled with rlpriors: ... Received 'rlpriors/no-such'...
    """
    names = bundled_names()
    if name not in names:
        raise ValueError(
            f"`name` must be an encoder bundled with rlpriors: {', '.join(names) or 'there are none yet'}. "
            f"Received {name!r}; for a local folder pass 'local:{name}'."
        )
    return BUNDLED_DIR / name.removeprefix(BUNDLED_PREFIX)


def save_bundled(encoder: ImageEncoder, name: str, card: str, root: Path | None = None) -> Path:
    """Save `encoder` as the bundled encoder `name` and return its folder.

    Weights are written in half precision and loaded in full precision.  `card` is the text of its
    README.md: training command and results.  `root` is `BUNDLED_DIR` by default.

    Raises:
        ValueError: `name` does not begin with "rlpriors/", weights exceed the range of half precision,
            or the files exceed 5 MB; the files are then removed.
    """
    short = name.removeprefix(BUNDLED_PREFIX)
    if short == name or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", short):
        raise ValueError(
            f"`name` must be '{BUNDLED_PREFIX}<name>', in lowercase letters, digits, . and -. "
            f"Received {name!r}."
        )
    folder = (BUNDLED_DIR if root is None else root) / short
    original_spec, encoder.spec = encoder.spec, replace(encoder.spec, name=name, license=LICENSE)
    try:
        encoder.save(folder, half=True)
    finally:
        encoder.spec = original_spec
    size = sum((folder / file).stat().st_size for file in (MODEL, CONFIG))
    if size > MAX_BYTES:
        for file in (CONFIG, MODEL, CARD):
            (folder / file).unlink(missing_ok=True)
        raise ValueError(f"`encoder` must take at most {MAX_BYTES / 1e6:g} MB. Received {size / 1e6:.1f} MB.")

    def write(temporary: Path) -> None:
        temporary.write_text(card)

    write_atomically(folder / CARD, write)
    return folder
