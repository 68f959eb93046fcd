"""Probing tasks of Atari games.

`make_atari_task`  labels of a game's RAM variables and a split of the frames
"""

from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.ram_annotations import GAMES, game_name, ram_labels
from rlpriors.evaluation.probing.labels import ProbeTask, frame_keys, make_task

__all__ = ["make_atari_task"]


def make_atari_task(
    store: FrameStore, game: str, *, seed: int = 0, min_frames: int = 65, repeats: bool = False
) -> ProbeTask:
    """Return a task of every varying variable of the game, in episodes of at least `min_frames` frames.

    With `repeats`, test frames that also occur in another part of the split are kept.  AtariARI removes them.

    Raises:
        ValueError: the game is unknown, `store` has no `ram`, or an error of `make_task`.
    """
    variables = GAMES[game_name(game)]
    return make_task(
        ram_labels(store, game),
        store.lengths,
        categories={name: variable.categories for name, variable in variables.items()},
        keys=None if repeats else frame_keys(store.frames),
        seed=seed,
        min_frames=min_frames,
    )
