"""Sampler back-propagation: compared entries, gradients, and resuming."""

from weakref import WeakSet

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from objective_inputs import objective_input
from scipy.stats import spearmanr

from rlpriors.agents import DiffusionIRL
from rlpriors.agents.irl.diffusion_irl import DiffusionIRLStats
from rlpriors.agents.irl.objectives import ObjectiveInput, SamplerBackprop, SamplerBackpropSettings
from rlpriors.agents.irl.objectives.negatives import guided_samples
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import PlannerSettings
from rlpriors.diffusion.guidance import GuidanceSettings
from rlpriors.rewards.divergences import DIVERGENCES, DivergenceSettings
from rlpriors.rewards.divergences.two_sample_statistics import median_distance

MMD = DivergenceSettings("mmd-rbf")


def an_update(algorithm: DiffusionIRL, data: EpisodeStore, n: int = 8) -> ObjectiveInput:
    """Create the input of an update with the first windows of the data."""
    horizon = algorithm.policy.layout.horizon
    return objective_input(algorithm, data.windows(data.window_starts(horizon)[:n], horizon))


@pytest.mark.parametrize(
    ("drift", "settings"),
    [
        (0.5, SamplerBackpropSettings()),
        (-0.5, SamplerBackpropSettings(MMD, gradient=3, per_step=True, stride=3)),
    ],
    ids=["right", "left"],
)
def test_demonstrations_that_go_somewhere_make_it_worth_being_there(
    walks, gaussian_policy, make_algorithm, train, drift: float, settings: SamplerBackpropSettings
) -> None:
    data, demonstrations = walks(n=200, dim=1), walks(n=40, dim=1, drift=drift, seed=1)
    policy = gaussian_policy(data, planner=PlannerSettings(n_steps=5))
    algorithm = make_algorithm(
        DiffusionIRL, data, policy=policy, hidden=(32, 32), objective=settings, prior_data=data, lr=2e-2
    )
    algorithm.process_buffer(to_buffer(demonstrations))

    def divergence() -> float:
        return algorithm.objectives[0](an_update(algorithm, demonstrations, 200)).stats["divergence"]

    before = divergence()
    train(algorithm, demonstrations, 25, batch_size=32)
    assert divergence() < 0.6 * before
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    learned = policy.reward.score(x, 0 * x, x)
    assert spearmanr(np.sign(drift) * x[:, 0], learned).statistic > 0.8


def an_algorithm(
    walks, gaussian_policy, make_algorithm, settings: SamplerBackpropSettings, n_steps: int = 4, **more
):
    data = walks(dim=1)
    policy = gaussian_policy(data, planner=PlannerSettings(n_steps=n_steps))
    algorithm = make_algorithm(DiffusionIRL, data, policy=policy, objective=settings, **more)
    algorithm.process_buffer(to_buffer(data))
    return algorithm, data


def gradients(algorithm: DiffusionIRL, data: EpisodeStore) -> torch.Tensor:
    loss = algorithm.objectives[0](an_update(algorithm, data)).loss
    found = torch.autograd.grad(loss, list(algorithm.online.parameters()), allow_unused=True)
    return torch.cat([g.flatten() for g in found if g is not None])


# ---------------------------------------------------------------- the sampler


def test_samples_are_those_that_the_reward_guides_to(walks, gaussian_policy, make_algorithm) -> None:
    algorithm, data = an_algorithm(walks, gaussian_policy, make_algorithm, SamplerBackpropSettings())
    contrast = algorithm.objectives[0](an_update(algorithm, data))
    by_average = guided_samples(an_update(algorithm, data))  # which is equal so far
    torch.testing.assert_close(contrast.samples, by_average)
    with torch.no_grad():
        algorithm.reward.net[0].weight.mul_(10)
    assert (guided_samples(an_update(algorithm, data)) - contrast.samples).abs().max() > 1e-3
    assert not contrast.samples.requires_grad
    assert contrast.stats == {"divergence": contrast.loss.item()}


def test_gradients_through_the_chain(walks, gaussian_policy, make_algorithm) -> None:
    found = {}
    for kind in ("full", "checkpoint", 1, 4, 9):
        settings = SamplerBackpropSettings(gradient=kind)
        found[kind] = gradients(*an_algorithm(walks, gaussian_policy, make_algorithm, settings))
    assert found["full"].norm() > 0
    for same in ("checkpoint", 4, 9):  # there are 4 steps
        torch.testing.assert_close(found[same], found["full"], rtol=1e-4, atol=1e-6)
    cosine = torch.cosine_similarity(found[1], found["full"], dim=0).item()
    assert 0.5 < cosine < 0.9999


class Kept:
    """A tensor that a graph keeps; gone when the graph is."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def test_memory_does_not_grow_with_the_steps(walks, gaussian_policy, make_algorithm) -> None:
    def kept(gradient, n_steps: int) -> int:
        settings = SamplerBackpropSettings(gradient=gradient)
        algorithm, data = an_algorithm(
            walks, gaussian_policy, make_algorithm, settings, n_steps, hidden=(64, 64)
        )
        living: WeakSet[Kept] = WeakSet()

        def pack(tensor: torch.Tensor) -> Kept:
            living.add(kept := Kept(tensor))
            return kept

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
            contrast = algorithm.objectives[0](an_update(algorithm, data))
        assert contrast.loss.requires_grad
        storages = [one.tensor.untyped_storage() for one in living]
        return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())

    full = {n: kept("full", n) for n in (2, 8, 32)}
    assert full[32] > 3 * full[8]
    assert kept(2, 32) == pytest.approx(kept(2, 8), rel=0.02)
    assert kept(2, 32) == pytest.approx(full[2], rel=0.02)
    assert kept("checkpoint", 32) < full[8] / 2


@pytest.mark.parametrize("name", DIVERGENCES)
def test_every_divergence_reaches_the_reward(walks, gaussian_policy, make_algorithm, name) -> None:
    settings = SamplerBackpropSettings(DivergenceSettings(name), inputs=("obs", "act"), per_step=True)
    found = gradients(*an_algorithm(walks, gaussian_policy, make_algorithm, settings))
    assert found.isfinite().all()
    assert found.norm() > 0


def test_the_prior_is_left_alone(walks, make_algorithm, train) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data, objective="sampler_backprop")
    train(algorithm, data, 2)
    assert all(p.grad is None for p in algorithm.policy.denoiser.parameters())
    assert all(p.grad is not None for p in algorithm.online.parameters())


def test_without_guidance_there_is_nothing_to_learn(walks, make_policy, make_algorithm, train) -> None:
    data = walks()
    planner = PlannerSettings(n_steps=2, guidance=GuidanceSettings(weight=0.0))
    policy = make_policy(data, planner=planner)
    with pytest.raises(ValueError, match=r"`guidance.weight` must be positive"):
        train(make_algorithm(DiffusionIRL, data, policy=policy, objective="sampler_backprop"), data, 1)


# ---------------------------------------------------------------- what is compared


def test_what_is_compared_by_hand(walks, make_policy) -> None:
    policy = make_policy(walks())  # 8 time steps of 2 + 2 entries
    x = torch.arange(64.0).reshape(2, 8, 4)

    def points(**settings) -> list:
        return SamplerBackprop(SamplerBackpropSettings(**settings), policy)._points(x).tolist()

    assert points(first_steps=2) == [[[0.0, 1.0, 4.0, 5.0], [32.0, 33.0, 36.0, 37.0]]]
    assert points(obs_index=(1,), stride=3) == [[[1.0, 13.0, 25.0], [33.0, 45.0, 57.0]]]
    assert points(obs_index=(0,), stride=7, per_step=True) == [[[0.0], [32.0]], [[28.0], [60.0]]]
    both = points(inputs=("obs", "act"), obs_index=(0,), first_steps=2, per_step=True)
    assert both == [[[0.0, 2.0, 3.0], [32.0, 34.0, 35.0]], [[4.0, 6.0, 7.0], [36.0, 38.0, 39.0]]]
    assert points(inputs=("act",), first_steps=2) == [[[2.0, 3.0, 6.0, 7.0], [34.0, 35.0, 38.0, 39.0]]]


def test_the_scale_is_taken_once_from_demonstrations_and_prior_data(walks, make_algorithm, train) -> None:
    data, prior_data = walks(n=4), walks(n=5, seed=3)
    algorithm = make_algorithm(
        DiffusionIRL, data, prior_data=prior_data, objective=SamplerBackpropSettings(MMD)
    )
    layout = algorithm.policy.layout
    train(algorithm, data, 1)
    windows = [layout.pack(part.windows(part.window_starts(8), 8)) for part in (data, prior_data)]
    expected = median_distance(torch.cat(windows)[..., :2].flatten(1))
    scale = algorithm.objectives[0].divergence.scale.item()
    assert scale == pytest.approx(expected, rel=1e-5)
    train(algorithm, walks(n=4, drift=1.0), 1)
    assert algorithm.objectives[0].divergence.scale.item() == scale
    alone = make_algorithm(DiffusionIRL, data, objective=SamplerBackpropSettings(MMD, per_step=True))
    train(alone, data, 1)
    expected = median_distance(windows[0][..., :2].flatten(0, 1))
    assert alone.objectives[0].divergence.scale.item() == pytest.approx(expected, rel=0.05)  # of 1000 points


def test_a_scale_must_be_taken_before(walks, make_algorithm) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data, objective=SamplerBackpropSettings(MMD))
    with pytest.raises(RuntimeError, match="'mmd-rbf' divergence needs a scale before it can compare"):
        algorithm.objectives[0](an_update(algorithm, data))


def test_a_stopped_run_resumes_bit_equal(walks, make_algorithm, train, tmp_path) -> None:
    data, file = walks(), tmp_path / "resume.pt"

    def fresh() -> DiffusionIRL:
        return make_algorithm(
            DiffusionIRL, data, prior_data=walks(seed=3), objective=SamplerBackpropSettings(MMD)
        )

    uninterrupted, stopped, resumed = fresh(), fresh(), fresh()
    train(uninterrupted, data, 4)
    train(stopped, data, 2)
    save_resume(file, stopped.resume_state())
    resumed.resume(load_resume(file))
    assert resumed.objectives[0].divergence.scale == uninterrupted.objectives[0].divergence.scale
    train(resumed, data, 2)
    for p, q in zip(resumed.parameters(), uninterrupted.parameters(), strict=True):
        assert torch.equal(p, q)


def test_tensorboard_shows_what_the_objective_says() -> None:
    numbers = {"loss": 1.0, "demonstration_reward": 2.0, "sample_reward": 3.0, "reward_gap": -1.0}
    stats = DiffusionIRLStats(
        **numbers, progress_loss=0.75, gradient_penalty=0.5, objective={"divergence": 0.25}
    )
    expected = numbers | {"progress_loss": 0.75, "gradient_penalty": 0.5, "objective/divergence": 0.25}
    assert stats.get_loss_stats_dict() == expected


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("gradient", 0, r"`gradient` must be \"full\", .* at least 1\. Received 0"),
        ("gradient", True, r"`gradient` must be .* Received True"),
        ("gradient", "all", "gradient"),
        ("inputs", (), r"`inputs` must contain some of \('obs', 'act'\), each once\. Received \(\)"),
        ("inputs", ("obs", "obs"), r"`inputs` must contain some of .*each once"),
        ("inputs", ("rew",), "inputs"),
        ("obs_index", (), r"`obs_index` must contain indices"),
        ("first_steps", 1, r"`first_steps` must be at least 2.* Received 1"),
        ("stride", 0, r"`stride` must be at least 1\. Received 0"),
    ],
)
def test_bad_settings(field: str, bad, message: str) -> None:
    with pytest.raises((ValueError, TypeCheckError), match=message):
        SamplerBackpropSettings(**{field: bad})


def test_an_index_of_observations_without_observations() -> None:
    with pytest.raises(ValueError, match=r"`obs_index` must contain .* Received \(0,\) with \('act',\)"):
        SamplerBackpropSettings(inputs=("act",), obs_index=(0,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"first_steps": 9}, r"`first_steps` must be at most 8, the horizon .* Received 9"),
        (
            {"stride": 8},
            r"`stride` must be less than 8, the number of time steps .* Received 8",
        ),
        ({"stride": 3, "first_steps": 3}, r"`stride` must be less than 3.* Received 3"),
        ({"obs_index": (0, 2)}, r"`obs_index` must be in \[0, 1\].* Received \(0, 2\)"),
        ({"obs_index": (-1,)}, r"`obs_index` must be in \[0, 1\].* Received \(-1,\)"),
    ],
)
def test_settings_must_fit_the_windows(walks, make_algorithm, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_algorithm(DiffusionIRL, walks(), objective=SamplerBackpropSettings(**settings))


@pytest.mark.usefixtures("without_type_checks")
def test_a_divergence_is_given_by_its_settings() -> None:
    with pytest.raises(ValueError, match=r"`divergence` must be an instance of DivergenceSettings\. Rec"):
        SamplerBackpropSettings(divergence="energy")
