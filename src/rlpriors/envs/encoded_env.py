"""Environments whose images are replaced by features of an encoder, and recorded episodes of them.

`EncodedEnvs`   one frozen encoder for environments and for recorded images
`recorded_env`  environment with the encoder that a saved reward or prior was learned with
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float32

from rlpriors import checkpoint
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import select_observation
from rlpriors.encoders import EncoderRecord, ImageEncoder, encoder_spec, load_encoder
from rlpriors.envs.make import make_env
from rlpriors.envs.random_data import collect_random
from rlpriors.sharing.download import model_folder
from rlpriors.wrappers.encode_observation import EncodeObservation
from rlpriors.wrappers.encode_options import EncodeOptions
from rlpriors.wrappers.flat_observation import FlatBox, FlatObservation
from rlpriors.wrappers.images.frame_stack_wrappers import observes_stack
from rlpriors.wrappers.images.image_spaces import image_names
from rlpriors.wrappers.images.observation_tree import set_leaves
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.pixel_observation import PixelObservation

__all__ = ["EncodedEnvs", "recorded_env"]

LOAD_OPTIONS = ("readout", "weights", "input_size", "stride", "backend", "allow_noncommercial", "seed")
FRAME_OPTIONS = ("stack", "image_size")


@dataclass(frozen=True)
class EncodedEnvs:
    """One frozen encoder for environments and for recorded images.

    Images of an observation become features, and all leaves become one vector.  An environment without
    images is rendered.  Recorded episodes pass the same code as live frames: one batch holds the frames of
    all episodes at one time.

    Raises:
        ValueError: a field is out of its bounds.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> envs = EncodedEnvs(load_encoder("nature-cnn", weights="none", device="cpu"), stack=2)
        >>> space = gym.spaces.Box(0, 255, (40, 40, 3), np.uint8)
        >>> envs.features(space).shape
        (1024,)
    """

    encoder: ImageEncoder
    """Encoder of the images."""
    stack: int = 1
    """Number of last frames whose features form an observation."""
    image_size: int = 64
    """Rows and columns of rendered images, for environments without images in their observations."""

    def __post_init__(self) -> None:
        for name in ("stack", "image_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")

    @classmethod
    def load(cls, options: Mapping[str, Any], device: str | torch.device = "auto") -> "EncodedEnvs":
        """Load the encoder by the options of an `EncoderRecord`.

        Args:
            options: "encoder" (name or folder), options of `load_encoder`, "stack" and "image_size"; all
                but the first may be missing.
            device: device of the encoder.

        Raises:
            ValueError: the encoder or an option is unknown, or they do not fit each other.
            FileNotFoundError: weights are missing.
        """
        unknown = set(options) - {"encoder", *LOAD_OPTIONS, *FRAME_OPTIONS}
        if "encoder" not in options or unknown:
            raise ValueError(
                f"`options` must contain encoder and only {[*LOAD_OPTIONS, *FRAME_OPTIONS]}. Received "
                f"{sorted(options)}; learn again with this version."
            )
        given = {name: options[name] for name in LOAD_OPTIONS if name in options}
        frames = {name: options[name] for name in FRAME_OPTIONS if name in options}
        return cls(load_encoder(options["encoder"], device=device, **given), **frames)

    @classmethod
    def recorded(
        cls, record: EncoderRecord, encoder: str | None = None, device: str | torch.device = "auto"
    ) -> "EncodedEnvs":
        """Load the encoder of a record.

        Args:
            record: record of a saved reward or prior.
            encoder: name or folder of the encoder, if its folder was moved; the recorded one by default.
            device: device of the encoder.

        Raises:
            ValueError: the loaded encoder is another one, or the record has no options.
            FileNotFoundError: weights are missing.
        """
        options = dict(record.options)
        if encoder is not None:
            options["encoder"] = encoder
            if encoder_spec(encoder).source == "local":  # its weights and sizes are saved with it
                options |= {"weights": "auto", "input_size": None, "stride": None}
        loaded = cls.load(options, device)
        record.check(loaded.encoder.fingerprint(), "The model")
        return loaded

    def make_images(self, env_id: str, **arguments: Any) -> gym.Env[Any, Any]:
        """Return the environment with images in its observations, not encoded.

        Raises:
            ValueError: no such environment is installed, or it has no images and does not render.
        """
        try:
            env = make_env(env_id, **{"render_mode": "rgb_array", **arguments})
        except ValueError:  # it takes no render mode, or does not exist
            env = make_env(env_id, **arguments)
        if image_names(env.observation_space):
            return env
        if env.render_mode != "rgb_array":
            modes = env.metadata.get("render_modes", [])
            env.close()
            raise ValueError(
                "An encoder needs an environment with images in its observations, or one that renders them "
                f'(render_mode="rgb_array"). Received {env_id} with observations {env.observation_space} and '
                f"the render modes {modes}; leave out the encoder for observations that are vectors."
            )
        return PixelObservation(env, self.image_size, self.image_size)

    def wrap(self, env: gym.Env[Any, Any], obs_keys: Sequence[str] | None = None) -> FlatObservation:
        """Return an environment with images as one whose observations are vectors.

        Args:
            env: environment with images in its observations.
            obs_keys: leaves of a Dict observation, in order; None for all, sorted.

        Raises:
            ValueError: the images do not fit the encoder.
        """
        options = self._options(env.observation_space, obs_keys)
        encoded = EncodeObservation(env, self.encoder, obs_keys=options.obs_keys, stack=self.stack)
        return FlatObservation(encoded, obs_keys)

    def make(self, env_id: str, obs_keys: Sequence[str] | None = None, **arguments: Any) -> FlatObservation:
        """Return the environment with vectors for observations, see `make_images` and `wrap`."""
        return self.wrap(self.make_images(env_id, **arguments), obs_keys)

    def collect_random(
        self,
        env_id: str,
        n_steps: int,
        *,
        seed: int,
        obs_keys: Sequence[str] | None = None,
        **arguments: Any,
    ) -> EpisodeStore:
        """Return episodes of random actions with encoded observations, see `random_data.collect_random`."""
        env = self.make(env_id, obs_keys, **arguments)
        space = env.observation_space
        store = collect_random(lambda: env, n_steps, seed=seed)
        return replace(store, obs_layout=space.obs_layout if isinstance(space, FlatBox) else None)

    def features(self, space: gym.Space[Any]) -> gym.Space[Any]:
        """Return the space of encoded observations; it is a Dict if `space` is."""
        return ObservationEncoder(self.encoder, space, 1, self._options(space, None)).single_space

    def encode(
        self,
        read: Callable[[Sequence[str] | None], EpisodeStore],
        env: gym.Env[Any, Any],
        obs_keys: Sequence[str] | None = None,
    ) -> EpisodeStore:
        """Return recorded episodes with features in place of images, as `wrap` returns observations.

        Args:
            read: function that returns the episodes with the chosen leaves of their observations; None for
                a plain observation.
            env: environment with images, which the episodes fit.
            obs_keys: leaves of a Dict observation, in order; None for all, sorted.

        Raises:
            ValueError: the images do not fit the encoder.
        """
        space = env.observation_space
        leaves = ObservationLayout.of(space, obs_keys)
        keys = (None,) if leaves is None else tuple((key,) for key in leaves.keys)
        parts = [read(key) for key in keys]
        store = parts[0]
        encoder = ObservationEncoder(
            self.encoder,
            space,
            store.n_episodes,
            self._options(space, obs_keys),
            is_stack=observes_stack(env),
        )
        starts = store.step_starts + np.arange(store.n_episodes)
        lengths = store.lengths + 1
        rows: list[Float32[np.ndarray, "batch obs"]] = []
        order: list[np.ndarray] = []
        for time in range(int(lengths.max())):
            ids = np.flatnonzero(lengths > time)
            at = starts[ids] + time
            obs: Any = parts[0].obs[at]
            if leaves is not None:
                paths = [tuple(key.split("/")) for key in leaves.keys]
                obs = set_leaves(
                    _empty(paths), {path: part.obs[at] for path, part in zip(paths, parts, strict=True)}
                )
            encoder.update(encoder.images_of_batch(obs), ids, np.full(len(ids), time == 0))
            tree = encoder.replace_images(obs, encoder.read(ids))
            vectors = select_observation(tree, None if leaves is None else leaves.keys, batch_dims=1)
            rows.append(vectors.reshape(len(ids), -1).astype(np.float32))
            order.append(at)
        features = np.empty((len(store.obs), rows[0].shape[1]), np.float32)
        features[np.concatenate(order)] = np.concatenate(rows)
        layout = None if leaves is None else ObservationLayout.of(encoder.single_space, leaves.keys)
        return replace(store, obs=features, obs_layout=layout)

    def _options(self, space: gym.Space[Any], obs_keys: Sequence[str] | None) -> EncodeOptions:
        """Return options with the images among the chosen leaves."""
        if not isinstance(space, gym.spaces.Dict):
            return EncodeOptions(stack=self.stack)
        images = image_names(space)
        chosen = images if obs_keys is None else [key for key in obs_keys if key in images]
        if not chosen:
            raise ValueError(
                f"`obs_keys` must contain an image, one of {images}, for an encoder. Received {obs_keys}; "
                "add one, or leave out the encoder."
            )
        return EncodeOptions(stack=self.stack, obs_keys=chosen)


def recorded_env(
    env_id: str, folder: str | Path, *, device: str | torch.device = "auto", **arguments: Any
) -> FlatObservation:
    """Return an environment with the encoder that a saved reward or prior was learned with.

    Args:
        env_id: id of the environment.
        folder: folder of a saved reward or prior, or "hf:<owner>/<name>"; see `model_folder`.
        device: device of the encoder.
        arguments: further arguments of `make_env`.

    Raises:
        ValueError: the model recorded no encoder, or the environment has no images and does not render.
        CheckpointError: the folder is missing or damaged.
    """
    folder = model_folder(folder)
    record = EncoderRecord.from_dict(checkpoint.load_entry(folder, "obs_encoder"))
    if record is None:
        raise ValueError(
            f"`folder` must hold a model that was learned with an encoder. Received {str(folder)!r}, which "
            "recorded none; use make_env."
        )
    envs = EncodedEnvs.recorded(record, device=device)
    layout = ObservationLayout.from_json(checkpoint.load_entry(folder, "obs_layout"))
    return envs.make(env_id, None if layout is None else layout.keys, **arguments)


def _empty(paths: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """Return nested dictionaries in which all but the last key of each path exist."""
    tree: dict[str, Any] = {}
    for path in paths:
        inner = tree
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
    return tree
