"""Distillation: the student does as the best plans do, its value ranks them, and training resumes."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from points import collector, homing
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch

from rlpriors.agents.diffusion.fast.distill import distill_planner
from rlpriors.agents.diffusion.fast.distillation import (
    DistillationSettings,
    PlannerDistillation,
    normalized_advantages,
)
from rlpriors.agents.diffusion.fast.fast_planner import FastPlannerPolicy, FastPlannerSettings
from rlpriors.agents.diffusion.fast.files import load_flow_policy, save_flow_policy
from rlpriors.agents.diffusion.fast.flow_policy import FlowPolicy, FlowSettings
from rlpriors.agents.diffusion.fast.plans import PlanBuffer, record_plans
from rlpriors.checkpoint import CheckpointError, load_resume, save_resume
from rlpriors.data.buffers import to_buffer
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout

BOX = gym.spaces.Box(-1, 1, (1,))


def east(obs, act, obs_next, terminated):
    """Reward of the first coordinate."""
    return obs_next[:, 0]


def make_student(seed: int = 0, **settings) -> FastPlannerPolicy:
    settings = {"horizon": 2, "hidden": (32, 32), "value_hidden": (32,)} | settings
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FastPlannerPolicy(
            action_space=BOX,
            obs=Normalizer.identity(1),
            act=Normalizer.identity(1),
            settings=FastPlannerSettings(**settings),
            device="cpu",
            seed=seed,
        )


def make_training(policy: FastPlannerPolicy, **arguments) -> PlannerDistillation:
    arguments = {"ema_decay": 0.95, "optim": AdamOptimizerFactory(lr=5e-3)} | arguments
    return PlannerDistillation(policy=policy, **arguments)


def two_ways(n: int = 200, seed: int = 0) -> PlanBuffer:
    """Plans to both sides, of which the side of the state's sign has the higher value."""
    rng = np.random.default_rng(seed)
    state = rng.uniform(-1, 1, (n, 1))
    side = rng.choice([-1.0, 1.0], (n, 6)) * rng.uniform(0.6, 0.9, (n, 6))
    act = np.repeat(side[:, :, None, None], 2, 2)
    return PlanBuffer(state, act, 10 * state + side * np.sign(state))


def test_the_student_goes_to_the_better_side(train) -> None:
    policy = make_student()
    train(make_training(policy), two_ways(), 250, batch_size=64)
    obs = np.array([[-0.7], [0.7]]).repeat(50, 0)
    sides = np.sign(policy.chunk(obs).numpy()[:, 0, 0]).reshape(2, 50).mean(1)
    assert sides[0] < -0.8
    assert sides[1] > 0.8


def test_the_value_picks_the_better_of_proposals_to_both_sides(train) -> None:
    # Proposals imitate all six plans of a state, so that the value alone decides.
    one, many = make_student(n_candidates=1), make_student(n_candidates=16)
    training = make_training(many, settings=DistillationSettings(n_best=6))
    train(training, two_ways(), 250, batch_size=64)
    one.load_state_dict(many.state_dict())
    obs = np.full((200, 1), 0.7)
    assert (one.chunk(obs)[:, 0, 0] > 0).float().mean() < 0.75
    assert (many.chunk(obs)[:, 0, 0] > 0).float().mean() > 0.95


def test_the_best_of_the_proposals_is_returned() -> None:
    policy = make_student(n_candidates=5)
    torch.nn.init.normal_(policy.flow.net[-1].weight)
    obs = torch.linspace(-1, 1, 4)[:, None]
    policy.reseed(2)
    proposals = policy.sample(obs.repeat_interleave(5, 0)).clamp(-1, 1)
    scores = policy.advantages(obs.repeat_interleave(5, 0), proposals).reshape(4, 5)
    expected = proposals.reshape(4, 5, 2, 1)[torch.arange(4), scores.argmax(1)]
    policy.reseed(2)
    assert torch.equal(policy.chunk(obs), expected.detach())


def test_losses_have_hand_worked_values() -> None:
    # Advantages (-1, 1) of two plans and a value of 0: a mean squared error of 1.
    policy = make_student()
    for part in policy.value.parameters():
        torch.nn.init.zeros_(part)
    training = make_training(policy, settings=DistillationSettings(value_weight=3.0))
    plans = PlanBuffer(np.zeros((1, 1)), np.zeros((1, 2, 2, 1)), np.array([[1.0, 5.0]]))
    stats = training._update_with_batch(training.process_buffer(plans).sample(16)[0])
    assert stats.value_loss == pytest.approx(1.0)
    assert stats.loss == pytest.approx(stats.flow_loss + 3.0)


def test_advantages_are_relative_to_the_state() -> None:
    values = torch.tensor([[1.0, 3.0, 5.0], [100.0, 100.0, 100.0]])
    expected = torch.tensor([[-(1.5**0.5), 0.0, 1.5**0.5], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(normalized_advantages(values), expected)


def test_a_stopped_training_resumes_bit_equal(train, tmp_path) -> None:
    plans = two_ways()
    uninterrupted, other, stopped, resumed = (make_training(make_student(), seed=s) for s in (0, 1, 0, 0))
    for training in (uninterrupted, other):
        train(training, plans, 6)
    train(stopped, plans, 3)
    save_resume(tmp_path / "resume.pt", stopped.resume_state())
    resumed.resume(load_resume(tmp_path / "resume.pt"))
    train(resumed, plans, 3)
    one, two, three = (dict(a.named_parameters()) for a in (resumed, uninterrupted, other))
    assert all(torch.equal(one[name], two[name]) for name in two)
    assert not torch.equal(two["online.0.net.0.weight"], three["online.0.net.0.weight"])
    changed = make_training(make_student())
    changed.resume(stopped.resume_state())
    with pytest.raises(CheckpointError, match="data"):
        changed.check_resumed_data(two_ways(seed=5))
    with pytest.raises(CheckpointError, match="n_best"):
        make_training(make_student(), settings=DistillationSettings(n_best=2)).resume(stopped.resume_state())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_plans_training_and_files_work_on_a_device(make_policy, device: str, tmp_path) -> None:
    data = homing()
    teacher = make_policy(data, reward=east, execution_horizon=2, device=device)
    student = FastPlannerPolicy.of(teacher, hidden=(8,), value_hidden=(8,), n_candidates=3)
    assert student.device == teacher.device
    arguments = {"n_states": 8, "n_candidates": 2, "updates": 3, "progress": False}
    distill_planner(teacher, data, student=student, **arguments)
    loaded = load_flow_policy(save_flow_policy(student, tmp_path), device=device)
    obs = np.zeros((4, 1), np.float32)
    student.reseed(0)
    assert torch.equal(student.chunk(obs), loaded.chunk(obs))


@pytest.mark.parametrize("dictionary", [False, True])
def test_a_planner_becomes_a_student_that_acts_in_a_collector(make_policy, dictionary: bool) -> None:
    data = homing()
    teacher = make_policy(data, reward=east, execution_horizon=3, obs_keys=("where",) if dictionary else None)
    student = distill_planner(
        teacher,
        data,
        student=FastPlannerPolicy.of(teacher, hidden=(16,), value_hidden=(16,), n_candidates=2),
        n_states=20,
        n_candidates=3,
        updates=5,
        progress=False,
    )
    assert student.settings.horizon == 3
    assert student.settings.executed_steps == 3
    assert student.obs_keys == teacher.obs_keys
    collect = collector(student, 9, 5, dictionary=dictionary)
    result = collect.collect(n_episode=3, reset_before_collect=True)
    assert result.n_collected_episodes == 3


def test_later_rounds_plan_from_states_of_the_student(make_policy) -> None:
    data, seen = homing(), []
    teacher = make_policy(data, reward=east, execution_horizon=2)
    trained = []

    def visit(student):
        trained.append(int(sum(float(p.abs().sum()) for p in student.flow.parameters()) * 1000))
        seen.append(homing(n=2, seed=9))
        return seen[-1]

    student = FastPlannerPolicy.of(teacher, hidden=(8,), value_hidden=(8,))
    arguments = {"n_states": 10, "n_candidates": 2, "updates": 3, "progress": False}
    distill_planner(teacher, data, student=student, visit=visit, rounds=3, **arguments)
    assert len(seen) == 2
    assert trained[0] != trained[1]
    with pytest.raises(ValueError, match=r"`rounds` must be 1 without `visit`.*Received 2"):
        distill_planner(teacher, data, rounds=2, **arguments)


def test_weights_depend_on_the_seed_alone(make_policy) -> None:
    teacher = make_policy(homing(), reward=east)
    one, two, three = (FastPlannerPolicy.of(teacher, seed=s, hidden=(8,)) for s in (0, 0, 1))
    weights = [policy.value.state_dict()["0.weight"] for policy in (one, two, three)]
    assert torch.equal(*weights[:2])
    assert not torch.equal(weights[0], weights[2])
    assert one.obs is not teacher.layout.obs


@pytest.mark.parametrize("kind", [FlowPolicy, FastPlannerPolicy])
def test_a_saved_policy_acts_as_before(kind, tmp_path) -> None:
    layout = ObservationLayout(("where",), ((3,),))
    settings = (FlowSettings if kind is FlowPolicy else FastPlannerSettings)(horizon=4, stride=2, hidden=(8,))
    policy = kind(
        action_space=gym.spaces.Box(np.array([-1, -3], np.float32), np.array([1, 2], np.float32)),
        obs=Normalizer(torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6])),
        act=Normalizer(torch.tensor([0.5, 0.0]), torch.tensor([2.0, 3.0])),
        settings=settings,
        obs_layout=layout,
        device="cpu",
        seed=3,
    )
    torch.nn.init.normal_(policy.flow.net[-1].weight)
    loaded = load_flow_policy(save_flow_policy(policy, tmp_path), device="cpu", seed=3)
    assert type(loaded) is kind
    assert loaded.settings == settings
    assert loaded.obs_layout == layout
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "config.json"}
    obs = Batch(obs={"where": np.ones((2, 3), np.float32)}, info={})
    policy.reseed(3)
    np.testing.assert_array_equal(loaded(obs).act, policy(obs).act)


def test_files_of_something_else_are_refused(tmp_path, make_policy, walks) -> None:
    from rlpriors.agents import load_prior, save_prior

    with pytest.raises(CheckpointError):
        load_flow_policy(tmp_path / "missing")
    save_prior(make_policy(walks(n=2)), tmp_path / "prior")
    with pytest.raises(CheckpointError, match=r"must be of one of \['FastPlannerPolicy', 'FlowPolicy'\]"):
        load_flow_policy(tmp_path / "prior", device="cpu")
    save_flow_policy(make_student(), tmp_path / "student")
    with pytest.raises(CheckpointError):
        load_prior(tmp_path / "student", device="cpu")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_best": 0}, r"`n_best` must be at least 1\. Received 0"),
        ({"distinct": 1.5}, r"`distinct` must be in \[0, 1\]\. Received 1\.5"),
        ({"value_weight": -1.0}, r"`value_weight` must be at least 0\. Received -1"),
    ],
)
def test_bad_settings_are_refused(settings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DistillationSettings(**settings)


def test_unsuitable_buffers_and_teachers_are_refused(make_policy, train) -> None:
    data = homing()
    with pytest.raises(TypeError, match=r"`buffer` must be a PlanBuffer.*record_plans"):
        train(make_training(make_student()), to_buffer(data), 1)
    teacher = make_policy(data, reward=east, execution_horizon=3)
    plans = record_plans(teacher, data, n_states=4, progress=False)
    with pytest.raises(ValueError, match=r"of sizes \(1, 2, 1\), as the policy\. Received \(1, 3, 1\)"):
        train(make_training(make_student()), plans, 1)
    with pytest.raises(ValueError, match=r"`n_candidates` must be at least 1\. Received 0"):
        FastPlannerSettings(n_candidates=0)
