"""Methods of representation learning, each a recipe in a file of its own.

`RECIPES`       all of them by name, and what is made by each
`EIRLI_NAMES`   ours, by the names of EIRLI's classes
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
    "simclr": simclr,
    "moco": moco,
    "byol": byol,
    "vicreg": vicreg,
    "barlow": barlow,
    "swav": swav,
    "dino": dino,
    "curl": curl,
    "myow": myow,
    # Time: what comes later.
    "temporal-cpc": temporal_cpc,
    "recurrent-cpc": recurrent_cpc,
    "st-dim": st_dim,
    "atc": atc,
    "ceb": ceb,
    "fixed-variance-ceb": fixed_variance_ceb,
    "fixed-variance-target-projected-ceb": fixed_variance_target_projected_ceb,
    "dynamo": dynamo,
    # Actions: what was done, and what it leads to.
    "inverse-dynamics": inverse_dynamics,
    "contrastive-inverse-dynamics": contrastive_inverse_dynamics,
    "action-prediction": action_prediction,
    "action-conditioned-cpc": action_conditioned_cpc,
    "dynamics-latent": dynamics_latent,
    "spr": spr,
    "act-jepa": act_jepa,
    # Pixels: an image again, the next one, or this one in order.
    "ae": ae,
    "vae": vae,
    "dynamics": dynamics,
    "action-conditioned-vae": action_conditioned_vae,
    "jigsaw": jigsaw,
    # Transformers: what was hidden of an image.
    "mae": mae,
    "i-jepa": i_jepa,
    # The control.
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
