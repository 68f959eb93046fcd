"""Command `rlpriors encode`: the features of every frame of a data set.

`encode`  the command
"""

from pathlib import Path

from rich.console import Console

from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.scripts.encode.settings import EncodeSettings

__all__ = ["encode"]


def encode(settings: EncodeSettings) -> Path:
    """Encode the data set and return the folder of the features.

    Raises:
        ValueError: the source or the encoder is unknown, or a setting does not fit them.
    """
    encoder = settings.encoder.load(device=settings.device, seed=settings.seed)
    encoded = encode_dataset(
        settings.source,
        encoder,
        settings.folder,
        obs_keys=settings.obs_keys or None,
        dtype=settings.dtype,
        batch_size=settings.batch_size,
        dedup=settings.dedup,
        resume=settings.resume,
    )
    say = Console(highlight=False, soft_wrap=True).print
    n_frames, *shape = encoded.features.shape
    say(
        f"{n_frames} frames of {len(encoded.lengths)} episodes, {tuple(shape)} numbers each in "
        f"{encoded.features.dtype}, by {encoder.spec.name} ({encoder.readout.name}). To use them:\n"
    )
    say("    from rlpriors.encoders.dataset.encoded_dataset import load_encoded")
    say(f'    features = load_encoded("{settings.folder}").features\n', markup=False)
    say(str(settings.folder))
    return settings.folder
