"""Networks of torch.hub repositories, on GitHub or in a local folder, as backbones.

`TorchHubBackbone`   backbone of a network of any architecture
`build_torchhub`     loader
`torchhub_spec`      specification of `<repository or folder>:<entry>`

torch.hub runs the repository's `hubconf.py`.  This is remote code, so it requires
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
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.backbones.weights import (
    explain_download,
    load_weights_strict,
    read_weights,
    seeded_init,
)
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

__all__ = ["TorchHubBackbone", "build_torchhub", "torchhub_spec"]


class TorchHubBackbone(Backbone):
    """Backbone of a network of any architecture, without its classifier `fc` or `head`.

    Supported are convolutional networks with the interface of torchvision's (`layer4`), transformers
    with that of DINO or DINOv2 (`get_intermediate_layers`, or `forward_features` with `x_norm_...`),
    and modules that return vectors [batch, dim], tokens [batch, tokens, dim] or maps
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
                return Features(out["x_norm_clstoken"], tokens, _token_grid(tokens, x))
            last = network.get_intermediate_layers(x, n=1)[0]  # DINO: the class token first
            return Features(last[:, 0], last[:, 1:], _token_grid(last[:, 1:], x))
        out = network(x)
        if not isinstance(out, Tensor) or out.ndim not in (2, 3, 4):
            shape = list(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ValueError(f"its network returns {shape}, neither vectors, tokens nor maps")
        if out.ndim == 2:
            return Features(out, None, None)
        if out.ndim == 3:
            return Features(out.mean(1), out, _token_grid(out, x))
        return Features(out.mean((2, 3)), out.flatten(2).mT, out)

    def _with_layer4(self, x: Tensor) -> Features:
        outputs: list[Tensor] = []
        handle = self.network.layer4.register_forward_hook(lambda _module, _inputs, out: outputs.append(out))
        try:
            vector = self.network(x)
        finally:
            handle.remove()
        (maps,) = outputs
        return Features(vector.flatten(1), maps.flatten(2).mT, maps)


def torchhub_spec(text: str) -> EncoderSpec:
    """Return the specification of `<owner>/<repository>[:<branch>]:<entry>` or `<folder>:<entry>`.

    A repository does not state sizes or license: 224 pixels, ImageNet's normalization and "unknown"
    are assumed.  Pass an `EncoderSpec` to `load_encoder` if that is wrong.

    Raises:
        ValueError: `text` does not name a repository and an entry.
    """
    repo, colon, entry = text.rpartition(":")
    if not (colon and repo and entry):
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
        ValueError: `trust_remote_code` is False, there is no such entry, or the entry has no argument
            `pretrained`.
        FileNotFoundError: the repository or its weights cannot be downloaded.
        CheckpointError: the file is damaged or belongs to another network.
    """
    repo, _colon, entry = spec.model_id.rpartition(":")
    if not trust_remote_code:
        raise ValueError(
            f"`trust_remote_code` must be True for {spec.name!r}: torch.hub runs the code of {repo}. Read "
            "it first."
        )
    local = Path(repo).is_dir()
    options = {**spec.options, "pretrained": weights == "auto"}
    hub: Any = torch.hub  # annotated as if `trust_repo` had to be a string
    with explain_download(spec.name, repo), seeded_init(seed):
        try:
            network = hub.load(
                repo,
                entry,
                source="local" if local else "github",
                trust_repo=True,
                verbose=progress,
                **options,
            )
        except (TypeError, RuntimeError) as error:
            if "pretrained" in str(error):
                raise ValueError(
                    f"{spec.name!r} takes no `pretrained`, so its weights could be random without notice. "
                    "Add that argument to its entry in hubconf.py."
                ) from error
            if "Cannot find callable" in str(error):
                raise ValueError(f"{repo} has no entry {entry!r} in its hubconf.py.") from error
            raise
    if not isinstance(network, nn.Module):
        raise ValueError(f"{spec.name!r} must give a torch.nn.Module. Received a {type(network).__name__}.")
    if weights not in ("auto", "none"):
        try:
            load_weights_strict(network, read_weights(weights), str(weights))
        except CheckpointError as error:
            # The file may hold the network without its classifier.
            backbone = TorchHubBackbone(network, {"entry": entry})
            try:
                load_weights_strict(network, read_weights(weights), str(weights))
            except CheckpointError:
                raise error from None
            return backbone
    return TorchHubBackbone(network, {"entry": entry})


def _token_grid(tokens: Tensor, x: Tensor) -> Tensor | None:
    """Arrange tokens on a grid with the aspect ratio of the image."""
    rows = round(math.sqrt(tokens.shape[1] * x.shape[-2] / x.shape[-1]))
    if rows == 0 or tokens.shape[1] % rows:
        return None
    maps: Tensor = tokens.mT.unflatten(2, (rows, tokens.shape[1] // rows))
    return maps
