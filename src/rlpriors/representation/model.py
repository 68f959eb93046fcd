"""A recipe over an encoder: from a batch to its losses.

`RepresentationModel`   one module with everything that learns or remembers
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.representation.clips import Actions, Batch
from rlpriors.representation.recipe import Encoded, Memory, Recipe, Sizes
from rlpriors.representation.target_networks import ProjectedEncoder, TargetBranch
from rlpriors.representation.transforms.views import Pixels, ViewMaker
from rlpriors.types import Features

__all__ = ["RepresentationModel"]

NEEDS = {
    "maps": "gives maps, such as a convolutional network",
    "tokens": "gives tokens, such as a convolutional network or a vision transformer",
    "masks": 'can leave tokens out: a vision transformer of this library, such as "vit-nano"',
}


class RepresentationModel(nn.Module):
    """Encoder, projector, target branch, predictor and memory of a recipe.

    The encoder is unfrozen and learns in place.  `updates` is how long the training will be, for
    schedules inside it.

    Raises:
        ValueError: the encoder gives no maps or tokens, or cannot leave tokens out, where the recipe
            needs them; or data have no actions where it needs those.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> from rlpriors.representation.methods import RECIPES
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> model = RepresentationModel(encoder, RECIPES["simclr"]())
        >>> losses = model(Batch(torch.zeros(4, 1, 36, 36, 3, dtype=torch.uint8), None, None))
        >>> sorted(losses)
        ['loss', 'nt_xent']
    """

    def __init__(
        self, encoder: ImageEncoder, recipe: Recipe, *, actions: Actions | None = None, updates: int = 1
    ) -> None:
        super().__init__()
        self.recipe = recipe
        _check_encoder(encoder)
        sizes = _sizes(encoder, recipe, actions, updates)
        _check(encoder, recipe, sizes)
        encoder.unfreeze().train()
        device = encoder.device
        self.online = ProjectedEncoder(encoder, recipe.projector(sizes).to(device))
        with torch.no_grad():
            latent: Tensor = self.online.projector.eval()(_example(encoder))
        self.online.projector.train()
        self.sizes = replace(sizes, latent=latent.shape[-1])
        self.target = TargetBranch(self.online, recipe.branch)
        self.predictor = None if recipe.predictor is None else recipe.predictor(self.sizes).to(device)
        self.memory: Memory | None = None if recipe.memory is None else recipe.memory(self.sizes).to(device)
        self.views = ViewMaker(recipe.views, encoder, recipe.horizon).to(device)
        self.outputs: dict[str, Tensor] = {}

    @property
    def encoder(self) -> ImageEncoder:
        """What all this is for."""
        return cast(ImageEncoder, self.online.encoder)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Each loss by its name, weighted, and their sum as "loss"."""
        _, outputs = self._predict(batch)
        if self.memory is not None:
            outputs |= self.memory(outputs)
        with torch.autocast(self.encoder.device.type, enabled=False):  # sums over a batch need all digits
            losses = {
                name: term.weight * term.loss(*(_in_full(outputs[key]) for key in term.inputs))
                for name, term in self.recipe.losses.items()
            }
        self.outputs = {name: tensor.detach() for name, tensor in outputs.items()}
        return {**losses, "loss": torch.stack(list(losses.values())).sum()}

    def encode(self, batch: Batch) -> Encoded:
        """Views of a batch, through both branches."""
        grid = None if self.sizes.maps is None else self.sizes.maps[1:]
        views = self.views(batch, grid)
        features, z = self._through(views, "online")
        again = [made.view.name for made in views if self._alike(made)]
        target_features, y = self._through([made for made in views if made.view.name not in again], "target")
        for name in again:  # one pass serves both branches
            stop = self.recipe.branch.kind == "stopgrad"
            target_features[name] = _stopped(features[name]) if stop else features[name]
            y[name] = z[name].detach() if stop else z[name]
        return Encoded(
            batch=batch,
            pixels={made.view.name: _squeeze(made.images) for made in views},
            features=features,
            z=z,
            target_features=target_features,
            y=y,
            extra={f"{made.view.name}.{name}": found for made in views for name, found in made.extra.items()},
            project=self.online.projector,
        )

    @torch.no_grad()
    def pictures(self, batch: Batch) -> dict[str, Tensor]:
        """What the recipe shows of a batch, such as reconstructions, beside the views as they are seen.

        Pictures are [batch, channels, rows, columns] in [0, 1]; of views of several frames the first.
        """
        mode = self.training
        self.eval()
        try:
            encoded, outputs = self._predict(batch)
            found = {
                f"view/{name}": images if images.ndim == 4 else images[:, 0]
                for name, images in encoded.pixels.items()
            }
            if self.recipe.pictures is not None:
                found |= self.recipe.pictures(encoded, outputs)
        finally:
            self.train(mode)
        return {name: images.float().clamp(0, 1) for name, images in found.items()}

    def after_step(self, progress: float) -> None:
        """What follows an update: moving averages and memories; `progress` is the part that is done."""
        self.target.update(self.online, progress)
        if self.memory is not None:
            self.memory.after_step(self.outputs)

    def _predict(self, batch: Batch) -> tuple[Encoded, dict[str, Tensor]]:
        encoded = self.encode(batch)
        outputs = named(encoded)
        if self.predictor is not None:
            outputs |= self.predictor(encoded)
        return encoded, outputs

    def _through(self, views: list[Pixels], branch: str) -> tuple[dict[str, Features], dict[str, Tensor]]:
        """The views of a branch, in one forward pass, so that its batch statistics are theirs together.

        Views with a mask pass the online branch one by one; targets see everything.
        """
        mine = [made for made in views if made.view.branch in (branch, "both")]
        masked = [made for made in mine if made.kept is not None and branch == "online"]
        whole = [made for made in mine if not any(made is other for other in masked)]
        features, vectors = {}, {}
        for together in ([whole] if whole else []) + [[made] for made in masked]:
            x = torch.cat([self.views.to_input(made.images.flatten(0, 1)) for made in together])
            seen, projected = self._branch(x, None if together is whole else together[0].kept, branch)
            first = 0
            for made in together:
                time = made.images.shape[:2]
                rows = slice(first, first + time.numel())
                features[made.view.name] = _cut(seen, rows, time)
                vectors[made.view.name] = _fold(projected[rows], time)
                first = rows.stop
        return features, vectors

    def _branch(self, x: Tensor, kept: Tensor | None, branch: str) -> tuple[Features, Tensor]:
        if branch == "target":  # targets see everything
            found: tuple[Features, Tensor] = self.target(self.online, x)
            return found
        if kept is None:
            both: tuple[Features, Tensor] = self.online(x)
            return both
        features = self.encoder.see(x, kept)
        return features, self.online.projector(features)

    def _alike(self, made: Pixels) -> bool:
        """Whether both branches make the same of a view."""
        return (
            self.recipe.branch.kind in ("online", "stopgrad")
            and made.view.branch == "both"
            and made.kept is None
        )


def named(encoded: Encoded) -> dict[str, Tensor]:
    """Everything of a batch that losses may be computed from, by name."""
    batch = encoded.batch
    groups: dict[str, Mapping[str, Tensor]] = {"pixels": encoded.pixels, "z": encoded.z, "y": encoded.y}
    found = {f"{group}.{name}": tensor for group, part in groups.items() for name, tensor in part.items()}
    actions = {"act": batch.act, "act_index": batch.act_index}
    return found | dict(encoded.extra) | {name: act for name, act in actions.items() if act is not None}


def _fold(tensor: Tensor, time: torch.Size) -> Tensor:
    return _squeeze(tensor.unflatten(0, time))


def _squeeze(tensor: Tensor) -> Tensor:
    return tensor[:, 0] if tensor.shape[1] == 1 else tensor


def _cut(features: Features, rows: slice, time: torch.Size) -> Features:
    """Some rows of everything that an encoder gives, by batch and time."""
    global_, tokens, maps = features
    return Features(
        _fold(global_[rows], time),
        None if tokens is None else _fold(tokens[rows], time),
        None if maps is None else _fold(maps[rows], time),
    )


def _in_full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _stopped(features: Features) -> Features:
    global_, tokens, maps = features
    return Features(
        global_.detach(),
        None if tokens is None else tokens.detach(),
        None if maps is None else maps.detach(),
    )


def _example(encoder: ImageEncoder) -> Features:
    """Features of two black images."""
    height, width = encoder.spec.input_size
    x = torch.zeros(2, encoder.spec.channels, height, width, device=encoder.device)
    with torch.no_grad():
        mode = encoder.training
        features: Features = encoder.eval()(x)
        encoder.train(mode)
    return features


def _sizes(encoder: ImageEncoder, recipe: Recipe, actions: Actions | None, updates: int) -> Sizes:
    global_, tokens, maps = _example(encoder)
    return Sizes(
        dim=global_.shape[1],
        maps=None if maps is None else (maps.shape[1], maps.shape[2], maps.shape[3]),
        tokens=None if tokens is None else (tokens.shape[1], tokens.shape[2]),
        pixels=(encoder.spec.channels, *encoder.spec.input_size),
        horizon=recipe.horizon,
        stride=recipe.stride,
        actions=actions,
        updates=updates,
    )


def _check(encoder: ImageEncoder, recipe: Recipe, sizes: Sizes) -> None:
    if "act" in recipe.needs and sizes.actions is None:
        raise ValueError(
            f"Recipe {recipe.name!r} needs actions. Received data without any; store them as `act` when "
            "frames are written."
        )
    given = {"maps": sizes.maps is not None, "tokens": sizes.tokens is not None, "masks": encoder.can_mask}
    for name, need in NEEDS.items():
        if name in recipe.needs and not given[name]:
            raise ValueError(
                f"Recipe {recipe.name!r} needs an encoder that {need}. Received {encoder.spec.name!r}."
            )


def _check_encoder(encoder: ImageEncoder) -> None:
    if encoder.spec.frames > 1:
        raise ValueError(
            f"`encoder` must see single frames. Received {encoder.spec.name!r}, which sees clips of "
            f"{encoder.spec.frames}."
        )
    if any(True for _ in encoder.readout.parameters()):
        raise ValueError(
            "`encoder` must have a readout without weights, as recipes train the network in front of it. "
            f"Received {encoder.readout.name!r}; take another, and set this one when the encoder is loaded."
        )
