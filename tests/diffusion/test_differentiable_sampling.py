"""differentiable_sample: the samples of `sample`, with a gradient that does not depend on how it is kept."""

from weakref import WeakSet

import pytest
import torch
from torch import nn

from rlpriors.diffusion import (
    SAMPLERS,
    Condition,
    DiffusionProcess,
    GuidanceSettings,
    NoiseSchedule,
    differentiable_sample,
    sample,
)
from rlpriors.networks import build_denoiser
from rlpriors.networks.mlp import build_mlp

HORIZON, DIM = 4, 2
SPACES = ["clean", "noisy", "posterior"]


class CurvedValue(nn.Module):
    """Value with parameters, curved in the window."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = build_mlp(HORIZON * DIM, (8,), 1)

    def forward(self, x):
        return 3 * self.layers(x.flatten(1)).squeeze(1)


@pytest.fixture
def networks():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        denoiser = build_denoiser("mlp", horizon=HORIZON, dim=DIM, width=16, blocks=1)
        nn.init.normal_(denoiser.leave.weight, std=0.2)
        return denoiser.double().requires_grad_(False), CurvedValue().double()


def run(networks, *, function=differentiable_sample, n_steps: int = 5, space="clean", **overrides):
    denoiser, value = networks
    generator = torch.Generator().manual_seed(1)
    dtype = denoiser.leave.weight.dtype
    x = torch.randn(3, HORIZON, DIM, generator=generator).to(dtype)
    return function(
        DiffusionProcess(NoiseSchedule(10)).to(dtype),
        denoiser,
        x,
        n_steps=n_steps,
        condition=Condition.fix_steps(torch.full((3, 1, DIM), 0.5).to(dtype), horizon=HORIZON, dim=DIM),
        value=value,
        generator=generator,
        **({"guidance": GuidanceSettings(space=space)} | overrides),
    )


def gradient(networks, **overrides) -> torch.Tensor:
    value = networks[1]
    loss = run(networks, **overrides)[:, 1:].square().sum()
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, tuple(value.parameters()), allow_unused=True)[:-1]]
    )


@pytest.mark.parametrize("keep", ["full", "checkpoint", 2, 99])
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_the_samples_are_those_of_sample(networks, sampler: str, space, keep) -> None:
    plain = run(networks, function=sample, sampler=sampler, eta=0.5, space=space)
    differentiable = run(networks, sampler=sampler, eta=0.5, space=space, gradient=keep)
    torch.testing.assert_close(
        differentiable, plain, rtol=1e-9, atol=1e-9
    )  # twice differentiable SiLUs round otherwise
    assert differentiable.requires_grad
    assert not plain.requires_grad
    assert differentiable[:, 0].tolist() == [[0.5, 0.5]] * 3


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_recomputing_changes_no_gradient(networks, sampler: str, space) -> None:
    full = gradient(networks, sampler=sampler, eta=0.5, space=space, gradient="full")
    again = gradient(networks, sampler=sampler, eta=0.5, space=space, gradient="checkpoint")
    assert full.abs().max() > 1e-3
    torch.testing.assert_close(again, full)
    assert torch.cosine_similarity(again, full, dim=0).item() == pytest.approx(1.0)


def test_recomputing_in_the_same_precision(networks) -> None:
    networks[0].float()
    networks[1].float()
    with torch.autocast("cpu", torch.bfloat16):
        full, again = (gradient(networks, gradient=keep) for keep in ("full", "checkpoint"))
    single = gradient(networks, gradient="full")
    torch.testing.assert_close(again, full, rtol=1e-2, atol=1e-2)
    assert not torch.allclose(again, single, rtol=1e-4)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_the_last_steps_when_they_are_all(networks, sampler: str) -> None:
    full = gradient(networks, sampler=sampler, gradient="full")
    for keep in (5, 6):
        torch.testing.assert_close(gradient(networks, sampler=sampler, gradient=keep), full)
    few = [gradient(networks, sampler=sampler, gradient=keep) for keep in (1, 2)]
    assert not torch.allclose(few[0], full)
    assert not torch.allclose(few[0], few[1])


@pytest.mark.parametrize("space", SPACES)
def test_the_gradient_is_that_of_finite_differences(networks, space) -> None:
    # Without bounds: their gradient is on purpose not that of a clamp.
    value, step = networks[1], 1e-5
    weight = value.layers[0].weight

    def loss() -> float:
        return run(networks, space=space, clip=None)[:, 1:].square().sum().item()

    (expected,) = torch.autograd.grad(run(networks, space=space, clip=None)[:, 1:].square().sum(), weight)
    with torch.no_grad():
        weight[2, 3] += step
        above = loss()
        weight[2, 3] -= 2 * step
        below = loss()
    assert expected[2, 3].item() == pytest.approx((above - below) / (2 * step), rel=1e-4)


class Kept:
    """Holds what a graph saved, for as long as the graph lives."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def saved_numbers(networks, n_steps: int, keep) -> int:
    """Numbers that the finished graph keeps for its backward pass, parameters apart."""
    living: WeakSet[Kept] = WeakSet()

    def pack(tensor: torch.Tensor) -> Kept:
        kept = Kept(tensor)
        living.add(kept)
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        samples = run(networks, n_steps=n_steps, gradient=keep)
    assert samples.requires_grad
    storages = [kept.tensor.untyped_storage() for kept in living]
    parameters = {p.data_ptr() for module in networks for p in module.parameters()}
    sizes = {storage.data_ptr(): storage.nbytes() // 8 for storage in storages}
    return sum(size for pointer, size in sizes.items() if pointer not in parameters)


def test_what_is_kept_for_the_backward_pass(networks) -> None:
    window = 3 * HORIZON * DIM
    full = {n: saved_numbers(networks, n, "full") for n in (2, 4, 8)}
    assert full[8] - full[4] == pytest.approx(2 * (full[4] - full[2]), rel=0.1)  # every step costs the same
    again = {n: saved_numbers(networks, n, "checkpoint") for n in (2, 4, 8)}
    # A step costs the window and the noise that go in, and no activations.
    assert again[8] - again[4] == 4 * 1.5 * window  # noise is drawn in single precision
    assert full[8] - full[4] > 8 * (again[8] - again[4])
    assert saved_numbers(networks, 8, 2) == saved_numbers(networks, 4, 2)


def test_the_denoiser_learns_too_where_it_may(networks) -> None:
    networks[0].requires_grad_(True)
    for keep in ("full", "checkpoint"):
        networks[0].zero_grad()
        run(networks, gradient=keep).sum().backward()
        assert networks[0].leave.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"gradient": 0}, r'`gradient` must be "full", "checkpoint" or a number .*Received 0'),
        ({"guidance": GuidanceSettings(weight=0.0)}, r"`guidance.weight` must be positive.*Received 0"),
        ({"sampler": "leap"}, r"`sampler` must be one of .*Received 'leap'"),
    ],
)
def test_bad_arguments(networks, overrides, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(networks, **overrides)
