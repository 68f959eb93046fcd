"""Networks of ACT-JEPA: attention over observation tokens, and learned queries that read them.

`ObservationEncoder`  tokens of an observation, and latent targets of an observation sequence
`QueryDecoder`        one output for each learned query, from the tokens of an observation
`ActJEPANetwork`      context encoder, action decoder and predictor
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.agents.imitation.act_jepa.settings import ActJEPASettings
from rlpriors.build_budget import MachineBudget
from rlpriors.networks.embeddings import sinusoidal_embedding

__all__ = ["ActJEPANetwork", "ObservationEncoder", "QueryDecoder"]


class ObservationEncoder(nn.Module):
    """Transformer over the tokens of observations at consecutive time steps.

    An observation becomes `tokens` tokens by one linear map.  Times are sines and cosines; 0 is the current
    observation.  The context encoder reads the current observation, and its moving average, the target
    encoder, reads the future observations.

    Example:
        >>> encoder = ObservationEncoder(3, ActJEPASettings(horizon=5, width=8, tokens=2))
        >>> encoder(torch.zeros(7, 3)).shape
        torch.Size([7, 2, 8])
        >>> encoder.targets(torch.zeros(7, 5, 3), torch.ones(7, 5, dtype=torch.bool)).shape
        torch.Size([7, 5, 8])
    """

    times: Tensor

    def __init__(self, obs_dim: int, settings: ActJEPASettings) -> None:
        """Build an untrained encoder."""
        super().__init__()
        width = settings.width
        self.n_tokens, self.width = settings.tokens, width
        self.enter = nn.Linear(obs_dim, settings.tokens * width)
        self.kind = nn.Parameter(torch.randn(settings.tokens, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, settings.heads, 4 * width, settings.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.register_buffer("times", _positions(settings.horizon + 1, width), persistent=False)

    def forward(self, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, "batch tokens width"]:
        """Return the tokens of normalized current observations."""
        return self._encode(obs[:, None], self.times[:1], None)

    @torch.no_grad()
    def targets(
        self, future: Float[Tensor, "batch horizon obs"], valid: Bool[Tensor, "batch horizon"]
    ) -> Float[Tensor, "batch horizon width"]:
        """Return the layer-normalized latents of normalized future observations, without gradients.

        A latent is the mean over the tokens of its observation.  Observations that are not `valid` are not
        attended to.
        """
        hidden = (~valid).repeat_interleave(self.n_tokens, 1)
        tokens = self._encode(future, self.times[1:], hidden)
        latents = tokens.unflatten(1, (-1, self.n_tokens)).mean(2)
        return nn.functional.layer_norm(latents, (self.width,))

    def _encode(self, obs: Tensor, times: Tensor, hidden: Tensor | None) -> Tensor:
        tokens = self.enter(obs).unflatten(-1, (self.n_tokens, self.width))
        h = (tokens + self.kind + times[:, None]).flatten(1, 2)
        for block in self.blocks:
            h = block(h, src_key_padding_mask=hidden)
        out: Tensor = self.norm(h)
        return out


class QueryDecoder(nn.Module):
    """Transformer of learned queries, one per time step, that attend to each other and to tokens.

    Example:
        >>> decoder = QueryDecoder(8, 16, 2, ActJEPASettings(horizon=5))
        >>> decoder(torch.zeros(7, 4, 8)).shape
        torch.Size([7, 5, 2])
    """

    def __init__(self, in_width: int, width: int, out_dim: int, settings: ActJEPASettings) -> None:
        """Build an untrained decoder."""
        super().__init__()
        self.enter = nn.Linear(in_width, width)
        self.queries = nn.Parameter(_positions(settings.horizon, width))
        self.blocks = nn.ModuleList(
            nn.TransformerDecoderLayer(
                width, settings.heads, 4 * width, settings.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, out_dim)

    def forward(self, tokens: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch horizon out"]:
        """Return one output per query."""
        memory = self.enter(tokens)
        h = self.queries.expand(len(tokens), -1, -1)
        for block in self.blocks:
            h = block(h, memory)
        out: Tensor = self.leave(self.norm(h))
        return out


class ActJEPANetwork(nn.Module):
    """Context encoder, action decoder, and predictor of future latents (None without a latent loss).

    The predictor is built last: with and without it, the other networks have the same initial weights.

    Example:
        >>> network = ActJEPANetwork(3, 2, ActJEPASettings(horizon=5, width=8, predictor_width=4))
        >>> tokens = network.encoder(torch.zeros(7, 3))
        >>> network.decoder(tokens).shape, network.predictor(tokens).shape
        (torch.Size([7, 5, 2]), torch.Size([7, 5, 8]))
    """

    def __init__(self, obs_dim: int, act_dim: int, settings: ActJEPASettings) -> None:
        """Build untrained networks.

        Raises:
            ValueError: the networks need more than the machine's memory.
        """
        super().__init__()
        width, narrow = settings.width, settings.predictor_width
        with MachineBudget(horizon=settings.horizon, width=width, predictor_width=narrow):
            self.encoder = ObservationEncoder(obs_dim, settings)
            self.decoder = QueryDecoder(width, width, act_dim, settings)
            self.predictor = QueryDecoder(width, narrow, width, settings) if settings.latent_weight else None


def _positions(n: int, width: int) -> Float[Tensor, "n width"]:
    return sinusoidal_embedding(torch.arange(n), width, max_period=float(max(n, 2)))
