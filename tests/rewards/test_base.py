"""The contract of every reward model: four inputs, numpy scores, gradients, files."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import (
    EnsembleReward,
    MeanDifferenceReward,
    MLPReward,
    NearestExpertReward,
    NormalizedReward,
    RewardModel,
    RewardSettings,
    ShapedReward,
    SupportReward,
    load_reward,
)

OBS, ACT = 3, 2


def state_only() -> RewardModel:
    return MLPReward(RewardSettings(OBS, ACT, hidden=(8,)))


def state_action() -> RewardModel:
    settings = RewardSettings(OBS, ACT, inputs=("obs", "act"), obs_index=(2, 0), hidden=(8,))
    return MLPReward(settings, Normalizer(torch.arange(5.0), torch.arange(5.0) + 1))


def whole_transition() -> RewardModel:
    return MLPReward(RewardSettings(OBS, ACT, inputs=("obs", "act", "obs_next"), hidden=()))


def shaped() -> RewardModel:
    return ShapedReward(state_action(), gamma=0.9, hidden=(8,))


def shaped_twice() -> RewardModel:
    return ShapedReward(shaped(), gamma=0.5, hidden=())


def ensemble() -> RewardModel:
    return EnsembleReward([state_action(), shaped(), state_action()], k=0.5)


def summed() -> RewardModel:
    return ensemble() - 2 * shaped() / 3 + 0.25


def normalized() -> RewardModel:
    model = NormalizedReward(summed(), center=True)
    model.observe(model.base(*batch(seed=3)))
    return model


def spectral() -> RewardModel:
    settings = RewardSettings(OBS, ACT, inputs=("obs", "act"), hidden=(8, 8), spectral_norm=True)
    return MLPReward(settings)


def noise(seed: int, mean: float) -> EpisodeStore:
    rng = np.random.default_rng(seed)
    obs, act = rng.normal(mean, 1, (40, OBS)), rng.normal(mean, 1, (39, ACT))
    return EpisodeStore.from_episodes([Episode(obs, act, *np.zeros((3, 39)))])


def mean_difference() -> RewardModel:
    return MeanDifferenceReward.fit(noise(0, 1.0), noise(1, 0.0), inputs=("obs", "act"), device="cpu")


def nearest_expert() -> RewardModel:
    return NearestExpertReward.fit(noise(0, 1.0), noise(1, 0.0), form="exp", beta=1.0, device="cpu")


def support() -> RewardModel:
    return SupportReward.fit(noise(0, 1.0), noise(1, 0.0), n_updates=20, device="cpu")


MODELS = [
    state_only,
    state_action,
    whole_transition,
    shaped,
    shaped_twice,
    ensemble,
    summed,
    normalized,
    spectral,
    mean_difference,
    nearest_expert,
    support,
]
Build = Callable[[], RewardModel]


def batch(n: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    draw = [torch.randn(n, size, generator=rng) for size in (OBS, ACT, OBS)]
    return draw[0], draw[1], draw[2], torch.arange(n) % 3 == 0


@pytest.mark.parametrize("build", MODELS)
def test_rows_are_scored_independently(build: Build) -> None:
    model = build()
    obs, act, obs_next, end = batch()
    together = model(obs, act, obs_next, end)
    assert together.shape == (7,)
    alone = torch.cat([model(obs[[i]], act[[i]], obs_next[[i]], end[[i]]) for i in range(7)])
    torch.testing.assert_close(alone, together)
    assert model(obs[:0], act[:0], obs_next[:0], end[:0]).shape == (0,)


@pytest.mark.parametrize("build", MODELS)
def test_score_is_forward_for_numpy(build: Build) -> None:
    model = build()
    inputs = batch()
    scores = model.score(*(tensor.numpy() for tensor in inputs))
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, model(*inputs).detach().numpy())
    obs, act, obs_next, _ = (tensor.double().numpy() for tensor in inputs)
    np.testing.assert_array_equal(
        model.score(obs, act, obs_next), model.score(obs, act, obs_next, np.zeros(7, bool))
    )


@pytest.mark.parametrize("build", MODELS)
def test_a_loaded_reward_scores_equally(build: Build, tmp_path) -> None:
    model = build()
    loaded = load_reward(model.save(tmp_path / "reward"), device="cpu")
    assert type(loaded) is type(model)
    assert loaded.settings == model.settings
    assert not loaded.training
    torch.testing.assert_close(loaded(*batch()), model(*batch()), rtol=0, atol=0)
    assert (loaded.obs_dim, loaded.act_dim, loaded.obs_keys) == (OBS, ACT, None)


@pytest.mark.parametrize("build", [build for build in MODELS if build is not nearest_expert])  # no weights
def test_a_gradient_penalty_reaches_the_weights(build: Build) -> None:
    model = build()
    obs, act, obs_next, end = batch()
    obs, obs_next = obs.requires_grad_(), obs_next.requires_grad_()
    total = model(obs, act, obs_next, end).sum()
    gradients = torch.autograd.grad(total, (obs, obs_next), create_graph=True, allow_unused=True)
    penalty = sum(gradient.square().sum() for gradient in gradients if gradient is not None)
    penalty.backward()
    moved = [name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert moved


@pytest.mark.parametrize("build", MODELS)
def test_values_have_gradients_in_windows_even_under_no_grad(build: Build) -> None:
    model = build().requires_grad_(False)

    def value(window: torch.Tensor) -> torch.Tensor:  # [batch, horizon, obs + act] to [batch]
        obs, act, obs_next = window[:, :-1, :OBS], window[:, :-1, OBS:], window[:, 1:, :OBS]
        flat = [part.flatten(0, 1) for part in (obs, act, obs_next)]
        return model(*flat, torch.zeros(len(flat[0]), dtype=torch.bool)).unflatten(0, obs.shape[:2]).sum(1)

    window = torch.randn(4, 6, OBS + ACT, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), torch.enable_grad():
        window.requires_grad_()
        (gradient,) = torch.autograd.grad(value(window).sum(), window)
    assert gradient.shape == window.shape
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("build", [state_only, shaped])
@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("obs", (5, OBS + 1), r"`obs` must be \[batch, 3\], since this reward reads 3 entries of each obs"),
        ("act", (5, 1), r"`act` must be \[batch, 2\], since this reward reads 2 entries of each action"),
        ("obs_next", (5, 1), r"`obs_next` must be \[batch, 3\].*Received shape \(5, 1\)"),
        ("obs", (OBS,), r"`obs` must be \[batch, 3\], one row per transition.*Received shape \(3,\)"),
        ("act", (5, 1, ACT), r"`act` must be \[batch, 2\], one row per trans.*Received shape \(5, 1, 2\)"),
        ("act", (4, ACT), r"`act` must have one row for each of the 5 rows of `obs`. Received \(4,\)"),
        ("terminated", (5, 1), r"`terminated` must have one row.*Received \(5, 1\)"),
    ],
)
def test_score_names_the_wrong_shape(build: Build, name: str, shape: tuple[int, ...], message: str) -> None:
    inputs = {
        "obs": np.zeros((5, OBS)),
        "act": np.zeros((5, ACT)),
        "obs_next": np.zeros((5, OBS)),
        "terminated": np.zeros(5, bool),
    }
    inputs[name] = np.zeros(shape, inputs[name].dtype)
    with pytest.raises(ValueError, match=message):
        build().score(**inputs)


@pytest.mark.parametrize("name", ["obs", "act", "obs_next"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_score_names_the_row_that_is_not_finite(name: str, bad: float) -> None:
    inputs = {"obs": np.zeros((5, OBS)), "act": np.zeros((5, ACT)), "obs_next": np.zeros((5, OBS))}
    inputs[name][3, 1] = bad
    with pytest.raises(ValueError, match=rf"`{name}` must be finite, but 1 of its 5 rows.*in row 3"):
        state_only().score(**inputs)


def test_score_refuses_complex_numbers() -> None:
    inputs = {"obs": np.zeros((5, OBS)), "act": np.zeros((5, ACT)), "obs_next": np.zeros((5, OBS), complex)}
    with pytest.raises(ValueError, match=r"`obs_next` must be an array of numbers\. Received array"):
        state_only().score(**inputs)


@pytest.mark.cuda
@pytest.mark.parametrize("build", MODELS)
def test_cuda_agrees_with_the_cpu(build: Build, tmp_path, cuda_device: str) -> None:
    model = build()
    loaded = load_reward(model.save(tmp_path), device=cuda_device)
    assert loaded.device.type == cuda_device
    arrays = [tensor.numpy() for tensor in batch()]
    np.testing.assert_allclose(loaded.score(*arrays), model.score(*arrays), rtol=1e-4, atol=1e-5)
