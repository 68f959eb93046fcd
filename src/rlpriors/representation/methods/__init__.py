"""Methods of representation learning, one recipe per function.

The package covers EIRLI's methods and later ones; each file names its paper.  `RECIPES` contains all
recipes by name, `EIRLI_NAMES` the names of this library by the names of EIRLI's classes.

`act_jepa`                      joint prediction of actions and latents
`action_conditioned_cpc`        contrastive prediction from actions
`action_prediction`             behavior cloning as a representation loss
`atc`                           augmented temporal contrast with a moving-average target
`barlow`                        decorrelation by the cross-correlation matrix
`byol`                          prediction of a moving-average network's projections
`ceb`                           conditional entropy bottleneck of two frames
`contrastive_inverse_dynamics`  InfoNCE of frames and actions
`curl`                          contrastive learning of two views by a bilinear score
`dino`                          self-distillation from a moving-average teacher
`dynamics`                      prediction of a later frame's pixels from actions
`dynamics_latent`               action-conditioned prediction by SimSiam
`dynamo`                        inverse and forward dynamics with latent actions
`gaussian_prior`                control with normally distributed features
`i_jepa`                        prediction of target tokens in masked blocks
`inverse_dynamics`              prediction of the actions between two frames
`jigsaw`                        classification of tile permutations
`mae`                           reconstruction of masked patches from visible patches
`moco`                          contrastive learning with a queue of momentum keys
`myow`                          BYOL with a cascaded prediction of mined neighbors
`recurrent_cpc`                 contrastive prediction from a GRU
`simclr`                        contrastive learning of two augmented views of a frame
`spr`                           multi-step latent dynamics on maps
`st_dim`                        contrastive prediction of the next frame's map
`swav`                          prediction of the other view's assignment to prototypes
`temporal_cpc`                  contrastive prediction of a later frame
`vae`                           reconstruction of pixels from a code
`vicreg`                        invariance with variance and covariance terms
"""

from collections.abc import Callable

from rlpriors.representation.methods.act_jepa import act_jepa
from rlpriors.representation.methods.action_conditioned_cpc import action_conditioned_cpc
from rlpriors.representation.methods.action_prediction import action_prediction
from rlpriors.representation.methods.atc import atc
from rlpriors.representation.methods.barlow import barlow
from rlpriors.representation.methods.byol import byol
from rlpriors.representation.methods.ceb import ceb, fixed_variance_ceb, fixed_variance_target_projected_ceb
from rlpriors.representation.methods.contrastive_inverse_dynamics import contrastive_inverse_dynamics
from rlpriors.representation.methods.curl import curl
from rlpriors.representation.methods.dino import dino
from rlpriors.representation.methods.dynamics import action_conditioned_vae, dynamics
from rlpriors.representation.methods.dynamics_latent import dynamics_latent
from rlpriors.representation.methods.dynamo import dynamo
from rlpriors.representation.methods.gaussian_prior import gaussian_prior
from rlpriors.representation.methods.i_jepa import i_jepa
from rlpriors.representation.methods.inverse_dynamics import inverse_dynamics
from rlpriors.representation.methods.jigsaw import jigsaw
from rlpriors.representation.methods.mae import mae
from rlpriors.representation.methods.moco import moco
from rlpriors.representation.methods.myow import myow
from rlpriors.representation.methods.recurrent_cpc import recurrent_cpc
from rlpriors.representation.methods.simclr import simclr
from rlpriors.representation.methods.spr import spr
from rlpriors.representation.methods.st_dim import st_dim
from rlpriors.representation.methods.swav import swav
from rlpriors.representation.methods.temporal_cpc import temporal_cpc
from rlpriors.representation.methods.vae import ae, vae
from rlpriors.representation.methods.vicreg import vicreg
from rlpriors.representation.recipe import Recipe

__all__ = ["EIRLI_NAMES", "RECIPES"]

RECIPES: dict[str, Callable[..., Recipe]] = {
    # Views of one image.
    "simclr": simclr,
    "moco": moco,
    "byol": byol,
    "vicreg": vicreg,
    "barlow": barlow,
    "swav": swav,
    "dino": dino,
    "curl": curl,
    "myow": myow,
    # Time: prediction of later frames.
    "temporal-cpc": temporal_cpc,
    "recurrent-cpc": recurrent_cpc,
    "st-dim": st_dim,
    "atc": atc,
    "ceb": ceb,
    "fixed-variance-ceb": fixed_variance_ceb,
    "fixed-variance-target-projected-ceb": fixed_variance_target_projected_ceb,
    "dynamo": dynamo,
    # Actions: prediction of actions or from actions.
    "inverse-dynamics": inverse_dynamics,
    "contrastive-inverse-dynamics": contrastive_inverse_dynamics,
    "action-prediction": action_prediction,
    "action-conditioned-cpc": action_conditioned_cpc,
    "dynamics-latent": dynamics_latent,
    "spr": spr,
    "act-jepa": act_jepa,
    # Pixels: reconstruction, prediction, tile order.
    "ae": ae,
    "vae": vae,
    "dynamics": dynamics,
    "action-conditioned-vae": action_conditioned_vae,
    "jigsaw": jigsaw,
    # Transformers: prediction of masked tokens.
    "mae": mae,
    "i-jepa": i_jepa,
    # Control.
    "gaussian-prior": gaussian_prior,
}

EIRLI_NAMES: dict[str, str] = {
    "SimCLR": "simclr",
    "MoCo": "moco",
    "BYOL": "byol",
    "TemporalCPC": "temporal-cpc",
    "RecurrentCPC": "recurrent-cpc",
    "CEB": "ceb",
    "FixedVarianceCEB": "fixed-variance-ceb",
    "FixedVarianceTargetProjectedCEB": "fixed-variance-target-projected-ceb",
    "InverseDynamicsPrediction": "inverse-dynamics",
    "ContrastiveInverseDynamicsPrediction": "contrastive-inverse-dynamics",
    "ActionPrediction": "action-prediction",
    "ActionConditionedTemporalCPC": "action-conditioned-cpc",
    "ActionConditionedTemporalVAE": "action-conditioned-vae",
    "DynamicsPrediction": "dynamics",
    "Autoencoder": "ae",
    "VariationalAutoencoder": "vae",
    "Jigsaw": "jigsaw",
    "GaussianPriorControl": "gaussian-prior",
}
