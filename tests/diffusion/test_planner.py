"""Planner: many candidates, the best one kept."""

import pytest
import torch

from rlpriors.diffusion import (
    Condition,
    DiffusionProcess,
    GuidanceSettings,
    NoiseSchedule,
    Planner,
    PlannerSettings,
    denoising_residual,
    sample,
)

UNGUIDED = GuidanceSettings(weight=0.0)


class Spy:
    """A value that remembers what it judged."""

    def __init__(self) -> None:
        self.judged: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        values = x.square().sum((1, 2))
        self.judged.append((x.detach(), values.detach()))
        return values


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def starts(*positions: float) -> Condition:
    return Condition.fix_steps(torch.tensor(positions)[:, None, None], horizon=4, dim=2)


@pytest.fixture
def process() -> DiffusionProcess:
    return DiffusionProcess(NoiseSchedule(20))


def make(process, gaussian, **settings) -> Planner:
    settings = {"n_candidates": 8, "n_steps": 4, "clip": None, **settings}
    return Planner(process, gaussian(process), PlannerSettings(**settings))


@pytest.mark.parametrize("n", [1, 8])
def test_the_best_candidate_of_each_row_is_kept(process, gaussian, n: int) -> None:
    spy = Spy()
    planner = make(process, gaussian, n_candidates=n, guidance=UNGUIDED)
    plan = planner.plan(starts(0.1, 0.2, 0.3), spy, generator=seeded())
    ((windows, values),) = spy.judged
    assert windows.shape == (3 * n, 4, 2)
    assert torch.equal(plan.value, values.reshape(3, n).max(1).values)
    for row in range(3):
        own = windows[row * n : (row + 1) * n]
        assert torch.equal(plan.window[row], own[values[row * n : (row + 1) * n].argmax()])
    assert torch.equal(plan.window[:, 0, 0], torch.tensor([0.1, 0.2, 0.3]))


def test_guidance_raises_the_value(process, gaussian) -> None:
    def planned(weight: float) -> float:
        planner = make(process, gaussian, n_candidates=1, guidance=GuidanceSettings(weight=weight))
        value = planner.plan(starts(*[0.0] * 50), lambda x: x.sum((1, 2)), generator=seeded()).value
        return value.mean().item()

    assert planned(2.0) > planned(0.5) > planned(0.0)


def test_likelihood_turns_the_choice_towards_typical_windows(process, gaussian) -> None:
    def plan(likelihood_weight: float):
        generator, spy, states = seeded(), Spy(), []

        def value(x):
            states.append(generator.get_state())  # ahead of the residual's noise
            return spy(x)

        planner = make(
            process, gaussian, n_candidates=32, guidance=UNGUIDED, likelihood_weight=likelihood_weight
        )
        chosen = planner.plan(starts(0.0, 0.0), value, generator=generator)
        residual = denoising_residual(
            process,
            gaussian(process),
            spy.judged[0][0],
            condition=starts(*[0.0] * 64),
            generator=torch.Generator().set_state(states[0]),
        )
        return chosen, spy.judged[0][0].reshape(2, 32, 4, 2), residual.reshape(2, 32)

    (best, candidates, _), (typical, same, residual) = plan(0.0), plan(1e6)
    assert torch.equal(candidates, same)  # the same candidates, another choice
    assert torch.equal(typical.window, same[[0, 1], residual.argmin(1)])
    assert bool((typical.value < best.value).all())


def test_the_value_of_the_choice_is_not_what_ranked_it(process, gaussian) -> None:
    planner = make(process, gaussian, guidance=UNGUIDED, likelihood_weight=10.0)
    plan = planner.plan(starts(0.0), Spy(), generator=seeded())
    torch.testing.assert_close(plan.value, plan.window.square().sum((1, 2)))


@pytest.mark.parametrize("settings", [{}, {"eta": 1.0}, {"sampler": "ddpm", "likelihood_weight": 1.0}])
def test_equal_generators_give_equal_plans(process, gaussian, settings) -> None:
    planner = make(process, gaussian, **settings)
    first, again, other = (planner.plan(starts(0.5), Spy(), generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first.window, again.window)
    assert not torch.equal(first.window, other.window)


@pytest.mark.parametrize("settings", [{}, {"sampler": "ddpm", "likelihood_weight": 1.0}])
def test_rows_do_not_see_each_other(process, gaussian, settings) -> None:
    planner = make(process, gaussian, **settings)
    here = planner.plan(starts(0.1, 0.2, 0.3), Spy(), generator=seeded()).window
    there = planner.plan(starts(0.1, 0.9, 0.3), Spy(), generator=seeded()).window
    torch.testing.assert_close(here[[0, 2]], there[[0, 2]])
    assert not torch.equal(here[1], there[1])


@pytest.mark.parametrize("sampler", ["ddim", "dpm++2m", "euler", "heun"])
def test_windows_of_one_batch_are_what_they_are_alone(process, gaussian, sampler: str) -> None:
    noise = torch.randn(6, 4, 2, generator=seeded())
    known = starts(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)

    def draw(rows: slice) -> torch.Tensor:
        return sample(
            process,
            gaussian(process, std=0.5),
            noise[rows],
            n_steps=4,
            sampler=sampler,
            condition=Condition(known.mask[rows], known.value[rows]),
            value=lambda x: -(x - 0.5).square().sum((1, 2)),
            generator=seeded(1),
        )

    together = draw(slice(None))
    for row in range(6):
        torch.testing.assert_close(draw(slice(row, row + 1)), together[row : row + 1])


def test_without_a_value_the_prior_is_followed(process, gaussian) -> None:
    rows = []

    def spy(x, t, /):
        rows.append(len(x))
        return gaussian(process)(x, t)

    plan = Planner(process, spy, PlannerSettings(n_candidates=8, n_steps=2)).plan(starts(0.1, 0.2))
    assert rows == [2, 2]  # there is nothing to choose by, so no more is sampled
    assert plan.window.shape == (2, 4, 2)
    assert plan.value.tolist() == [0.0, 0.0]


def test_plans_are_bounded(process, gaussian) -> None:
    planner = make(process, gaussian, clip=0.3, eta=1.0)
    assert planner.plan(starts(0.1), Spy(), generator=seeded()).window.abs().max() <= 0.3 + 1e-6


def test_a_warm_start_takes_fewer_steps_and_stays_near(process, gaussian) -> None:
    times = []

    def spy(x, t, /):
        times.append(int(t[0]))
        return gaussian(process)(x, t)

    previous = torch.full((2, 4, 2), 0.8)
    settings = PlannerSettings(n_candidates=4, n_steps=8, warm_start=0.25, clip=None, guidance=UNGUIDED)
    planner = Planner(process, spy, settings)
    warm = planner.plan(starts(0.8, 0.8), Spy(), previous=previous, generator=seeded()).window
    assert times == [5, 0]  # a quarter of the 8 steps from a quarter of the times 0 to 19
    times.clear()
    cold = planner.plan(starts(0.8, 0.8), Spy(), generator=seeded()).window
    assert times == process.schedule.timesteps(8)
    assert (warm - previous).abs().mean() < 0.5 * (cold - previous).abs().mean()


def test_each_row_starts_warm_from_its_own_plan(process, gaussian) -> None:
    previous = torch.tensor([0.9, -0.9])[:, None, None].expand(2, 4, 2)
    planner = make(process, gaussian, warm_start=0.1, guidance=UNGUIDED)
    warm = planner.plan(starts(0.9, -0.9), Spy(), previous=previous, generator=seeded()).window
    assert warm[0].min() > 0 > warm[1].max()


def test_known_entries_are_clean_wherever_the_network_looks(process, gaussian) -> None:
    seen = []

    def spy(x, t, /):
        seen.append(x[:, 0, 0])
        return gaussian(process)(x, t)

    planner = Planner(process, spy, PlannerSettings(n_candidates=2, n_steps=3, likelihood_weight=1.0))
    planner.plan(starts(0.1, 0.2), Spy())
    assert len(seen) == 3 + 3  # steps, then levels of the residual
    assert all(torch.equal(x, torch.tensor([0.1, 0.1, 0.2, 0.2])) for x in seen)


def test_candidates_of_a_warm_start_differ(process, gaussian) -> None:
    spy = Spy()
    planner = make(process, gaussian, warm_start=0.5, guidance=UNGUIDED)
    planner.plan(starts(0.0), spy, previous=torch.zeros(1, 4, 2), generator=seeded())
    assert len(spy.judged[0][1].unique()) == 8


def test_planning_leaves_no_graph(process, gaussian) -> None:
    plan = make(process, gaussian).plan(starts(0.0), Spy())
    assert not plan.window.requires_grad
    assert not plan.value.requires_grad


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("n_candidates", 0, r"`n_candidates` must be at least 1\. Received 0"),
        ("n_steps", 0, r"`n_steps` must be at least 1\. Received 0"),
        ("sampler", "leap", r"`sampler` must be one of \['ddim', .*\. Received 'leap'"),
        ("eta", 1.5, r"`eta` must be in \[0, 1\]\. Received 1\.5"),
        ("likelihood_weight", -1.0, r"`likelihood_weight` must be at least 0\. Received -1\.0"),
        ("warm_start", 1.0, r"`warm_start` must be in \[0, 1\)\. Received 1\.0"),
        ("clip", 0.0, r"`clip` must be positive or None\. Received 0\.0"),
    ],
)
def test_bad_settings(field: str, bad, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PlannerSettings(**{field: bad})


@pytest.mark.parametrize("spoiled", ["values", "windows"])
def test_nan_never_wins(spoiled):
    """`argmax` takes NaN for the largest number."""
    process = DiffusionProcess(NoiseSchedule(10))

    def denoiser(x, t):
        return x * (float("nan") if spoiled == "windows" else 0.5)

    def value(x):
        values = x.sum((1, 2))
        return torch.where(values == values.min(), float("nan"), values) if spoiled == "values" else values

    planner = Planner(process, denoiser, PlannerSettings(n_candidates=4, n_steps=2, guidance=UNGUIDED))
    with pytest.raises(ValueError, match=r"must return finite numbers\. Received"):
        planner.plan(starts(0.0), value, generator=seeded())
