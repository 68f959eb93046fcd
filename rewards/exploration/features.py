"""Features of observation and action, of which exploration bonuses measure the novelty.

`FeatureKind`          names of the features
`ProductFeatures`      product of each observation entry with each action entry
`RandomFeatures`       random Fourier features
`ContrastiveFeatures`  trained features with a head for the next observation
`contrastive_loss`     loss that trains them
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.validation import check_positive

__all__ = [
    "ContrastiveFeatures",
    "FeatureKind",
    "ProductFeatures",
    "RandomFeatures",
    "contrastive_loss",
]

FeatureKind = Literal["product", "random", "contrastive", "given"]


class ProductFeatures(nn.Module):
    """Product of each entry of the observation with each entry of the action.

    With one-hot observations and Discrete actions it is one-hot in both, and a bonus of it counts visits.

    Example:
        >>> ProductFeatures(2)(torch.tensor([[3.0, 5.0, 0.0, 1.0]]))
        tensor([[0., 3., 0., 5.]])
    """

    def __init__(self, n_obs: int) -> None:
        super().__init__()
        self.n_obs = n_obs

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch features"]:
        """Return the products, with those of the first observation entry first."""
        obs, act = x[..., : self.n_obs], x[..., self.n_obs :]
        return (obs[..., :, None] * act[..., None, :]).flatten(-2)


class RandomFeatures(nn.Module):
    """Random Fourier features sqrt(2 / n) cos(W x + c) of a Gaussian kernel (Rahimi and Recht 2007).

    The kernel of two inputs at the distance d is exp(-d^2 / (2 bandwidth^2)).

    Example:
        >>> features = RandomFeatures(1, 4000, bandwidth=1.0, seed=0)
        >>> a, b = features(torch.tensor([[0.0], [1.0]]))
        >>> bool((a @ b - math.exp(-0.5)).abs() < 0.03)
        True

    Raises:
        ValueError: `bandwidth` is not above 0.
    """

    weight: Tensor
    offset: Tensor

    def __init__(self, n_inputs: int, n_features: int, bandwidth: float, seed: int) -> None:
        super().__init__()
        check_positive(bandwidth=bandwidth)
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(n_inputs, n_features, generator=generator) / bandwidth
        self.register_buffer("weight", weight)
        self.register_buffer("offset", 2 * math.pi * torch.rand(n_features, generator=generator))

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch features"]:
        """Return the features, of a squared length of about 1."""
        scale: float = (2 / len(self.offset)) ** 0.5
        return scale * torch.cos(x @ self.weight + self.offset)


class ContrastiveFeatures(nn.Module):
    """Trained features phi(s, a) of length 1 that predict the next observation by phi(s, a)^T psi(s').

    They are the representation of Contrastive UCB (Qiu et al., arXiv 2207.14800): with it, the transition
    probabilities are linear in phi, and so are the values of all policies.

    Example:
        >>> features = ContrastiveFeatures(3, 2, 8, hidden=(16,), seed=0)
        >>> features(torch.ones(4, 3)).norm(dim=-1).allclose(torch.ones(4))
        True
        >>> features.next_features(torch.ones(4, 2)).shape
        torch.Size([4, 8])
    """

    def __init__(
        self, n_inputs: int, n_next: int, n_features: int, hidden: tuple[int, ...], seed: int
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.phi, self.psi = (
                build_mlp(n_inputs, hidden, n_features),
                build_mlp(n_next, hidden, n_features),
            )

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch features"]:
        """Return phi(s, a), of length 1."""
        return nn.functional.normalize(self.phi(x), dim=-1)

    def next_features(self, obs_next: Float[Tensor, "*batch next"]) -> Float[Tensor, "*batch features"]:
        """Return psi(s'), of length 1."""
        return nn.functional.normalize(self.psi(obs_next), dim=-1)


def contrastive_loss(
    phi: Float[Tensor, "batch features"], psi: Float[Tensor, "batch features"], temperature: float
) -> Float[Tensor, ""]:
    """Return the cross-entropy of finding each row's own next observation among those of the batch.

    Example:
        >>> phi = torch.eye(2)
        >>> round(contrastive_loss(phi, phi, temperature=1.0).item(), 4)  # -log(e / (e + 1))
        0.3133
    """
    logits = phi @ psi.T / temperature
    return nn.functional.cross_entropy(logits, torch.arange(len(phi), device=phi.device))
