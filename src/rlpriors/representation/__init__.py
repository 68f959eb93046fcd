"""Learning encoders from frames alone: windows, views, an encoder with a target branch, and losses.

`RECIPES`                 every method by its name
`RepresentationLearner`   trains an encoder by one of them
`TrainingSettings`        how
`Recipe`, `Term`, `View`, `Branch`   what a method is made of
"""

from rlpriors.representation.learner import RepresentationLearner, TrainingSettings
from rlpriors.representation.methods import RECIPES
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["RECIPES", "Branch", "Recipe", "RepresentationLearner", "Term", "TrainingSettings", "View"]
