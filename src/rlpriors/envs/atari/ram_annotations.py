"""What the bytes of an Atari 2600's memory mean, for 24 games: labels for probing encoders.

`GAMES`        every game whose variables are known, and where they lie
`PAPER_GAMES`  the 22 of them that the paper reports
`CATEGORIES`   what kinds of variables there are
`Variable`     one of them
`game_name`    a game's name in any spelling, as `GAMES` has it
`labels`       the variables of every frame of a store

Addresses and categories are those of AtariARI (Anand et al. 2019, arXiv 1906.08226;
github.com/mila-iqia/atari-representation-learning, MIT license), in `atari_ram.json`: for each variable
its address, then its categories.  Most have one; a few have none, and count in no mean.
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

__all__ = ["CATEGORIES", "GAMES", "PAPER_GAMES", "Variable", "game_name", "labels"]

CATEGORIES = (
    "small_object_localization",
    "agent_localization",
    "other_localization",
    "score_clock_lives_display",
    "misc",
)
RAM = 128
"""Bytes of memory that the console has."""


class Variable(NamedTuple):
    """A byte of memory that means something."""

    address: int
    """Where it lies, in 0..127."""
    categories: tuple[str, ...]
    """Which means it counts in."""


def _read() -> dict[str, dict[str, Variable]]:
    table = json.loads((Path(__file__).parent / "ram_annotations.json").read_text())
    return {
        game: {name: Variable(address, tuple(kinds)) for name, (address, *kinds) in variables.items()}
        for game, variables in table.items()
    }


GAMES: Mapping[str, Mapping[str, Variable]] = _read()
PAPER_GAMES = tuple(game for game in GAMES if game not in ("battlezone", "skiing"))


def plain_name(game: str) -> str:
    """`game` without prefix, version, capitals and separators: "ALE/MsPacman-v5" is "mspacman"."""
    bare = re.sub(r"(NoFrameskip|Deterministic)?-v\d+$", "", game.removeprefix("ALE/"))
    return re.sub(r"[^a-z0-9]", "", bare.lower())


def game_name(game: str, known: Sequence[str] = tuple(GAMES)) -> str:
    """The one of `known` that `game` names, in any spelling: "ALE/MsPacman-v5", "ms_pacman", "MsPacman".

    Raises:
        ValueError: there is none; the message names the closest ones.
    """
    wanted, table = plain_name(game), {plain_name(name): name for name in known}
    if wanted in table:
        return table[wanted]
    close = get_close_matches(wanted, table, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(table[name] for name in close)}?" if close else ""
    raise ValueError(
        f"`game` must be one of {', '.join(known) if len(known) < 30 else f'{len(known)} games'}. Received "
        f"{game!r}. {hint}".rstrip()
    )


def labels(store: FrameStore, game: str) -> dict[str, Int[np.ndarray, " frames"]]:
    """Every variable of `game` in every frame of `store`, by name, in 0..255.

    Raises:
        ValueError: nobody knows this game's variables, or the store was written without `ram`.
    """
    variables = GAMES[game_name(game)]
    ram = store.arrays.get("ram")
    if ram is None or ram.shape[1:] != (RAM,) or ram.dtype != np.uint8:
        found = "has none" if ram is None else f"has {ram.dtype} of shape {ram.shape}"
        raise ValueError(
            f"`store` must hold the array `ram`, uint8 [frames, {RAM}]. {store.folder} {found}; write it by "
            "`rlpriors.envs.atari.collect.collect`."
        )
    memory = np.asarray(ram).astype(np.int64)
    return {name: memory[:, variable.address] for name, variable in variables.items()}
