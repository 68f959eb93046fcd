"""Recorded data: episodes, frames and photographs.

Data are stored as numpy arrays; torch tensors appear where a network reads them.  The package has no
environments: `rlpriors.envs` collects data from them.

`episodes`            `EpisodeStore`: transitions, windows, pairs, goals, new rewards
`episode_arrays`      flat arrays of episodes, and their files
`flat_columns`        episodes from the columns of transitions, as D4RL's files have
`observations`        one array from a plain or nested Dict observation
`observation_layout`  leaves of an array of observations, in order
`normalize`           `Normalizer`: affine maps between raw and normalized units
`validation`          checks of recorded data
`files`               named arrays in one safetensors file
`frames`              `FrameStore`: memory-mapped images on disk
`frame_writer`        `FrameWriter`: writer of a `FrameStore`
`frame_cache`         folders of frames that are collected once
`frame_mixing`        subsampled, concatenated and pixel-shuffled stores
`minari`              Minari data sets, in and out
`buffers`             Tianshou replay buffers, in and out
`readers`             episodes of .npz and HDF5 files and of saved buffers
`photos`              photographs as stores of frames
"""

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observations import observation_shape, select_observation

__all__ = ["Episode", "EpisodeStore", "Normalizer", "observation_shape", "select_observation"]
