"""The contract of a denoiser, over everything that `DENOISERS` lists."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rlpriors.checkpoint import load, save
from rlpriors.networks import DENOISER_CLASSES, DENOISERS, build_denoiser
from rlpriors.networks.base import DenoiserNetwork

HORIZON, DIM, BATCH = 8, 3, 5
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"width": 16, "blocks": 2},
    "mixer": {"width": 16, "blocks": 2, "token_hidden": 16, "channel_hidden": 32},
    "unet": {"channels": (8, 16), "groups": 4},
    "transformer": {"width": 16, "blocks": 2, "heads": 2},
}

every_denoiser = pytest.mark.parametrize("name", sorted(DENOISERS))


def fresh(name: str) -> DenoiserNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_denoiser(name, HORIZON, DIM, **SMALL[name])


def awake(name: str) -> DenoiserNetwork:
    """A network whose zero-initialized layers are no longer zero, as after some training."""
    network, generator = fresh(name), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network


def windows(seed: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(BATCH, HORIZON, DIM, generator=generator)
    return x, torch.randint(50, (BATCH,), generator=generator)


def test_every_denoiser_has_small_sizes_here() -> None:
    assert set(SMALL) == set(DENOISERS)


@every_denoiser
def test_predicts_a_window_of_the_same_shape_and_type(name: str) -> None:
    x, t = windows()
    for dtype in (torch.float32, torch.float64):
        out = fresh(name).to(dtype)(x.to(dtype), t)
        assert out.shape == x.shape
        assert out.dtype == dtype
    assert fresh(name)(x, t.to(torch.int32)).shape == x.shape
    assert fresh(name)(x[:0], t[:0]).shape == (0, HORIZON, DIM)


@every_denoiser
def test_first_prediction_is_zero(name: str) -> None:
    assert torch.equal(fresh(name)(*windows()), torch.zeros(BATCH, HORIZON, DIM))


@every_denoiser
def test_gradient_reaches_every_parameter_and_the_input(name: str) -> None:
    network, (x, t) = awake(name), windows()
    network(x.requires_grad_(), t).square().sum().backward()
    unreached = [key for key, p in network.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-6]
    assert unreached == []
    assert x.grad is not None
    assert (x.grad.flatten(1).abs().amin(dim=1) > 0).all()


@every_denoiser
def test_every_frame_and_number_answers_to_every_other(name: str) -> None:
    network, (x, t) = awake(name), windows()
    jacobian = torch.autograd.functional.jacobian(lambda one: network(one[None], t[:1])[0], x[0])
    assert jacobian.shape == (HORIZON, DIM, HORIZON, DIM)
    assert (jacobian.abs() > 0).all()


@every_denoiser
def test_answers_to_the_diffusion_step_of_its_own_row(name: str) -> None:
    network, (x, t) = awake(name), windows()
    later = t.clone()
    later[0] += 1
    change = (network(x, later) - network(x, t)).abs().amax(dim=(1, 2))
    assert change[0] > 1e-3
    assert change[1:].max() < 1e-5


@every_denoiser
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    network, (x, t) = awake(name), windows()
    together = network(x, t)
    alone = torch.cat([network(x[i : i + 1], t[i : i + 1]) for i in range(BATCH)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@every_denoiser
def test_is_deterministic(name: str) -> None:
    network, (x, t) = awake(name).eval(), windows()
    assert torch.equal(network(x, t), network(x, t))
    assert torch.equal(network.train()(x, t), network.eval()(x, t))


@every_denoiser
def test_comes_back_from_its_folder(name: str, tmp_path: Path) -> None:
    network, (x, t) = awake(name), windows()
    loaded = load(save(network, network.settings, tmp_path), DENOISER_CLASSES)
    assert type(loaded) is type(network)
    assert loaded.settings == network.settings
    assert hash(loaded.settings) == hash(network.settings)
    assert torch.equal(loaded(x, t), network(x, t))


@every_denoiser
def test_learns_one_batch(name: str) -> None:
    network, (x, t) = fresh(name), windows()
    target = windows(seed=3)[0]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(31):
        loss = (network(x, t) - target).square().mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


@every_denoiser
def test_learns_quickly_which_frame_is_which(name: str) -> None:
    # The windows are pure noise, so that only positions separate the timesteps of the target.
    network, t = fresh(name), windows()[1]
    sign = torch.tensor([1.0, -1.0] * (HORIZON // 2))[:, None].expand(BATCH, HORIZON, DIM)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for step in range(60):
        loss = (network(windows(seed=step)[0], t) - sign).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1  # it began at 1


@every_denoiser
@pytest.mark.cuda
def test_moves_to_cuda(name: str, cuda_device: str) -> None:
    network, (x, t) = awake(name), windows()
    out = network.to(cuda_device)(x.to(cuda_device), t.to(cuda_device))
    assert out.device.type == cuda_device
    torch.testing.assert_close(out.cpu(), network.cpu()(x, t), atol=1e-4, rtol=1e-4)


@every_denoiser
def test_refuses_windows_of_another_size(name: str) -> None:
    network, (x, t) = fresh(name), windows()
    with pytest.raises(ValueError, match=r"`x` .* shape \[batch, 8, 3\]. Received \[5, 6, 3\]"):
        network(x[:, :6], t)
    with pytest.raises(ValueError, match=r"`x` .* shape \[batch, 8, 3\]. Received \[5, 8, 2\]"):
        network(x[..., :2], t)


def test_refuses_shapes_that_are_no_window_and_steps_that_are_not_whole() -> None:
    # `check_input` itself: the shape checker of the tests would speak before `forward` does.
    network, (x, t) = fresh("mlp"), windows()
    with pytest.raises(ValueError, match=r"`x` .* Received \[8, 3\]"):
        network.check_input(x[0], t)
    for wrong in (t[:3], t[:, None], t.float(), t > 3):
        with pytest.raises(ValueError, match=r"`t` must hold one integer diffusion timestep per window"):
            network.check_input(x, wrong)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("mlp", {"horizon": 0}, r"`horizon` must be at least 1. Received 0"),
        ("mlp", {"dim": -1}, r"`dim` must be at least 1. Received -1"),
        ("mlp", {"width": 0}, r"`width` must be at least 1"),
        ("mlp", {"blocks": 0}, r"`blocks` must be at least 1"),
        ("mlp", {"time_features": 0}, r"`time_features` must be at least 2"),
        ("mlp", {"time_features": 7}, r"`time_features` must be divisible by 2"),
        ("mixer", {"width": 0}, r"`width` must be at least 1"),
        ("mixer", {"token_hidden": 0}, r"`token_hidden` must be at least 1"),
        ("mixer", {"channel_hidden": 0}, r"`channel_hidden` must be at least 1"),
        ("mixer", {"time_features": 7}, r"`time_features` must be divisible by 2"),
        ("unet", {"horizon": 30}, r"`horizon` must be divisible by 4 \(3 levels .*\). Received 30"),
        ("unet", {"channels": ()}, r"`channels` must hold the channels of at least one level"),
        ("unet", {"channels": (8, 12)}, r"`channels\[1\]` must be divisible by 8 .* Received 12"),
        ("unet", {"channels": (0, 8)}, r"`channels\[0\]` must be at least 1"),
        ("unet", {"kernel_size": 4}, r"`kernel_size` must be odd. Received 4"),
        (
            "unet",
            {"horizon": 2, "channels": (8, 8)},
            r"`groups` must leave .* the single timestep of level 1",
        ),
        ("unet", {"groups": 0}, r"`groups` must be at least 1"),
        ("unet", {"time_features": 7}, r"`time_features` must be divisible by 2"),
        ("transformer", {"width": 30}, r"`width` must be divisible by 4 .* Received 30"),
        ("transformer", {"width": 15, "heads": 3}, r"`width` must be divisible by 2 .* Received 15"),
        ("transformer", {"heads": 0}, r"`heads` must be at least 1"),
        ("transformer", {"mlp_ratio": 0}, r"`mlp_ratio` must be at least 1"),
        ("transformer", {"time_features": 7}, r"`time_features` must be divisible by 2"),
        ("mlp", {"heads": 2}, r"`overrides` for 'mlp' must be among .*'width'.* Received \['heads'\]"),
        ("gru", {}, r"`name` must be one of \['mixer', 'mlp', 'transformer', 'unet'\]. Received 'gru'"),
    ],
)
def test_refuses_settings_out_of_bounds(name: str, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_denoiser(name, **{"horizon": 32, "dim": 6, **wrong})


@pytest.mark.parametrize("horizon", [1, 2, 5])
@pytest.mark.parametrize("name", ["mlp", "mixer", "transformer"])
def test_other_denoisers_take_any_horizon(name: str, horizon: int) -> None:
    network = build_denoiser(name, horizon, 1, **SMALL[name])
    assert network(torch.ones(2, horizon, 1), torch.tensor([0, 1])).shape == (2, horizon, 1)


def test_unet_of_one_level_takes_any_horizon_and_four_levels_halve_it_thrice() -> None:
    one = build_denoiser("unet", 7, 2, channels=(8,))
    assert one(torch.ones(1, 7, 2), torch.tensor([0])).shape == (1, 7, 2)
    four = build_denoiser("unet", 8, 2, channels=(8, 8, 8, 8), groups=4)
    assert four(torch.ones(1, 8, 2), torch.tensor([0])).shape == (1, 8, 2)
    coarsest: list[torch.Size] = []
    four.down[-1].register_forward_hook(lambda _module, _inputs, output: coarsest.append(output.shape))
    four(torch.ones(1, 8, 2), torch.tensor([0]))
    assert coarsest == [torch.Size([1, 8, 1])]


def test_position_codes_start_distinct_and_as_large_as_the_content() -> None:
    network = build_denoiser("transformer", 32, 6)
    codes = network.get_parameter("position").detach()
    assert codes.square().mean().sqrt().item() == pytest.approx(0.5**0.5, abs=1e-6)  # sine and cosine
    assert (torch.cdist(codes, codes) + torch.eye(32) * 9).min() > 1


def test_settings_survive_a_round_through_lists() -> None:
    settings = build_denoiser("unet", 8, 2, channels=(8, 16)).settings
    as_json = {**asdict(settings), "channels": [8, 16]}
    assert type(settings)(**as_json) == settings


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mlp", 662_496), ("mixer", 103_686), ("unet", 606_438), ("transformer", 1_228_806)],
)
def test_default_sizes(name: str, parameters: int) -> None:
    assert sum(p.numel() for p in build_denoiser(name, 32, 6).parameters()) == parameters
