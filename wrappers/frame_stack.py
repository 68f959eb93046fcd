"""Ring buffer of each environment's last encoded frames, on the device.

`FrameStack`  last `stack` encodings of each environment, so that each frame is encoded once
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["FrameStack"]


class FrameStack:
    """The last `stack` encoded frames of `n_envs` environments: [n_envs, stack, *shape].

    A new encoding overwrites the oldest one.  `read` and `peek` return copies, ordered from the oldest
    frame to the newest.

    Example:
        >>> frame_stack = FrameStack(n_envs=2, stack=3, shape=(1,))
        >>> both = torch.tensor([0, 1])
        >>> frame_stack.fill(both, torch.tensor([[1.0], [5.0]]))
        >>> frame_stack.push(torch.tensor([0]), torch.tensor([[2.0]]))
        >>> frame_stack.read(both)[..., 0]
        tensor([[1., 1., 2.],
                [5., 5., 5.]])
    """

    def __init__(
        self, n_envs: int, stack: int, shape: tuple[int, ...], device: str | torch.device = "cpu"
    ) -> None:
        self.encodings = torch.zeros(n_envs, stack, *shape, device=device)
        self.oldest = torch.zeros(n_envs, dtype=torch.long, device=device)
        self._positions = torch.arange(stack, device=device)

    @torch.no_grad()
    def fill(self, env_ids: Int[Tensor, " batch"], encodings: Float[Tensor, "batch *shape"]) -> None:
        """Start an episode in these environments: fill the whole stack with its first frame."""
        self.encodings[env_ids] = encodings.unsqueeze(1).to(self.encodings.dtype)

    @torch.no_grad()
    def push(self, env_ids: Int[Tensor, " batch"], encodings: Float[Tensor, "batch *shape"]) -> None:
        """Add one frame to each of these environments."""
        self.encodings[env_ids, self.oldest[env_ids]] = encodings.to(self.encodings.dtype)
        self.oldest[env_ids] = (self.oldest[env_ids] + 1) % len(self._positions)

    @torch.no_grad()
    def add(
        self,
        env_ids: Int[Tensor, " batch"],
        encodings: Float[Tensor, "batch *shape"],
        first: Bool[Tensor, " batch"],
    ) -> None:
        """Add one frame to each of these environments, and start an episode where `first` is True.

        The mask is not read on the host, so that no step waits for the device.
        """
        self.push(env_ids, encodings)
        if len(self._positions) > 1:
            new, starts = encodings.unsqueeze(1), first.view(-1, *[1] * encodings.ndim)
            self.encodings[env_ids] = torch.where(
                starts, new.to(self.encodings.dtype), self.encodings[env_ids]
            )

    @torch.no_grad()
    def read(self, env_ids: Int[Tensor, " batch"]) -> Float[Tensor, "batch stack *shape"]:
        """Return the stacks of these environments, from the oldest frame to the newest."""
        order = (self.oldest[env_ids].unsqueeze(1) + self._positions) % len(self._positions)
        return self.encodings[env_ids.unsqueeze(1), order]

    @torch.no_grad()
    def peek(
        self, env_ids: Int[Tensor, " batch"], encodings: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, "batch stack *shape"]:
        """Return what `read` would return after `push`, without changing the stack."""
        older = self.read(env_ids)[:, 1:]
        return torch.cat([older, encodings.unsqueeze(1).to(older.dtype)], 1)
