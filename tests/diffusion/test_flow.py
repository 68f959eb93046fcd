"""Flow matching: exact velocities between Gaussians, and one jump that keeps two modes."""

import pytest
import torch
from gaussian_flow import GaussianFlow
from torch import nn

from rlpriors.diffusion.flow import FlowField, draw_times, euler_sample, flow_loss, flow_points, jump_sample
from rlpriors.networks.flow_mlp import FlowMLP

FLOW = GaussianFlow(mean=1.5, std=0.5)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_points_lie_on_the_straight_path() -> None:
    x, noise = torch.tensor([[4.0], [4.0]]), torch.tensor([[0.0], [8.0]])
    assert flow_points(x, noise, torch.tensor([0.25, 0.5])).tolist() == [[3.0], [6.0]]


def test_the_exact_velocity_is_the_derivative_of_the_exact_map() -> None:
    # The toy's velocity (a regression) and map (a scaling) are derived separately.
    x, t = normal(50, 1).double(), torch.linspace(0.1, 0.9, 50).double()
    slope = (FLOW.map(x, t + 1e-5, t) - FLOW.map(x, t - 1e-5, t)) / 2e-5
    torch.testing.assert_close(slope, FLOW.velocity(x, t), atol=1e-8, rtol=0)


def test_one_jump_along_exact_mean_velocities_draws_the_data() -> None:
    x = jump_sample(FLOW, normal(50_000, 1), 1)
    assert float(x.mean()) == pytest.approx(1.5, abs=0.01)
    assert float(x.std()) == pytest.approx(0.5, abs=0.01)
    # Seven jumps along exact mean velocities are the same map.
    torch.testing.assert_close(jump_sample(FLOW, normal(50_000, 1), 7), x, atol=1e-4, rtol=0)


def test_the_error_of_eulers_rule_halves_with_the_step() -> None:
    noise = normal(2000, 1)
    exact = jump_sample(FLOW, noise, 1)
    errors = [float((euler_sample(FLOW, noise, n) - exact).abs().mean()) for n in (8, 16, 32)]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.15)


def test_the_loss_has_the_hand_worked_target() -> None:
    # u = a x + b r + c t with a = 2, b = 3, c = 5; x_0 = 1, noise = 3: v = 2.
    # r = 0.25, t = 0.5: x_t = 2, u = 4 + 0.75 + 2.5 = 7.25, du/dt = 2 v + 5 = 9.
    # target = 2 - 0.25 * 9 = -0.25, error = 7.5^2.
    one = torch.ones(1)
    arguments = {"noise": 3 * one[None], "r": 0.25 * one, "t": 0.5 * one}
    loss = flow_loss(lambda x, r, t: 2 * x + (3 * r + 5 * t)[:, None], one[None], **arguments)
    assert loss.item() == pytest.approx(7.5**2)


def test_the_exact_field_is_stationary() -> None:
    # The gradient of the loss in a constant added to the exact field is 0 in the mean over the data.
    n = 200_000
    noise, generator = normal(n, 1, seed=1).double(), torch.Generator().manual_seed(3)
    x = 1.5 + 0.5 * normal(n, 1, seed=2).double()
    for distinct in (0.0, 1.0):
        r, t = (time.double() for time in draw_times(n, distinct, generator=generator))
        shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
        loss = flow_loss(lambda x, r, t, s=shift: FLOW(x, r, t) + s, x, noise=noise, r=r, t=t)
        (gradient,) = torch.autograd.grad(loss, shift)
        assert abs(float(gradient)) < 0.02
        wrong = torch.zeros((), dtype=torch.float64, requires_grad=True)
        loss = flow_loss(lambda x, r, t, s=wrong: FLOW(x, r, t) + 0.1 + s, x, noise=noise, r=r, t=t)
        (gradient,) = torch.autograd.grad(loss, wrong)
        assert float(gradient) > 0.1


def test_masked_entries_do_not_count() -> None:
    x, noise, t = torch.zeros(2, 2), torch.tensor([[1.0, 100.0], [2.0, 3.0]]), torch.ones(2)
    weight = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    loss = flow_loss(lambda x, r, t: 0 * x, x, noise=noise, r=t, t=t, weight=weight)
    assert loss.item() == pytest.approx((1 + 4 + 9) / 3)


def test_a_power_divides_each_row_by_its_error() -> None:
    x, noise, t = torch.zeros(2, 1), torch.tensor([[3.0], [1.0]]), torch.ones(2)
    loss = flow_loss(lambda x, r, t: 0 * x, x, noise=noise, r=t, t=t, power=0.5)
    assert loss.item() == pytest.approx((9 / 9.001**0.5 + 1 / 1.001**0.5) / 2)


def test_times_are_ordered_and_as_often_distinct_as_configured() -> None:
    r, t = draw_times(10_000, 0.25, generator=torch.Generator().manual_seed(0))
    assert (r <= t).all()
    assert float((r < t).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert float(t.mean()) == pytest.approx(2 / 3, abs=0.01)


def learned(draw, updates: int, *, distinct: float, power: float = 0.0) -> FlowField:
    """Train a small network on the data that `draw(generator)` returns, 128 rows of one entry."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FlowMLP(1, 1, (32, 32))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)

    def field(x: torch.Tensor, r: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return network(x, r, t, torch.zeros(len(x), 1))

    for _ in range(updates):
        r, t = draw_times(128, distinct, generator=generator)
        noise = torch.randn(128, 1, generator=generator)
        loss = flow_loss(field, draw(generator), noise=noise, r=r, t=t, power=power)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return lambda x, r, t: field(x, r, t).detach()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_one_jump_learns_both_modes() -> None:
    def draw(generator: torch.Generator) -> torch.Tensor:
        side = torch.where(torch.rand(128, 1, generator=generator) < 0.5, -1.0, 1.0)
        return side + 0.2 * torch.randn(128, 1, generator=generator)

    field = learned(draw, 1500, distinct=0.5, power=0.5)
    middle = []
    for n_steps in (1, 4):
        drawn = jump_sample(field, normal(4000, 1), n_steps)
        assert 0.4 < (drawn > 0).float().mean() < 0.6
        middle.append(float((drawn.abs() < 0.4).float().mean()))
    # A straight line between the modes would leave 0.31 of the samples there.
    assert middle[0] < 0.2
    assert middle[1] < middle[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"r": torch.tensor([0.6]), "t": torch.tensor([0.5])},
            "must satisfy 0 <= r <= t <= 1. Received r from 0.6",
        ),
        ({"r": torch.tensor([0.5]), "t": torch.tensor([1.5])}, "must satisfy 0 <= r <= t <= 1"),
        ({"r": torch.zeros(1), "t": torch.ones(1), "power": -1.0}, "`power` must be at least 0. Received -1"),
    ],
)
def test_bad_times_are_refused(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        flow_loss(FLOW, torch.zeros(1, 1), noise=torch.zeros(1, 1), **arguments)


def test_bad_numbers_of_steps_and_fractions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`n_steps` must be at least 1\. Received 0"):
        jump_sample(FLOW, torch.zeros(1, 1), 0)
    with pytest.raises(ValueError, match=r"`distinct` must be in \[0, 1\]\. Received 2"):
        draw_times(3, 2.0)
