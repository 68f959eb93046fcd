"""Recorded plans: the teacher's own candidates and values, and samples that depend on the seed alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rlpriors.agents import TerminalValue, TerminalValueSettings
from rlpriors.agents.diffusion.fast.plans import PlanBuffer, record_plans
from rlpriors.diffusion import PlannerSettings


def east(obs, act, obs_next, terminated):
    """Reward of the first coordinate."""
    return obs_next[:, 0]


def plans_of(n: int, *, candidates: int = 3, horizon: int = 2, offset: float = 0.0) -> PlanBuffer:
    act = offset + np.arange(float(n * candidates * horizon)).reshape(n, candidates, horizon, 1)
    return PlanBuffer(offset + np.arange(float(n))[:, None], act, np.zeros((n, candidates)))


def test_plans_are_those_of_the_teacher(walks, make_policy) -> None:
    data = walks()
    teacher = make_policy(data, reward=east, execution_horizon=3)
    before = teacher.planner
    plans = record_plans(teacher, data, n_states=10, n_candidates=4, batch_size=4, seed=7, progress=False)
    assert teacher.planner is before
    assert plans.chunks.shape == (10, 4, 3, 2)
    # The same noise by hand: batches of 4, 4 and 2 states, each repeated 4 times.
    teacher.planner = replace(before, n_candidates=1)
    teacher.reseed(7)
    windows = torch.cat([teacher.plan(plans.states[i : i + 4].repeat(4, 0)) for i in (0, 4, 8)])
    expected = teacher.layout.unpack(windows)[1][:, :3].clamp(-1, 1).reshape(10, 4, 3, 2)
    np.testing.assert_allclose(plans.chunks, expected.numpy(), rtol=1e-6)
    obs = teacher.layout.unpack(windows)[0]
    np.testing.assert_allclose(plans.values, obs[:, 1:, 0].sum(1).reshape(10, 4), rtol=1e-4)
    rows = data.obs.astype(np.float32)
    assert all((row == rows).all(1).any() for row in plans.states)
    assert len(np.unique(plans.states, axis=0)) == 10  # drawn without replacement


def test_as_many_plans_as_the_teacher_compares(walks, make_policy) -> None:
    data = walks()
    teacher = make_policy(data, reward=east)
    teacher.planner = replace(teacher.planner, n_candidates=5)
    assert record_plans(teacher, data, n_states=2, progress=False).chunks.shape[:2] == (2, 5)


def test_values_include_the_terminal_value(walks, make_policy) -> None:
    data = walks(n=3)
    value = TerminalValue(TerminalValueSettings(obs_dim=2, discount=0.5, hidden=()))
    teacher = make_policy(data, reward=east)
    recorded = {}
    for name, beyond in (("none", None), ("zero", value)):
        teacher.terminal_value = beyond
        recorded[name] = record_plans(teacher, data, n_states=5, n_candidates=2, progress=False)
    assert not np.allclose(recorded["none"].values, recorded["zero"].values)  # discounted rewards


def test_more_states_than_the_data_has_are_all_of_them(walks, make_policy) -> None:
    data = walks(n=2, steps=10)
    teacher = make_policy(data, reward=east)
    plans = record_plans(teacher, data, n_states=1000, n_candidates=1, progress=False)
    assert len(plans) == len(data.obs)


def test_samples_depend_on_seed_and_number_of_draws() -> None:
    plans = plans_of(50)
    first = [plans.started(1, 0).sample(8)[1] for _ in range(2)]
    assert np.array_equal(*first)
    buffer = plans.started(1, 0)
    buffer.sample(8)
    assert np.array_equal(buffer.sample(8)[1], plans.started(1, 1).sample(8)[1])
    assert not np.array_equal(first[0], plans.started(2, 0).sample(8)[1])
    batch, rows = plans.started(1, 0).sample(8)
    np.testing.assert_array_equal(batch.obs[:, 0], rows)
    np.testing.assert_array_equal(batch.act[:, 0, 0, 0], 6 * rows)
    assert plans.sample(None)[1].tolist() == list(range(50))


def test_buffers_join_and_have_fingerprints_of_their_numbers() -> None:
    one, two = plans_of(2), plans_of(3, offset=10)
    both = PlanBuffer.concat([one, two])
    assert both.states[:, 0].tolist() == [0, 1, 10, 11, 12]
    assert len({plans.fingerprint() for plans in (one, two, both)}) == 3
    assert plans_of(2).fingerprint() == one.fingerprint()
    with pytest.raises(
        ValueError, match=r"`parts` must be at least one buffer.*Received \[\(\(1,\), \(3, 2, 1"
    ):
        PlanBuffer.concat([one, plans_of(2, horizon=3)])
    with pytest.raises(ValueError, match=r"`parts` must be at least one buffer.*Received \[\]"):
        PlanBuffer.concat([])


@pytest.mark.parametrize("name", ["obs", "act", "value"])
def test_numbers_that_are_not_finite_are_refused(name: str) -> None:
    arrays = {"obs": np.zeros((2, 1)), "act": np.zeros((2, 3, 4, 1)), "value": np.zeros((2, 3))}
    arrays[name][0] = np.nan
    with pytest.raises(ValueError, match=rf"`{name}` must be finite"):
        PlanBuffer(**arrays)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Received \(0, 1\), \(0, 3, 4, 1\) and \(0, 3\)"):
        PlanBuffer(np.zeros((0, 1)), np.zeros((0, 3, 4, 1)), np.zeros((0, 3)))


def test_unsuitable_teachers_are_refused(walks, make_policy) -> None:
    data = walks(n=2)
    with pytest.raises(ValueError, match=r"`teacher` must have a reward.*Received None"):
        record_plans(make_policy(data), data, progress=False)
    careful = make_policy(data, reward=east, planner=PlannerSettings(n_steps=2, likelihood_weight=1.0))
    with pytest.raises(ValueError, match=r"`teacher.planner.likelihood_weight` must be 0.*Received 1"):
        record_plans(careful, data, progress=False)
    with pytest.raises(ValueError, match=r"`n_candidates` must be at least 1\. Received 0"):
        record_plans(make_policy(data, reward=east), data, n_candidates=0, progress=False)
