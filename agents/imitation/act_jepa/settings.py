"""Settings of ACT-JEPA.

`ActJEPASettings`  chunks, losses and networks of an `ActJEPAPolicy`
"""

from dataclasses import dataclass

from rlpriors.agents.diffusion.fast.chunk_policy import ChunkSettings
from rlpriors.networks.base import check_at_least, check_multiple

__all__ = ["ActJEPASettings"]


@dataclass(frozen=True)
class ActJEPASettings(ChunkSettings):
    """Chunks, losses and networks of an `ActJEPAPolicy`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    horizon: int = 16
    """Number of time steps of a chunk and of the predicted observations, at least 1."""
    ensemble_decay: float | None = None
    """Decay k of temporal ensembling, at least 0: a chunk is computed at every step, and the i-th oldest
    action for this step has the weight exp(-k i).  None executes chunks without ensembling."""
    latent_weight: float = 1.0
    """Weight of the latent loss, at least 0; 0 trains action chunks only, without a predictor (ACT)."""
    momentum: float = 0.996
    """Decay of the target encoder's moving average in the first update, in [0, 1]."""
    final_momentum: float = 1.0
    """Decay of the target encoder's moving average in the last update, in [0, 1]."""
    tokens: int = 4
    """Number of tokens that each observation becomes, at least 1."""
    width: int = 128
    """Width of the encoder and of the action decoder; even and divisible by `heads`."""
    blocks: int = 2
    """Number of attention blocks of the encoder, the predictor and the action decoder, at least 1."""
    predictor_width: int = 64
    """Width of the predictor of latent observations; even and divisible by `heads`."""
    heads: int = 4
    """Number of attention heads, at least 1."""
    dropout: float = 0.1
    """Probability of dropout in training, in [0, 1)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = ("tokens", "width", "blocks", "predictor_width", "heads")
        check_at_least(1, **{name: getattr(self, name) for name in sizes})
        widths = {"width": self.width, "predictor_width": self.predictor_width}
        check_multiple(2, "a sine and a cosine each for the position", **widths)
        check_multiple(self.heads, "the number of `heads`", **widths)
        for name in ("momentum", "final_momentum"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]. Received {getattr(self, name)}.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received {self.dropout}.")
        if self.latent_weight < 0:
            raise ValueError(f"`latent_weight` must be at least 0. Received {self.latent_weight}.")
        if self.ensemble_decay is None:
            return
        if self.ensemble_decay < 0:
            raise ValueError(f"`ensemble_decay` must be at least 0. Received {self.ensemble_decay}.")
        if self.stride != 1 or self.replan_every not in (None, 1):
            raise ValueError(
                "`ensemble_decay` needs a chunk at every step: `stride` 1 and `replan_every` None. Received "
                f"{self.stride} and {self.replan_every}."
            )
