"""Small transformers of predictors.

`SequenceTransformer`  self-attention over a sequence of vectors
`QueryDecoder`         learned queries with cross-attention to a set of vectors
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["QueryDecoder", "SequenceTransformer"]

HEADS = 4
"""Number of attention heads in each layer; widths are multiples of it."""


class SequenceTransformer(nn.Module):
    """Vectors [batch, length, dim] to [batch, length, width]; with `causal`, attention is causal.

    Example:
        >>> SequenceTransformer(6, 8, 1, length=3)(torch.zeros(2, 3, 6)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, dim: int, width: int, depth: int, length: int, *, causal: bool = False) -> None:
        super().__init__()
        self.input_layer = nn.Linear(dim, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        layer = nn.TransformerEncoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.register_buffer(
            "causal_mask",
            torch.ones(length, length, dtype=torch.bool).triu(1) if causal else None,
            persistent=False,
        )

    def forward(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length width"]:
        """Return one vector for each input vector."""
        outputs: Tensor = self.layers(self.input_layer(x) + self.positions, mask=self.causal_mask)
        return outputs


class QueryDecoder(nn.Module):
    """`n_queries` learned queries attend to [batch, any, width] and to each other: [batch, n_queries, width].

    Example:
        >>> QueryDecoder(8, 1, n_queries=3)(torch.zeros(2, 5, 8)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, width: int, depth: int, n_queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(0.02 * torch.randn(n_queries, width))
        layer = nn.TransformerDecoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, depth, norm=nn.LayerNorm(width))

    def forward(self, context: Float[Tensor, "batch any width"]) -> Float[Tensor, "batch queries width"]:
        """Return one vector for each query."""
        outputs: Tensor = self.layers(self.queries.expand(len(context), -1, -1), context)
        return outputs
