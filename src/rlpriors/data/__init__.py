"""Recorded experience: numpy inside, torch tensors only where a network reads them.

observations.py  one array out of a plain or nested dictionary observation
episode_columns.py  flat arrays and episode bounds, checked; files of them
episodes.py      `EpisodeStore`: the same with windows, pairs, goals, relabeling
files.py         named arrays in one file
normalize.py     `Normalizer`: raw units to the range that networks like, and back
validation.py    what experience must be like, and the words for it when it is not
frames.py        `FrameStore`: memory-mapped images on disk
images.py        photographs as such frames, with masks
coco.py          COCO's photographs by what they show
pets.py          the Oxford pets with their outlines
minari.py        to and from Minari data sets
buffers.py       to and from Tianshou replay buffers
maze.py          free cells, routes and shortest-path lengths of a maze
sight.py         which points of it see each other
generate.py      controllers and rollouts that make demonstrations
gridworld.py     a world of cells whose model is known exactly
gridworld_data.py  goals with rests, and demonstrations, in such a world
value_iteration.py  exact planning, with or without entropy
"""

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observations import observation_shape, select_observation

__all__ = ["Episode", "EpisodeStore", "Normalizer", "observation_shape", "select_observation"]
