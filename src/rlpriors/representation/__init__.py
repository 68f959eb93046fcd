"""Self-supervised training of encoders from frames.

The package covers clips of frames, augmented views, target networks, predictors, memories and losses;
each method is a `Recipe` over one `RepresentationLearner`.  It does not know environments, and it does
not evaluate encoders.

`clips`              batches of short frame sequences and their actions
`learner`            training state: updates, resume, images
`losses`             loss functions of tensors
`methods`            one recipe per method, and the registry `RECIPES`
`model`              the module of encoder, projector, target network, predictor and memory
`modules`            projectors, predictors, decoders, transformers and memory banks
`recipe`             dataclasses that describe a method
`registry`           the recipe of a method, by its name and options
`requirements`       sizes of encoders, and checks of a recipe's needs
`target_networks`    online, stop-gradient, moving-average and frozen targets
`training_settings`  length, batches, learning rate and precision
`transforms`         views, augmentations, token masks and jigsaw tiles
`validation`         losses on held-out frames
`whitening`          decorrelation of an encoder's features
"""

from rlpriors.representation.learner import RepresentationLearner
from rlpriors.representation.methods import RECIPES
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.training_settings import TrainingSettings
from rlpriors.representation.transforms.views import View

__all__ = [
    "RECIPES",
    "LossTerm",
    "Recipe",
    "RepresentationLearner",
    "TargetNetworkSettings",
    "TrainingSettings",
    "View",
]
