"""Perturbed inputs of a reward: values by hand, known optima, and unchanged use after training."""

from dataclasses import replace

import pytest
import torch
from normals import fit, linear_reward, normal_policy, normal_update

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.objectives import (
    Contrastive,
    ContrastiveSettings,
    DensityRatio,
    DensityRatioSettings,
    InputPerturbation,
    RelativeSettings,
)
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.rewards.losses import contrastive_loss


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def two_sides(n: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows [n, 4, 3] of one observed number, the index of the time step, and actions of 1 and of -1."""
    place = torch.arange(4.0).expand(n, 4)[..., None]
    return torch.cat([place, torch.ones(n, 4, 2)], 2), torch.cat([place, -torch.ones(n, 4, 2)], 2)


def test_the_default_changes_nothing() -> None:
    source = generator()
    before = source.get_state()
    windows = two_sides()
    read = InputPerturbation()(*windows, obs_dim=1, generator=source)
    assert all(one is other for one, other in zip(read, windows, strict=True))
    assert torch.equal(source.get_state(), before)


def test_noise_lies_on_every_number_of_both_sides() -> None:
    windows = two_sides(2000)
    read = InputPerturbation(input_noise=0.5)(*windows, obs_dim=1, generator=generator())
    noise = torch.stack([seen - true for seen, true in zip(read, windows, strict=True)])
    torch.testing.assert_close(noise.mean((1, 2)), torch.zeros(2, 3), atol=0.03, rtol=0)
    torch.testing.assert_close(noise.std((1, 2)), torch.full((2, 3), 0.5), atol=0.03, rtol=0)
    assert (noise[0] - noise[1]).std() > 0.6  # of independent ones, sqrt(2) / 2


def test_actions_come_from_one_pool_and_tell_the_sides_apart_no_more() -> None:
    windows = two_sides()
    read = InputPerturbation(marginal_actions=True)(*windows, obs_dim=1, generator=generator())
    for seen, true in zip(read, windows, strict=True):
        assert torch.equal(seen[..., 0], true[..., 0])  # places stay where they are
        assert torch.equal(seen[..., 1], seen[..., 2])  # an action moves as a whole
        # Half of the pool is 1 and half -1; of 1600 time steps, the mean is off by 0.025.
        assert abs(seen[..., 1].mean().item()) < 0.1
        assert abs(seen[:, 1, 1].mean().item()) < 0.2  # also in each frame
    assert torch.cat(read)[..., 1].sum() == 0  # none is lost
    # What a reward that pays actions by 1 would gain by them: -2 before.
    plain, mixed = (contrastive_loss(*(part[..., 1] for part in parts)) for parts in (windows, read))
    assert plain == -2
    assert abs(mixed) < 0.15


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_noise_flattens_the_log_ratio_of_two_normals_as_it_must(noise: float) -> None:
    """As in the ratio's own test: N(0.5, 1) against N(0, 1) in time steps 1 and 2, equal in step 0.

    Of what the reward k (y_0 + y_1 + y_2) reads, c takes s_0 off but not the noise on it.  What is
    left, y_1 + y_2 + e_0, has means 1 and 0 and variance 2 (1 + noise^2) + noise^2, so
    k = 1 / (2 + 3 noise^2), and the constant is -k / 2.
    """
    policy, reward = normal_policy(1.0), linear_reward()
    objective = DensityRatio(DensityRatioSettings(hidden=()), policy)
    update = normal_update(policy, reward, 0.5, 20_000)._replace(
        perturbation=InputPerturbation(input_noise=noise)
    )
    fit(objective, update, [*reward.net.parameters(), *objective.parameters()], max_iter=20)
    slope = 1 / (2 + 3 * noise**2)
    assert reward.net[0].weight.item() == pytest.approx(slope, abs=0.03)
    assert objective.offset[0].weight[0, 0].item() == pytest.approx(-slope, abs=0.03)
    level = 3 * reward.net[0].bias.item() + objective.offset[0].bias.item()
    assert level == pytest.approx(-slope / 2, abs=0.03)


@pytest.mark.parametrize(
    ("kind", "settings", "push"),
    [(Contrastive, ContrastiveSettings(), -0.5), (DensityRatio, DensityRatioSettings(), -0.375)],
    ids=["contrastive", "density_ratio"],
)
def test_a_reward_learns_nothing_of_actions_that_are_mixed(kind, settings, push: float) -> None:
    """Demonstrated actions are larger by 0.5, and the reward is k a, with k = 0 still.

    The gradient in k is that difference a frame for `contrastive`; for `ratio`, with all odds even, a
    quarter of that of the three actions of a window.
    """
    policy = normal_policy()
    policy.planner = replace(policy.planner, n_steps=2)
    reward = MLPReward(RewardSettings(1, 1, hidden=(), inputs=("act",)))
    for parameter in reward.net.parameters():
        torch.nn.init.zeros_(parameter)
    update = normal_update(policy, reward, 0.0, 10_000)
    update.expert[..., 1] += 0.5

    def slope(perturbation: InputPerturbation) -> float:
        reward.zero_grad()
        kind(settings, policy)(update._replace(perturbation=perturbation)).loss.backward()
        return reward.net[0].weight.grad.item()

    assert slope(InputPerturbation()) == pytest.approx(push, abs=0.03)
    assert slope(InputPerturbation(marginal_actions=True)) == pytest.approx(0, abs=0.03)


def test_samples_and_what_is_published_know_nothing_of_it(walks, make_algorithm, train) -> None:
    """In the first update equal rewards guide: samples are the same, and only what is learned differs."""
    data = walks()
    asked = DiffusionIRLSettings(input_noise=5.0, marginal_actions=True)
    plain, noisy = (
        make_algorithm(DiffusionIRL, data, settings=settings, objective=ContrastiveSettings())
        for settings in (DiffusionIRLSettings(), asked)
    )
    stats = []
    for algorithm in (plain, noisy):
        update = algorithm._update_with_batch
        algorithm._update_with_batch = lambda batch, update=update: stats.append(update(batch)) or stats[-1]
        train(algorithm, data, 1)
    assert plain.objectives[0].replay.any()
    assert torch.equal(plain.objectives[0].replay, noisy.objectives[0].replay)
    assert stats[0].demonstration_reward == stats[1].demonstration_reward
    assert stats[0].sample_reward == stats[1].sample_reward
    assert stats[0].loss != stats[1].loss
    assert not torch.equal(plain.online.net[0].weight, noisy.online.net[0].weight)
    assert type(noisy.policy.reward) is MLPReward
    obs = data.obs[:9]
    assert (noisy.reward.score(obs, obs, obs) == noisy.reward.score(obs, obs, obs)).all()


@pytest.mark.parametrize("settings", [{"input_noise": 0.1}, {"marginal_actions": True}])
@pytest.mark.parametrize(
    ("objective", "warm_start"),
    [
        ("relative", ()),
        ("sampler_backprop", ()),
        ("contrastive", ((RelativeSettings(expert_updates=1), 2),)),
    ],
    ids=["relative", "sampler_backprop", "warm start"],
)
def test_objectives_without_rewards_refuse_it(walks, make_algorithm, objective, warm_start, settings) -> None:
    name = "relative" if warm_start else objective
    message = rf"objective '{name}' differentiates .*; use the .* one of \['contrastive', 'density_ratio'\]"
    data = walks()
    with pytest.raises(ValueError, match=message):
        make_algorithm(
            DiffusionIRL,
            data,
            prior_data=data,
            objective=objective,
            warm_start=warm_start,
            settings=DiffusionIRLSettings(**settings),
        )


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_noise_has_bounds(bad: float) -> None:
    with pytest.raises(ValueError, match=r"`input_noise` must be (at least 0|a finite number).* Received"):
        DiffusionIRLSettings(input_noise=bad)
