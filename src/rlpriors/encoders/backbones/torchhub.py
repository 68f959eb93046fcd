"""Networks of a torch.hub repository, on GitHub or in a local folder, as a backbone.

`TorchHubBackbone`   a network of unknown make that gives `Features`
`build_torchhub`     the loader
`torchhub_spec`      the card of `<repository or folder>:<entry>`

torch.hub runs the repository's `hubconf.py`: that is someone else's code, so it wants
`trust_remote_code=True`.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.weights import explain_download, fill, read_weights, seeded
from rlpriors.encoders.encoder import Backbone
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

__all__ = ["TorchHubBackbone", "build_torchhub", "torchhub_spec"]


class TorchHubBackbone(Backbone):
    """A network whose classifier, `fc` or `head`, was cut off.

    It may be a convolutional network in torchvision's manner (with `layer4`), a transformer in the
    manner of DINO or DINOv2 (`get_intermediate_layers`, or `forward_features` with `x_norm_...`), or
    any module that returns vectors [batch, dim], tokens [batch, tokens, dim] or maps
    [batch, dim, rows, columns].

    Example:
        >>> network = nn.Conv2d(3, 8, 4, stride=4)
        >>> TorchHubBackbone(network)(torch.rand(2, 3, 16, 16)).tokens.shape
        torch.Size([2, 16, 8])
    """

    def __init__(self, network: nn.Module, architecture: Mapping[str, Any] | None = None) -> None:
        super().__init__(architecture)
        self.network: Any = network
        for name in ("fc", "head"):
            if isinstance(getattr(network, name, None), nn.Linear):
                setattr(network, name, nn.Identity())

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        network = self.network
        if hasattr(network, "layer4"):
            return self._with_layer4(x)
        if hasattr(network, "get_intermediate_layers"):
            out = network.forward_features(x) if hasattr(network, "forward_features") else None
            if isinstance(out, dict) and "x_norm_patchtokens" in out:  # DINOv2, DINOv3
                tokens = out["x_norm_patchtokens"]
                return Features(out["x_norm_clstoken"], tokens, _square(tokens, x))
            last = network.get_intermediate_layers(x, n=1)[0]  # DINO: the class token first
            return Features(last[:, 0], last[:, 1:], _square(last[:, 1:], x))
        out = network(x)
        if not isinstance(out, Tensor) or out.ndim not in (2, 3, 4):
            shape = list(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ValueError(f"its network returns {shape}, neither vectors, tokens nor maps")
        if out.ndim == 2:
            return Features(out, None, None)
        if out.ndim == 3:
            return Features(out.mean(1), out, _square(out, x))
        return Features(out.mean((2, 3)), out.flatten(2).mT, out)

    def _with_layer4(self, x: Tensor) -> Features:
        seen: list[Tensor] = []
        handle = self.network.layer4.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
        try:
            vector = self.network(x)
        finally:
            handle.remove()
        (maps,) = seen
        return Features(vector.flatten(1), maps.flatten(2).mT, maps)


def torchhub_spec(text: str) -> EncoderSpec:
    """The card of `<owner>/<repository>[:<branch>]:<entry>` or `<folder>:<entry>`.

    A repository says neither sizes nor license: 224 pixels, ImageNet's normalization and "unknown"
    are assumed.  Give `load_encoder` an `EncoderSpec` of your own where that is wrong.

    Raises:
        ValueError: it does not name a repository and an entry.
    """
    place, colon, entry = text.rpartition(":")
    if not (colon and place and entry):
        raise ValueError(
            "`name` must be 'torchhub:<owner>/<repository>:<entry>' or 'torchhub:<folder>:<entry>'. Received "
            f"{'torchhub:' + text!r}."
        )
    return EncoderSpec(
        name=f"torchhub:{text}",
        source="torchhub",
        model_id=text,
        license="unknown",
        notes="Input size and normalization are assumed to be ImageNet's.",
    )


def build_torchhub(
    spec: EncoderSpec,
    weights: str | Path,
    *,
    seed: int = 0,
    architecture: Mapping[str, Any] | None = None,
    trust_remote_code: bool = False,
    progress: bool = True,
    **_: Any,
) -> TorchHubBackbone:
    """Call the entry of the repository: with pretrained=True for "auto", with False otherwise.

    Raises:
        ValueError: the code is not trusted, there is no such entry, or it does not say by
            `pretrained` whether its weights are random.
        FileNotFoundError: the repository or its weights cannot be fetched.
        CheckpointError: a file is damaged or belongs to another network.
    """
    place, _colon, entry = spec.model_id.rpartition(":")
    if not trust_remote_code:
        raise ValueError(
            f"`trust_remote_code` must be True for {spec.name!r}: torch.hub runs the code of {place}. Read "
            "it first."
        )
    local = Path(place).is_dir()
    options = {**spec.options, "pretrained": weights == "auto"}
    hub: Any = torch.hub  # annotated as if `trust_repo` had to be a string
    with explain_download(spec.name, place), seeded(seed):
        try:
            network = hub.load(
                place,
                entry,
                source="local" if local else "github",
                trust_repo=True,
                verbose=progress,
                **options,
            )
        except (TypeError, RuntimeError) as error:
            if "pretrained" in str(error):
                raise ValueError(
                    f"{spec.name!r} takes no `pretrained`, so nobody could say whether its weights are "
                    "random. Give its repository's entry that argument."
                ) from error
            if "Cannot find callable" in str(error):
                raise ValueError(f"{place} has no entry {entry!r} in its hubconf.py.") from error
            raise
    if not isinstance(network, nn.Module):
        raise ValueError(f"{spec.name!r} must give a torch.nn.Module. Received a {type(network).__name__}.")
    if weights not in ("auto", "none"):
        try:
            fill(network, read_weights(weights), str(weights))
        except CheckpointError as whole:
            # The file may be that of the network without its classifier.
            backbone = TorchHubBackbone(network, {"entry": entry})
            try:
                fill(network, read_weights(weights), str(weights))
            except CheckpointError:
                raise whole from None
            return backbone
    return TorchHubBackbone(network, {"entry": entry})


def _square(tokens: Tensor, x: Tensor) -> Tensor | None:
    """Tokens on their grid, which has the proportions of the image."""
    rows = round(math.sqrt(tokens.shape[1] * x.shape[-2] / x.shape[-1]))
    if rows == 0 or tokens.shape[1] % rows:
        return None
    maps: Tensor = tokens.mT.unflatten(2, (rows, tokens.shape[1] // rows))
    return maps
