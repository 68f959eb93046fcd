"""Density ratio objective: known ratios, and bit-equal resuming."""

import numpy as np
import pytest
import torch
from normals import fit, linear_reward, normal_policy, normal_update
from scipy.stats import spearmanr

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.objectives import DensityRatio, DensityRatioSettings, RelativeSettings
from rlpriors.checkpoint import load_resume, save_resume
from rlpriors.diffusion import PlannerSettings

QUICK = RelativeSettings(expert_updates=3)


@pytest.mark.parametrize(("noised_fraction", "weight"), [(0.0, 1.0), (0.0, 2.0), (0.5, 1.0)])
def test_the_log_ratio_of_two_normals(noised_fraction: float, weight: float) -> None:
    """Windows N(m, 1) against N(0, 1), m = 0.5 in time steps 1 and 2 of those that the reward reads.

    The log ratio is 0.5 (x_1 + x_2) - 2 * 0.5^2 / 2, so w r(s) = 0.5 s.  J also contains time step 0, where
    both are equal: c(s_0) = -0.5 s_0 - 0.25.  Noised to abar and restored as sqrt(abar) x_t they are
    N(abar m, abar) against N(0, abar): the same slope and c(s_0) = -0.5 s_0 - 0.25 abar.
    """
    policy, reward = normal_policy(weight), linear_reward()
    objective = DensityRatio(DensityRatioSettings(hidden=(), noised_fraction=noised_fraction), policy)
    update = normal_update(policy, reward, 0.5, 20_000)
    fit(objective, update, [*reward.net.parameters(), *objective.parameters()], max_iter=20)
    ((slope,),) = reward.net[0].weight.tolist()
    ((by_start, by_noise),) = objective.offset[0].weight.tolist()
    assert weight * slope == pytest.approx(0.5, abs=0.03)
    assert by_start == pytest.approx(-0.5, abs=0.03)
    # What is constant may lie in the reward's level, of three time steps, or in c.
    level = 3 * weight * reward.net[0].bias.item() + objective.offset[0].bias.item()
    assert level == pytest.approx(-0.25, abs=0.03)
    if noised_fraction:
        assert by_noise == pytest.approx(0.25, abs=0.06)
        # The last of the five times has too little signal to learn a weight from.
        torch.testing.assert_close(objective.log_temper[:3].detach(), torch.zeros(3), atol=0.15, rtol=0)
    else:
        assert objective.log_temper.numel() == 0


@pytest.mark.parametrize(
    ("drift", "settings"),
    [(0.5, "density_ratio"), (-0.5, DensityRatioSettings(noised_fraction=0.5))],
    ids=["right", "left, noisy"],
)
def test_demonstrations_that_go_somewhere_make_it_worth_being_there(
    walks, gaussian_policy, make_algorithm, train, drift: float, settings
) -> None:
    data, demonstrations = walks(n=200, dim=1), walks(n=40, dim=1, drift=drift, seed=1)
    policy = gaussian_policy(data, planner=PlannerSettings(n_steps=5))
    algorithm = make_algorithm(
        DiffusionIRL, data, policy=policy, hidden=(32, 32), objective=settings, prior_data=data, lr=3e-3
    )
    train(algorithm, demonstrations, 50, batch_size=64)
    x = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    learned = policy.reward.score(x, 0 * x, x)
    assert spearmanr(np.sign(drift) * x[:, 0], learned).statistic > 0.8
    assert np.ptp(learned) > 0.1


@pytest.mark.parametrize(
    ("start_offset", "progresses", "has_goals", "reads_start"),
    [
        (None, True, False, True),
        (None, None, False, True),
        (None, False, True, True),
        (None, False, False, False),
        (False, True, True, False),
        (True, False, False, True),
    ],
)
def test_the_offset_reads_the_start_unless_movements_repeat(
    start_offset, progresses, has_goals, reads_start
) -> None:
    """N(0.5, 1) in time steps 1 and 2 against N(0, 1), with the start state of demonstrations at 2.

    Only c(s_0) can explain the start without crediting the state.  With a constant c, the reward of states
    must, and its slope is larger than 0.5.
    """
    policy, reward = normal_policy(), linear_reward()
    objective = DensityRatio(DensityRatioSettings(hidden=(), start_offset=start_offset), policy)
    assert objective.depends_on_progress == (start_offset is None)
    update = normal_update(policy, reward, 0.5, 20_000)._replace(progresses=progresses, has_goals=has_goals)
    update.expert[:, 0] += 2
    fit(objective, update, [*reward.net.parameters(), *objective.parameters()], max_iter=20)
    ((slope,),) = reward.net[0].weight.tolist()
    if reads_start:
        assert slope == pytest.approx(0.5, abs=0.05)
        assert objective.offset[0].weight[0, 0].item() == pytest.approx(1.5, abs=0.1)  # 2 - 0.5
    else:
        assert slope > 0.8
        assert objective.offset[0].weight.abs().max() == 0


def test_initial_logits_are_zero(walks, make_algorithm) -> None:
    """The initial loss is log 2, and initial weights do not depend on the global generator."""
    torch.manual_seed(0)
    one = DensityRatio(DensityRatioSettings(), normal_policy())
    torch.manual_seed(1)
    two = DensityRatio(DensityRatioSettings(), normal_policy())
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), two.parameters(), strict=True))
    contrast = one(normal_update(normal_policy(), linear_reward(), 0.5, 8))
    assert contrast.loss.item() == pytest.approx(np.log(2))
    assert contrast.stats == {"accuracy": 0.5, "cross_entropy": pytest.approx(np.log(2))}
    assert contrast.samples.shape == (8, 4, 2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_batches(n: int) -> None:
    policy, reward = normal_policy(), linear_reward()
    objective = DensityRatio(DensityRatioSettings(noised_fraction=0.9), policy)
    contrast = objective(normal_update(policy, reward, 0.5, n))
    contrast.loss.backward()
    assert contrast.loss.isfinite()
    assert policy.denoiser.mean.grad is None


@pytest.mark.parametrize(
    ("objective", "warm_start"),
    [
        ("density_ratio", ()),
        (DensityRatioSettings(noised_fraction=0.5), ()),
        (QUICK, ()),
        ("contrastive", (("density_ratio", 2), (QUICK, 3))),
    ],
    ids=["density_ratio", "noisy ratio", "relative", "one after the other"],
)
def test_a_stopped_run_resumes_bit_equal(
    walks, make_algorithm, train, tmp_path, objective, warm_start
) -> None:
    data, demonstrations, file = walks(), walks(n=5, drift=0.5, seed=1), tmp_path / "resume.pt"

    def fresh() -> DiffusionIRL:
        return make_algorithm(
            DiffusionIRL, data, objective=objective, warm_start=warm_start, prior_data=data, lr=1e-2
        )

    uninterrupted = fresh()
    train(uninterrupted, demonstrations, 6)
    for stop in (2, 3):
        stopped = fresh()
        train(stopped, demonstrations, stop)
        save_resume(file, stopped.resume_state())
        resumed = fresh()
        resumed.resume(load_resume(file))
        train(resumed, demonstrations, 6 - stop)
        one, two = uninterrupted.state_dict(), resumed.state_dict()
        assert one.keys() == two.keys()
        for name, value in one.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, two[name]), name
        for mine, other in zip(uninterrupted._optimizers, resumed._optimizers, strict=True):
            states = mine.state_dict()["state"], other.state_dict()["state"]
            assert states[0].keys() == states[1].keys()
            for i, state in states[0].items():
                assert all(torch.equal(state[name], states[1][i][name]) for name in state)


@pytest.mark.parametrize("warm_start", [(), (("density_ratio", 3),)])
@pytest.mark.parametrize("objective", ["density_ratio", "relative"])
def test_it_needs_the_priors_data(walks, make_algorithm, objective: str, warm_start) -> None:
    name = warm_start[0][0] if warm_start else objective
    with pytest.raises(ValueError, match=rf"objective '{name}' compares .* Give that data as `prior_data`"):
        make_algorithm(DiffusionIRL, walks(), objective=objective, warm_start=warm_start)


def test_base_data_of_other_sizes_is_refused(walks, make_algorithm) -> None:
    with pytest.raises(ValueError, match=r"data's observations have 3 entries, .* was made for 2"):
        make_algorithm(DiffusionIRL, walks(), objective="density_ratio", prior_data=walks(dim=3))


def test_objectives_take_turns(walks, make_algorithm, train, monkeypatch) -> None:
    """And each begins with what the one before has learned, of which the average follows smoothly."""
    data = walks()
    algorithm = make_algorithm(
        DiffusionIRL,
        data,
        warm_start=(("density_ratio", 2), (QUICK, 2)),
        prior_data=data,
        settings=DiffusionIRLSettings(ema_decay=0.5),
    )
    said, averaged, update = [], [algorithm.reward.net[0].weight.clone()], algorithm._update_with_batch

    def spy(batch):
        stats = update(batch)
        said.append(sorted(stats.objective))
        now, online = algorithm.reward.net[0].weight.clone(), algorithm.online.net[0].weight
        torch.testing.assert_close(now, 0.5 * averaged[-1] + 0.5 * online.detach())
        averaged.append(now)
        return stats

    monkeypatch.setattr(algorithm, "_update_with_batch", spy)
    train(algorithm, walks(drift=0.5, seed=1), 5)
    ratio, relative = ["accuracy", "cross_entropy"], ["difference", "mismatch"]
    assert said == [ratio, ratio, relative, relative, []]


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("hidden", (0,), r"`hidden` must contain widths of at least 1\. Received \(0,\)"),
        ("noised_fraction", 1.0, r"`noised_fraction` must be in \[0, 1\)\. Received 1\.0"),
        ("noised_fraction", -0.1, r"`noised_fraction` must be in \[0, 1\)\. Received -0\.1"),
    ],
)
def test_bad_settings(field: str, bad, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DensityRatioSettings(**{field: bad})
