"""Classifier-free guidance: the combination by hand, and contexts that samples follow."""

import pytest
import torch
from torch import nn

from rlpriors.diffusion import (
    Condition,
    ContextDenoiser,
    DiffusionProcess,
    NoiseSchedule,
    Planner,
    PlannerSettings,
    denoising_loss,
    sample,
    with_context,
)
from rlpriors.networks import build_denoiser


class Echo(nn.Module):
    """Shows in the first entry what the network is told: 10 times the context plus the flag."""

    def forward(self, x, t):
        out = x.clone()
        out[..., 0] = 10 * x[..., 1] + x[..., 2]
        return out


def ask(context=None, dropped=None) -> list[float]:
    x, t = torch.full((2, 3, 1), 0.5), torch.zeros(2, dtype=torch.long)
    return ContextDenoiser(Echo(), 1)(x, t, context, dropped)[:, 0, 0].tolist()


def test_what_the_network_is_told() -> None:
    context = torch.tensor([[2.0], [0.0]])
    assert ask(context) == [21.0, 1.0]
    assert ask() == [0.0, 0.0]
    assert ask(context, torch.tensor([True, False])) == [0.0, 1.0]


@pytest.mark.parametrize(
    ("weight", "wanted"), [(0.0, [21.0, 31.0]), (-1.0, [0.0, 0.0]), (1.5, [2.5 * 21, 2.5 * 31])]
)
def test_the_combination_by_hand(weight: float, wanted: list[float]) -> None:
    denoiser = with_context(ContextDenoiser(Echo(), 1), torch.tensor([[2.0], [3.0]]), weight)
    assert denoiser(torch.zeros(2, 3, 1), torch.tensor([0, 1]))[:, 0, 0].tolist() == wanted


def test_contexts_of_candidates() -> None:
    denoiser = with_context(ContextDenoiser(Echo(), 1), torch.tensor([[2.0], [3.0]]), 0.0)
    out = denoiser(torch.zeros(6, 3, 1), torch.zeros(6, dtype=torch.long))
    assert out[:, 0, 0].tolist() == [21.0] * 3 + [31.0] * 3
    with pytest.raises(ValueError, match=r"`context` must divide .* 2 contexts for 5 windows"):
        denoiser(torch.zeros(5, 3, 1), torch.zeros(5, dtype=torch.long))


def test_the_part_that_is_dropped() -> None:
    model, x, t = ContextDenoiser(Echo(), 1), torch.zeros(4000, 3, 1), torch.zeros(4000, dtype=torch.long)
    denoiser = model.given(torch.ones(4000, 1), dropout=0.2, generator=torch.Generator().manual_seed(0))
    told = denoiser(x, t)[:, 0, 0]
    assert set(told.tolist()) == {0.0, 11.0}
    assert (told == 0).float().mean().item() == pytest.approx(0.2, abs=0.03)  # five standard errors
    assert torch.equal(told, denoiser(x, t)[:, 0, 0])  # drawn once
    assert bool((model.given(torch.ones(4000, 1))(x, t)[:, 0, 0] == 11).all())


@pytest.fixture(scope="module")
def trained() -> tuple[DiffusionProcess, ContextDenoiser]:
    """Windows around 0.5 or -0.5, as their context 1 or -1 says."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ContextDenoiser(build_denoiser("mlp", horizon=2, dim=3, width=32, blocks=2), 1)
    process = DiffusionProcess(NoiseSchedule(20))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(80):
        context = torch.randint(2, (128, 1), generator=generator) * 2.0 - 1
        x = 0.5 * context[:, None] + 0.2 * torch.randn(128, 2, 1, generator=generator)
        loss = denoising_loss(
            process,
            model.given(context, dropout=0.2, generator=generator),
            x,
            t=torch.randint(20, (128,), generator=generator),
            noise=torch.randn(x.shape, generator=generator),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return process, model


def test_samples_follow_their_context(trained) -> None:
    process, model = trained
    x = torch.randn(200, 2, 1, generator=torch.Generator().manual_seed(1))
    context = torch.tensor([[1.0], [-1.0]])

    def draw(weight: float) -> torch.Tensor:
        with torch.no_grad():
            return sample(process, with_context(model, context, weight), x, n_steps=10).reshape(2, 200)

    plain, free = draw(0.0), draw(-1.0)
    torch.testing.assert_close(plain.mean(1), torch.tensor([0.5, -0.5]), atol=0.1, rtol=0)
    assert free.mean(1).abs().max() < 0.2
    assert (free > 0).float().mean(1).sub(0.5).abs().max() < 0.2  # both kinds, whatever the context


class Exact(nn.Module):
    """The best denoiser of windows N(c, 0.3^2) whose contexts are N(0, 0.4^2): in all, N(0, 0.5^2)."""

    def __init__(self, process: DiffusionProcess) -> None:
        super().__init__()
        self.process = process

    def forward(self, x, t):
        abar, (context, told) = self.process.schedule.at(t), (x[..., 1:2], x[..., 2:])
        variance = 0.25 - 0.16 * told
        gain = abar.sqrt() * variance / (abar * variance + 1 - abar)
        clean = context + gain * (x[..., :1] - abar.sqrt() * context)
        return torch.cat([clean, x[..., 1:]], dim=-1)


def test_more_weight_leads_further_from_what_is_usual() -> None:
    process = DiffusionProcess(NoiseSchedule(100))
    x = torch.randn(1000, 1, 1, generator=torch.Generator().manual_seed(0))
    mean, spread = [], []
    for weight in (-1.0, 0.0, 1.0, 3.0):
        denoiser = with_context(ContextDenoiser(Exact(process), 1), torch.tensor([[0.4]]), weight)
        drawn = sample(process, denoiser, x, n_steps=50, clip=None)
        mean.append(drawn.mean().item())
        spread.append(drawn.std().item())
    assert mean[:2] == pytest.approx([0.0, 0.4], abs=0.05)
    assert spread[:2] == pytest.approx([0.5, 0.3], rel=0.06)
    # p(x|c)^(1 + w) / p(x)^w tends to where this context is likelier than others, and is narrower.
    assert mean[1] + 0.02 < mean[2] < mean[3]
    assert spread[1] - 0.02 > spread[2] > spread[3]


def test_plans_with_a_context(trained) -> None:
    process, model = trained
    denoiser = with_context(model, torch.tensor([[1.0], [-1.0]]), 1.0)
    planner = Planner(process, denoiser, PlannerSettings(n_candidates=4, n_steps=5))
    nothing = Condition(torch.zeros(2, 2, 1, dtype=torch.bool), torch.zeros(2, 2, 1))
    plan = planner.plan(
        nothing, value=lambda x: -x.square().sum((1, 2)), generator=torch.Generator().manual_seed(0)
    )
    assert plan.window.sign().flatten().tolist() == [1.0, 1.0, -1.0, -1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: ContextDenoiser(Echo(), 0), r"`context_dim` must be at least 1\. Received 0"),
        (lambda model: model.given(torch.ones(1, 1), dropout=1.5), r"`dropout` must be in \[0, 1\]"),
        (lambda model: with_context(model, torch.ones(1, 1), -2.0), r"`weight` must be at least -1"),
        (lambda model: ask(torch.ones(2, 3)), r"`context` must have 1 entries\. Received 3"),
    ],
)
def test_bad_arguments(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(ContextDenoiser(Echo(), 1))
