"""The module that computes the losses of a recipe from a batch.

`RepresentationModel`  encoder, projector, target network, predictor and memory of a recipe
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.representation.clips import Actions, ClipBatch
from rlpriors.representation.recipe import EncodedBatch, Memory, Recipe
from rlpriors.representation.requirements import (
    check_encoder,
    check_needs,
    example_features,
    measure_sizes,
)
from rlpriors.representation.target_networks import ProjectedEncoder, TargetNetwork
from rlpriors.representation.transforms.views import ViewBatch, ViewMaker
from rlpriors.types import Features

__all__ = ["RepresentationModel"]


class RepresentationModel(nn.Module):
    """Encoder, projector, target network, predictor and memory of a recipe.

    The encoder is unfrozen and trained in place.

    Args:
        encoder: network to train.
        recipe: method of training.
        actions: kind of actions in the data; None where data have none.
        updates: number of updates of the whole training, for schedules inside the recipe.

    Raises:
        ValueError: the recipe needs maps, tokens or token masks that the encoder does not support, or
            actions that the data do not have.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> from rlpriors.representation.methods import RECIPES
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> model = RepresentationModel(encoder, RECIPES["simclr"]())
        >>> losses = model(ClipBatch(torch.zeros(4, 1, 36, 36, 3, dtype=torch.uint8), None, None))
        >>> sorted(losses)
        ['loss', 'nt_xent']
    """

    def __init__(
        self, encoder: ImageEncoder, recipe: Recipe, *, actions: Actions | None = None, updates: int = 1
    ) -> None:
        super().__init__()
        self.recipe = recipe
        check_encoder(encoder)
        sizes = measure_sizes(encoder, recipe, actions, updates)
        check_needs(encoder, recipe, sizes)
        encoder.unfreeze().train()
        device = encoder.device
        self.online = ProjectedEncoder(encoder, recipe.projector(sizes).to(device))
        with torch.no_grad():
            latent: Tensor = self.online.projector.eval()(example_features(encoder))
        self.online.projector.train()
        self.sizes = replace(sizes, latent=latent.shape[-1])
        self.target = TargetNetwork(self.online, recipe.target)
        self.predictor = None if recipe.predictor is None else recipe.predictor(self.sizes).to(device)
        self.memory: Memory | None = None if recipe.memory is None else recipe.memory(self.sizes).to(device)
        self.views = ViewMaker(recipe.views, encoder, recipe.horizon).to(device)
        self.outputs: dict[str, Tensor] = {}

    @property
    def encoder(self) -> ImageEncoder:
        """The encoder that is trained."""
        return cast(ImageEncoder, self.online.encoder)

    def forward(self, batch: ClipBatch) -> dict[str, Tensor]:
        """Return each weighted loss by its name, and their sum as "loss"."""
        _, outputs = self._predict(batch)
        if self.memory is not None:
            outputs |= self.memory(outputs)
        with torch.autocast(self.encoder.device.type, enabled=False):  # sums over a batch need full precision
            losses = {
                name: term.weight * term.loss(*(_to_float32(outputs[key]) for key in term.inputs))
                for name, term in self.recipe.losses.items()
            }
        self.outputs = {name: tensor.detach() for name, tensor in outputs.items()}
        return {**losses, "loss": torch.stack(list(losses.values())).sum()}

    def encode(self, batch: ClipBatch) -> EncodedBatch:
        """Return the views of a batch with the outputs of the online and the target network."""
        grid = None if self.sizes.maps is None else self.sizes.maps[1:]
        views = self.views(batch, grid)
        features, z = self._encode_views(views, "online")
        shared = [each.view.name for each in views if self._shares_outputs(each)]
        target_features, y = self._encode_views(
            [each for each in views if each.view.name not in shared], "target"
        )
        for name in shared:  # one pass serves both branches
            stop = self.recipe.target.kind == "stopgrad"
            target_features[name] = _detached(features[name]) if stop else features[name]
            y[name] = z[name].detach() if stop else z[name]
        return EncodedBatch(
            batch=batch,
            pixels={each.view.name: _drop_single_frame(each.images) for each in views},
            features=features,
            z=z,
            target_features=target_features,
            y=y,
            extra={f"{each.view.name}.{name}": value for each in views for name, value in each.extra.items()},
            project=self.online.projector,
        )

    @torch.no_grad()
    def visualize(self, batch: ClipBatch) -> dict[str, Tensor]:
        """Return the views of a batch as "view/<name>", and the images of the recipe, such as
        reconstructions.

        Images are [batch, channels, rows, columns] in [0, 1]; a view of several frames is shown by its
        first.
        """
        mode = self.training
        self.eval()
        try:
            encoded, outputs = self._predict(batch)
            shown = {
                f"view/{name}": images if images.ndim == 4 else images[:, 0]
                for name, images in encoded.pixels.items()
            }
            if self.recipe.visualize is not None:
                shown |= self.recipe.visualize(encoded, outputs)
        finally:
            self.train(mode)
        return {name: images.float().clamp(0, 1) for name, images in shown.items()}

    def after_step(self, progress: float) -> None:
        """Update moving averages and memories after an optimizer step.

        `progress` is the completed fraction of all updates.
        """
        self.target.update(self.online, progress)
        if self.memory is not None:
            self.memory.after_step(self.outputs)

    def _predict(self, batch: ClipBatch) -> tuple[EncodedBatch, dict[str, Tensor]]:
        encoded = self.encode(batch)
        outputs = loss_inputs(encoded)
        if self.predictor is not None:
            outputs |= self.predictor(encoded)
        return encoded, outputs

    def _encode_views(
        self, views: list[ViewBatch], branch: str
    ) -> tuple[dict[str, Features], dict[str, Tensor]]:
        """Encode the views of a branch in one forward pass, with common batch statistics.

        Views with a mask pass the online network one by one; the target network encodes all tokens.
        """
        selected = [each for each in views if each.view.branch in (branch, "both")]
        masked = [each for each in selected if each.visible is not None and branch == "online"]
        unmasked = [each for each in selected if not any(each is other for other in masked)]
        features, vectors = {}, {}
        for group in ([unmasked] if unmasked else []) + [[each] for each in masked]:
            x = torch.cat([self.views.to_input(each.images.flatten(0, 1)) for each in group])
            encoded, projected = self._forward(x, None if group is unmasked else group[0].visible, branch)
            first = 0
            for each in group:
                time = each.images.shape[:2]
                rows = slice(first, first + time.numel())
                features[each.view.name] = _select_rows(encoded, rows, time)
                vectors[each.view.name] = _unflatten_time(projected[rows], time)
                first = rows.stop
        return features, vectors

    def _forward(self, x: Tensor, visible: Tensor | None, branch: str) -> tuple[Features, Tensor]:
        outputs: tuple[Features, Tensor]
        if branch == "target":
            outputs = self.target(self.online, x)
        elif visible is None:
            outputs = self.online(x)
        else:
            features = self.encoder.forward_tokens(x, visible)
            outputs = features, self.online.projector(features)
        return outputs

    def _shares_outputs(self, batch_view: ViewBatch) -> bool:
        """Return whether both branches compute the same outputs from a view."""
        return (
            self.recipe.target.kind in ("online", "stopgrad")
            and batch_view.view.branch == "both"
            and batch_view.visible is None
        )


def loss_inputs(encoded: EncodedBatch) -> dict[str, Tensor]:
    """Return all tensors of a batch that losses may read, by name."""
    batch = encoded.batch
    groups: dict[str, Mapping[str, Tensor]] = {"pixels": encoded.pixels, "z": encoded.z, "y": encoded.y}
    inputs = {f"{group}.{name}": tensor for group, views in groups.items() for name, tensor in views.items()}
    actions = {"act": batch.act, "act_index": batch.act_index}
    return inputs | dict(encoded.extra) | {name: act for name, act in actions.items() if act is not None}


def _unflatten_time(tensor: Tensor, time: torch.Size) -> Tensor:
    return _drop_single_frame(tensor.unflatten(0, time))


def _drop_single_frame(tensor: Tensor) -> Tensor:
    return tensor[:, 0] if tensor.shape[1] == 1 else tensor


def _select_rows(features: Features, rows: slice, time: torch.Size) -> Features:
    """Return some rows of all features, by batch and time."""
    global_, tokens, maps = features
    return Features(
        _unflatten_time(global_[rows], time),
        None if tokens is None else _unflatten_time(tokens[rows], time),
        None if maps is None else _unflatten_time(maps[rows], time),
    )


def _to_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _detached(features: Features) -> Features:
    global_, tokens, maps = features
    return Features(
        global_.detach(),
        None if tokens is None else tokens.detach(),
        None if maps is None else maps.detach(),
    )
