"""Network that normalizes observations before its first layer.

`NormalizedNet`  multilayer perceptron behind a fixed affine map of the observation
"""

from typing import Any

import torch
from tianshou.utils.net.common import Net
from torch import Tensor

from rlpriors.data.normalize import Normalizer

__all__ = ["NormalizedNet"]


class NormalizedNet(Net):
    """Tianshou's multilayer perceptron behind a fixed affine map of the observation.

    Degrees, percentages and meters differ by orders of magnitude, and a network that reads them in raw units
    learns slowly.  The map is saved with the weights.  Further inputs, such as the actions that a critic
    reads, are unchanged.

    Args:
        normalizer: map of a flat observation, copied.
        arguments: arguments of Tianshou's `Net`.

    Example:
        >>> normalizer = Normalizer(torch.tensor([20.0]), torch.tensor([10.0]))
        >>> raw, scaled = torch.tensor([[30.0]]), torch.tensor([[1.0]])
        >>> net = NormalizedNet(normalizer, state_shape=1, hidden_sizes=[4])
        >>> torch.equal(net(raw)[0], net.model(scaled))
        True
    """

    def __init__(self, normalizer: Normalizer, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.normalizer = Normalizer(normalizer.loc.cpu(), normalizer.scale.cpu())

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> tuple[Tensor, Any]:
        """Return the output for raw observations, and the unchanged state."""
        weight = self.normalizer.loc
        flat = torch.as_tensor(obs, device=weight.device, dtype=weight.dtype).flatten(1)
        n = self.normalizer.dim
        inputs = torch.cat([self.normalizer(flat[:, :n]), flat[:, n:]], 1)
        output: tuple[Tensor, Any] = super().forward(inputs, state, info)
        return output
