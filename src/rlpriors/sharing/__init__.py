"""Sharing of saved models: model cards, and the Hugging Face hub.

`card`        the README.md next to a saved reward, prior or encoder
`provenance`  environment, data, metrics and command of a saved model
`repository`  names of repositories on the hub
`download`    saved models of the hub, downloaded once and checked
`upload`      upload of a saved model
`hub_errors`  clear errors of the hub
`reach`       requests that fail at once without a network

The package knows folders and files, and no kind of model: `rlpriors.pretrained` loads and shares all kinds.
"""

from rlpriors.sharing.card import Card
from rlpriors.sharing.download import model_folder
from rlpriors.sharing.provenance import Provenance, select_metrics

__all__ = ["Card", "Provenance", "model_folder", "select_metrics"]
