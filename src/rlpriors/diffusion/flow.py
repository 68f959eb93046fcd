"""Flow matching: velocities from data to noise, and mean velocities that cross the path in one step.

`FlowField`         function from (x, r, t) to the mean velocity between the times r and t
`flow_points`       points on the straight paths from data to noise
`draw_times`        random times of a training
`flow_loss`         loss of velocities and mean velocities
`euler_sample`      samples by Euler's rule along velocities
`jump_sample`       samples by jumps along mean velocities, in one step or few

Time runs from 0 (data) to 1 (noise).  The point of a path is x_t = (1 - t) x_0 + t noise, and its velocity is
noise - x_0 (rectified flow: Liu et al. 2022, arXiv 2209.03003, eq. 1).  A network that minimizes the squared
error learns the expected velocity v(x, t), whose curves lead from noise to data.

The mean velocity u(x, r, t) is the displacement from time r to time t along such a curve, divided by t - r
(mean flow: Geng et al. 2025, arXiv 2505.13447, section 4).  One network holds both, because
v(x, t) = u(x, t, t).
`DiffusionProcess` with the schedule "rectified_flow" has the same paths at fixed levels.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["FlowField", "draw_times", "euler_sample", "flow_loss", "flow_points", "jump_sample"]

_LEAST = 1e-3  # error of a row below which `power` has no effect


@runtime_checkable
class FlowField(Protocol):
    """Function from points at time t to their mean velocity between the times r and t."""

    def __call__(
        self, x: Float[Tensor, "batch *entries"], r: Float[Tensor, " batch"], t: Float[Tensor, " batch"], /
    ) -> Float[Tensor, "batch *entries"]: ...


def flow_points(
    x_start: Float[Tensor, "batch *entries"],
    noise: Float[Tensor, "batch *entries"],
    t: Float[Tensor, " batch"],
) -> Float[Tensor, "batch *entries"]:
    """Return (1 - t) x_start + t noise for each row."""
    time = _rows(t, x_start)
    return (1 - time) * x_start + time * noise


def draw_times(
    n: int, distinct: float, *, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Draw times r <= t, the larger of two uniform numbers being t.

    Args:
        n: number of rows.
        distinct: fraction of the rows with r < t, in [0, 1]; the others have r = t.  0 trains velocities
            only, a rectified flow.
        generator: generator of the numbers.
        device: device of the times.

    Raises:
        ValueError: `distinct` is out of its bounds.
    """
    if not 0 <= distinct <= 1:
        raise ValueError(f"`distinct` must be in [0, 1]. Received {distinct}.")
    pair = torch.rand((2, n), generator=generator, device=device)
    t = pair.amax(0)
    equal = torch.rand(n, generator=generator, device=device) >= distinct
    return torch.where(equal, t, pair.amin(0)), t


def flow_loss(
    field: FlowField,
    x_start: Float[Tensor, "batch *entries"],
    *,
    noise: Float[Tensor, "batch *entries"],
    r: Float[Tensor, " batch"],
    t: Float[Tensor, " batch"],
    weight: Float[Tensor, "..."] | None = None,
    power: float = 0.0,
) -> Float[Tensor, ""]:
    """Compute the mean squared error of u(x_t, r, t) against v - (t - r) du/dt.

    v is the velocity noise - x_start of the path, and du/dt the total derivative along it,
    v du/dx + du/dt, without a gradient (arXiv 2505.13447, section 4).  A second derivative of the network
    computes it.  Rows with r = t have the target v, the loss of a rectified flow (arXiv 2209.03003, eq. 1).
    If all rows have, no derivative is computed.

    The targets of long jumps vary so much that few rows make up the mean.  With `power`, the error e of a row
    counts as e / (e + 0.001)^power, with a constant denominator (the adaptive weighting of arXiv 2505.13447).
    The minimum is then no longer exactly the expected velocity.

    Args:
        field: network in training, twice differentiable.
        x_start: clean rows.
        noise: standard normal noise.
        r: earlier time of each row, at most `t`.
        t: time of each row.
        weight: non-negative weights that broadcast to the rows, for example 0 beyond an episode's end.
        power: exponent of the weighting of rows, at least 0; 0 is the squared error, 1/2 is close to the
            absolute error.

    Raises:
        ValueError: `power` is negative, a time is outside [0, 1], or r is larger than t.
    """
    if power < 0:
        raise ValueError(f"`power` must be at least 0. Received {power}.")
    if not bool(((r >= 0) & (r <= t) & (t <= 1)).all()):
        raise ValueError(
            "`r` and `t` must satisfy 0 <= r <= t <= 1. Received r from "
            f"{float(r.min()):g} to {float(r.max()):g} and t from {float(t.min()):g} to {float(t.max()):g}."
        )
    x, velocity = flow_points(x_start, noise, t), noise - x_start
    if torch.equal(r, t):
        output, target = field(x, r, t), velocity
    else:
        output, change = _along(field, x, r, t, velocity)
        target = velocity - _rows(t - r, x) * change
    count = torch.ones_like(x) if weight is None else weight.expand_as(x)
    error, total = (((output - target).square() * count).flatten(1).sum(1), count.flatten(1).sum(1))
    mean = error / total.clamp(min=1e-8)
    return (total * mean / (mean.detach() + _LEAST) ** power).sum() / total.sum().clamp(min=1e-8)


def euler_sample(
    field: FlowField, noise: Float[Tensor, "batch *entries"], n_steps: int
) -> Float[Tensor, "batch *entries"]:
    """Follow the velocities u(x, t, t) from noise to data, by Euler's rule in `n_steps` equal steps."""
    return _sample(field, noise, n_steps, mean=False)


def jump_sample(
    field: FlowField, noise: Float[Tensor, "batch *entries"], n_steps: int = 1
) -> Float[Tensor, "batch *entries"]:
    """Follow the mean velocities u(x, r, t) from noise to data, in `n_steps` equal jumps.

    One jump is noise - u(noise, 0, 1) (arXiv 2505.13447, section 4).
    """
    return _sample(field, noise, n_steps, mean=True)


def _sample(field: FlowField, x: Tensor, n_steps: int, *, mean: bool) -> Tensor:
    if n_steps < 1:
        raise ValueError(f"`n_steps` must be at least 1. Received {n_steps}.")
    for step in range(n_steps, 0, -1):
        t = torch.full((len(x),), step / n_steps, device=x.device)
        r = torch.full((len(x),), (step - 1) / n_steps, device=x.device)
        x = x - field(x, r if mean else t, t) / n_steps
    return x


def _along(field: FlowField, x: Tensor, r: Tensor, t: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
    """Return the field, and its derivative v du/dx + du/dt without a gradient.

    The product with the Jacobian is the derivative of a backward pass in its weights, which any device can
    compute.
    """
    x, t = x.detach().requires_grad_(), t.detach().requires_grad_()
    output = field(x, r, t)
    weights = torch.ones_like(output, requires_grad=True)
    back = torch.autograd.grad(
        output, (x, t), weights, create_graph=True, allow_unused=True, materialize_grads=True
    )
    total = (back[0] * velocity).sum() + back[1].sum()
    (change,) = torch.autograd.grad(
        total, weights, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return output, change.detach()


def _rows(t: Tensor, x: Tensor) -> Tensor:
    """Return one number per row as [batch, 1, ...], which multiplies `x`."""
    return t.reshape(-1, *[1] * (x.ndim - 1))
