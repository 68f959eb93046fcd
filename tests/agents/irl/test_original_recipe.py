"""The original recipe as a preset: its pieces, and that it learns on the prior of everything else."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from tianshou.data import Batch

from rlpriors.agents import DiffusionIRL, original_recipe
from rlpriors.agents.irl.diffusion_irl import DiffusionIRLSettings
from rlpriors.agents.irl.objectives import SamplerBackpropSettings
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.diffusion import DiffusionProcess, GuidanceSettings, NoiseSchedule, PlannerSettings
from rlpriors.rewards.divergences import DivergenceSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings


def test_the_recipe_of_the_small_maze() -> None:
    recipe = original_recipe("umaze", 32, 6)
    assert recipe.value == TrajectoryValueSettings(32, 6, (384, 128, 64))
    guidance = GuidanceSettings(weight=0.1, space="noisy", clip=None, n_repeats=2, stop_below=2)
    assert recipe.planner == PlannerSettings(
        n_candidates=1, n_steps=50, sampler="ddpm", guidance=guidance, clip=1.0
    )
    divergence = DivergenceSettings("mmd-rbf", biased=True, adaptive_bandwidth=True)
    assert recipe.objective == SamplerBackpropSettings(
        divergence, gradient="full", inputs=("obs", "act"), first_steps=3
    )
    assert recipe.irl == DiffusionIRLSettings(
        0.0, magnitude_penalty=0.0, movement_fraction=0.0, ema_decay=0.0
    )
    assert (recipe.lr, recipe.batch_size, recipe.replan_every) == (2e-2, 16, 1)
    assert recipe.n_updates == 500 * 17  # 270 segments in batches of 16


def test_the_recipes_of_the_other_worlds() -> None:
    large = original_recipe("large", 384, 6, stride=1, n_levels=256)
    assert large.value.hidden == (1024, 512, 128)
    assert (large.planner.n_steps, large.objective.first_steps) == (256, 10)
    assert (large.lr, large.batch_size, large.n_updates) == (2e-2, 16, 9500)
    cheetah = original_recipe("halfcheetah", 4, 23, stride=1, n_levels=20)
    assert cheetah.value == TrajectoryValueSettings(4, 23, (64, 32, 16))
    assert cheetah.objective.first_steps == 4
    assert (cheetah.planner.guidance.weight, cheetah.planner.guidance.stop_below) == (1e-3, 0)
    assert cheetah.planner.clip is None
    assert (cheetah.lr, cheetah.batch_size, cheetah.n_updates) == (2e-3, 256, 20_000)


@pytest.mark.parametrize(("stride", "first_steps"), [(1, 8), (2, 5), (4, 3), (5, 2), (10, 2), (20, 2)])
def test_the_time_steps_of_the_first_ten_steps(stride: int, first_steps: int) -> None:
    assert original_recipe("umaze", 8, 4, stride=stride).objective.first_steps == first_steps


def test_it_learns_on_the_prior_of_others(walks, gaussian_policy, train) -> None:
    data, demonstrations = walks(n=200, dim=1), walks(n=40, dim=1, drift=0.8, seed=1)
    policy = gaussian_policy(data)
    policy.process = policy.denoiser.process = DiffusionProcess(NoiseSchedule(10))
    recipe = original_recipe("umaze", 8, 2, stride=1, n_levels=10)
    learner = recipe.create_algorithm(policy)
    said = []
    update = learner._update_with_batch
    learner._update_with_batch = lambda batch: said.append(update(batch)) or said[-1]
    train(learner, demonstrations, 8, batch_size=recipe.batch_size)
    divergences = [stats.objective["divergence"] for stats in said]
    assert np.mean(divergences[-2:]) < 0.7 * np.mean(divergences[:2])
    assert isinstance(policy.reward, TrajectoryValue)
    for average, online in zip(policy.reward.parameters(), learner.online.parameters(), strict=True):
        assert average is not online
        assert torch.equal(average, online)  # the original took no average
    # Planning by it goes where they went.
    obs, _ = policy.layout.unpack(policy.plan(np.zeros((40, 1))))
    policy.reward = None
    free, _ = policy.layout.unpack(policy.plan(np.zeros((40, 1))))
    assert (obs - free)[:, -1].mean() > 0.02


def test_plans_are_made_at_every_step(walks, make_policy) -> None:
    policy = make_policy(walks(), stride=2, execution_horizon=3)
    original_recipe("umaze", 8, 4, stride=2, n_levels=10).create_algorithm(policy)
    asked, plan = [], policy.plan
    policy.plan = lambda obs, **more: asked.append(len(obs)) or plan(obs, **more)
    state = None
    for _ in range(3):
        state = policy(Batch(obs=np.zeros((5, 2), np.float32), info={}), state).state
    assert asked == [5, 5, 5]


def test_a_stopped_run_resumes_bit_equal(walks, make_policy, train, tmp_path) -> None:
    data, file = walks(), tmp_path / "resume.pt"

    def fresh(seed: int = 0) -> DiffusionIRL:
        return original_recipe("umaze", 8, 4, stride=1, n_levels=10).create_algorithm(make_policy(data), seed)

    uninterrupted, stopped, resumed = fresh(), fresh(), fresh()
    train(uninterrupted, data, 3)
    train(stopped, data, 1)
    save_resume(file, stopped.resume_state())
    resumed.resume(load_resume(file))
    train(resumed, data, 2)
    for p, q in zip(resumed.parameters(), uninterrupted.parameters(), strict=True):
        assert torch.equal(p, q)
    assert not torch.equal(fresh(1).online.net[0].weight, fresh(0).online.net[0].weight)


def test_the_learned_value_is_saved_and_planned_by(walks, make_policy, train, tmp_path) -> None:
    data = walks()
    policy = make_policy(data)
    learner = original_recipe("umaze", 8, 4, stride=1, n_levels=10).create_algorithm(policy)
    train(learner, data, 1)
    plans = []
    for value in (policy.reward, TrajectoryValue.load(policy.reward.save(tmp_path), device="cpu")):
        policy.reseed(0)
        plans.append(policy.plan(np.zeros((2, 2)), reward=value))
    assert torch.equal(*plans)


def test_bad_arguments() -> None:
    with pytest.raises((ValueError, TypeCheckError), match="task"):
        original_recipe("medium", 8, 4)
    for name in ("stride", "n_levels"):
        with pytest.raises(ValueError, match=rf"`{name}` must be at least .\. Received 0"):
            original_recipe("umaze", 8, 4, **{name: 0})
    with pytest.raises(ValueError, match=r"`horizon` must be at least 2\. Received 1"):
        original_recipe("umaze", 1, 4)
    with pytest.raises(ValueError, match=r"`dim` must be at least 1\. Received 0"):
        original_recipe("umaze", 8, 0)


def test_a_policy_of_another_shape_is_refused(walks, make_policy) -> None:
    policy = make_policy(walks())
    for recipe in (
        original_recipe("umaze", 9, 4, stride=1, n_levels=10),
        original_recipe("umaze", 8, 5, stride=1, n_levels=10),
        original_recipe("umaze", 8, 4, stride=1, n_levels=50),
    ):
        before = policy.planner
        with pytest.raises(ValueError, match=r"`policy` must have the horizon.* Received \(8, 4, 10\)"):
            recipe.create_algorithm(policy)
        assert policy.planner is before


def test_any_objective_may_learn_a_value(walks, make_algorithm, train) -> None:
    data = walks()
    value = TrajectoryValue(TrajectoryValueSettings(8, 4, (8,)))
    algorithm = make_algorithm(DiffusionIRL, data, reward=value, lr=1e-2)
    train(algorithm, walks(drift=0.5, seed=1), 3)
    assert not torch.equal(algorithm.reward.net[0].weight, value.net[0].weight)
