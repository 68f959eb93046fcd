"""Annotations of the Atari 2600's RAM for 24 games: labels for probing encoders.

`GAMES`        annotated variables of each game
`PAPER_GAMES`  the 22 games of the AtariARI paper
`CATEGORIES`   categories of variables
`Variable`     address and categories of a variable
`plain_name`   name of a game or environment without prefix, version and separators
`game_name`    name of a game in `GAMES`, from any spelling
`ram_labels`   variables of each frame of a store

Addresses and categories are from AtariARI (Anand et al. 2019, arXiv 1906.08226;
github.com/mila-iqia/atari-representation-learning, MIT license).  `ram_annotations.json` lists the address of
each variable, then its categories.  Most variables have one category; a few have none and are in no mean.
"""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from rlpriors.data.frames import FrameStore

__all__ = ["CATEGORIES", "GAMES", "PAPER_GAMES", "Variable", "game_name", "plain_name", "ram_labels"]

CATEGORIES = (
    "small_object_localization",
    "agent_localization",
    "other_localization",
    "score_clock_lives_display",
    "misc",
)
RAM = 128
"""Number of bytes of the console's RAM."""


class Variable(NamedTuple):
    """Annotated byte of the RAM."""

    address: int
    """Address in 0..127."""
    categories: tuple[str, ...]
    """Categories whose mean score includes the variable."""


def _read_annotations() -> dict[str, dict[str, Variable]]:
    table = json.loads((Path(__file__).parent / "ram_annotations.json").read_text())
    return {
        game: {name: Variable(address, tuple(kinds)) for name, (address, *kinds) in variables.items()}
        for game, variables in table.items()
    }


GAMES: Mapping[str, Mapping[str, Variable]] = _read_annotations()
"""Annotated variables of each game, by name."""
PAPER_GAMES = tuple(game for game in GAMES if game not in ("battlezone", "skiing"))


def plain_name(game: str) -> str:
    """Return `game` without prefix, version, capitals and separators: "ALE/MsPacman-v5" is "mspacman"."""
    name = re.sub(r"(NoFrameskip|Deterministic)?-v\d+$", "", game.removeprefix("ALE/"))
    return re.sub(r"[^a-z0-9]", "", name.lower())


def game_name(game: str, known: Sequence[str] = tuple(GAMES)) -> str:
    """Return the name in `known` of a game in any spelling: "ALE/MsPacman-v5", "ms_pacman", "MsPacman".

    Raises:
        ValueError: `known` has no such game; the message lists the closest names.
    """
    plain, table = plain_name(game), {plain_name(name): name for name in known}
    if plain in table:
        return table[plain]
    close = get_close_matches(plain, table, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(table[name] for name in close)}?" if close else ""
    raise ValueError(
        f"`game` must be one of {', '.join(known) if len(known) < 30 else f'{len(known)} games'}. Received "
        f"{game!r}. {hint}".rstrip()
    )


def ram_labels(store: FrameStore, game: str) -> dict[str, Int[np.ndarray, " frames"]]:
    """Return each variable of `game` in each frame of `store`, by name, in 0..255.

    Raises:
        ValueError: the game has no annotations, or the store has no array `ram`.
    """
    variables = GAMES[game_name(game)]
    ram = store.arrays.get("ram")
    if ram is None or ram.shape[1:] != (RAM,) or ram.dtype != np.uint8:
        received = "has none" if ram is None else f"has {ram.dtype} of shape {ram.shape}"
        raise ValueError(
            f"`store` must hold the array `ram`, uint8 [frames, {RAM}]. {store.folder} {received}; write it "
            "with `rlpriors.envs.atari.collect.collect_atari`."
        )
    values = np.asarray(ram).astype(np.int64)
    return {name: values[:, variable.address] for name, variable in variables.items()}
