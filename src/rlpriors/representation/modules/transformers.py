"""Small transformers of predictors.

`Transformer`   over a sequence of vectors
`Queries`       learned questions to a set of vectors
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Queries", "Transformer"]

HEADS = 4
"""Of every layer; widths are multiples of it."""


class Transformer(nn.Module):
    """Vectors [batch, length, dim] to [batch, length, width]; with `causal` none sees a later one.

    Example:
        >>> Transformer(6, 8, 1, length=3)(torch.zeros(2, 3, 6)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, dim: int, width: int, depth: int, length: int, *, causal: bool = False) -> None:
        super().__init__()
        self.enter = nn.Linear(dim, width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        layer = nn.TransformerEncoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.register_buffer(
            "hidden",
            torch.ones(length, length, dtype=torch.bool).triu(1) if causal else None,
            persistent=False,
        )

    def forward(self, x: Float[Tensor, "batch length dim"]) -> Float[Tensor, "batch length width"]:
        """One vector for each."""
        found: Tensor = self.layers(self.enter(x) + self.places, mask=self.hidden)
        return found


class Queries(nn.Module):
    """`count` learned questions attend to [batch, any, width] and to each other: [batch, count, width].

    Example:
        >>> Queries(8, 1, count=3)(torch.zeros(2, 5, 8)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, width: int, depth: int, count: int) -> None:
        super().__init__()
        self.questions = nn.Parameter(0.02 * torch.randn(count, width))
        layer = nn.TransformerDecoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, depth, norm=nn.LayerNorm(width))

    def forward(self, seen: Float[Tensor, "batch any width"]) -> Float[Tensor, "batch count width"]:
        """One answer for each question."""
        found: Tensor = self.layers(self.questions.expand(len(seen), -1, -1), seen)
        return found
